"""Brings faults about, one after another, and sees how long it takes until all is well again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from chaos.checkers import Checker, CutOff
from chaos.replica import Replica
from chaos.score import Score
from chaos.watchers import Watcher
from chaos.world import MAX_STALENESS
from oracle.daemon import until
from tools.postgres import Postgres
from tools.valkey import Valkey

PATIENCE = 40.0
"""Seconds within which all must be well again."""


class Storm:
    """All that can be made to fail."""

    def __init__(
        self,
        postgres: Postgres,
        valkey: Valkey,
        replicas: Sequence[Replica],
        checkers: Sequence[Checker],
        watchers: Sequence[Watcher],
        score: Score,
        cut_off: CutOff,
        *,
        seed: int = 1,
    ) -> None:
        self._postgres = postgres
        self._valkey = valkey
        self._replicas = replicas
        self._checkers = checkers
        self._watchers = watchers
        self._score = score
        self._cut_off = cut_off
        self._chance = random.Random(seed)
        self.now = "none"
        """What fails now."""
        self.kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "kill a replica": self._kill_replica,
            "kill PostgreSQL": self._kill_postgres,
            "freeze PostgreSQL": self._freeze_postgres,
            "kill Valkey": self._kill_valkey,
            "kill a replica and PostgreSQL": self._kill_both,
            "kill both replicas": self._kill_replicas,
        }

    async def one(self, kind: str) -> None:
        """One fault, from its beginning until all is well again."""
        self.now = kind
        self._score.faults[kind] += 1
        await self.kinds[kind]()
        over = time.monotonic()
        try:
            await until(lambda: self._well(over), PATIENCE)
        except TimeoutError:
            self._score.broke("not_recovered", time.monotonic(), fault=kind)
        else:
            self._score.recovery[kind].append(time.monotonic() - over)
        self.now = "none"

    def order(self) -> list[str]:
        """Every kind once, in an order of chance."""
        return self._chance.sample(sorted(self.kinds), len(self.kinds))

    def _well(self, over: float) -> bool:
        """Whether every replica has answered since, and all who watch know all."""
        return all(checker.last_answer > over for checker in self._checkers) and all(
            watcher.knows_all and watcher.last_message > over for watcher in self._watchers
        )

    def _one(self) -> Replica:
        return self._chance.choice(self._replicas)

    async def _kill_replica(self) -> None:
        replica = self._one()
        at = await replica.kill()
        await until(lambda: all(watcher.knows_all for watcher in self._watchers), PATIENCE)
        self._score.failover.append(time.monotonic() - at)
        await asyncio.sleep(self._chance.uniform(0, 2))
        await replica.start()

    async def _kill_replicas(self) -> None:
        for replica in self._replicas:
            await replica.kill()
        await asyncio.gather(*(replica.start() for replica in self._replicas))

    async def _kill_postgres(self) -> None:
        began = time.monotonic()
        await asyncio.to_thread(self._postgres.kill)
        self._cut_off.since = time.monotonic()
        away = self._chance.choice((0.0, MAX_STALENESS + 1.5))
        await asyncio.sleep(away)
        if away:
            self._silence(began)
        self._cut_off.since = None
        await asyncio.to_thread(self._postgres.start)

    async def _freeze_postgres(self) -> None:
        began = time.monotonic()
        await asyncio.to_thread(self._postgres.freeze)
        self._cut_off.since = time.monotonic()
        await asyncio.sleep(MAX_STALENESS + self._chance.uniform(1, 3))
        self._silence(began)
        self._cut_off.since = None
        await asyncio.to_thread(self._postgres.thaw)

    async def _kill_valkey(self) -> None:
        await self._valkey.kill()
        await asyncio.sleep(self._chance.uniform(0.5, 2))
        await self._valkey.start()

    async def _kill_both(self) -> None:
        replica = self._one()
        await asyncio.gather(replica.kill(), asyncio.to_thread(self._postgres.kill))
        self._cut_off.since = time.monotonic()
        await asyncio.sleep(self._chance.uniform(0, 2))
        self._cut_off.since = None
        await asyncio.to_thread(self._postgres.start)
        await replica.start()

    def _silence(self, began: float) -> None:
        """How long each replica went on answering."""
        self._score.silenced += [max(0.0, checker.last_answer - began) for checker in self._checkers]
