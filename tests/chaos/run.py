"""Puts PostgreSQL, Valkey, two replicas, writers, callers and those who watch together, and lets things fail."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.calling import Managing
from chaos.checkers import Checker, CutOff
from chaos.follower import Follower
from chaos.ledger import Kind, Ledger
from chaos.replica import Replica
from chaos.score import Score, spread
from chaos.storm import Storm
from chaos.watchers import Pulse, Watcher, overlook
from chaos.world import MAX_STALENESS, Tokens, configuration, configure
from chaos.writers import Writers
from commands import USHERD
from oracle.daemon import until
from tools.postgres import Postgres
from tools.valkey import Valkey

REPLICAS = 2
WATCHERS = 6
RATE = 25.0
"""Checks a second, of each replica."""
WRITE_EVERY = 1.0
"""Seconds, on the average, from one write of a writer to its next: there are seven."""
QUIET = 2.0
"""Seconds without a fault after each."""
SETTLES_WITHIN = 10.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that runs."""

    ledger: Ledger
    score: Score
    writers: Writers
    managing: Managing
    checkers: Sequence[Checker]
    watchers: Sequence[Watcher]
    follower: Follower
    replicas: Sequence[Replica]
    storm: Storm


@asynccontextmanager
async def scene(program: Sequence[str] = USHERD, *, seed: int = 1) -> AsyncIterator[Scene]:
    """Starts it, and waits until all who watch know all; ends what it started. `program` as of `Replica`."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres, valkey, tokens = Postgres(), Valkey(), Tokens()
        await asyncio.to_thread(postgres.__enter__)
        stack.push_async_callback(asyncio.to_thread, postgres.__exit__, None, None, None)
        await stack.enter_async_context(valkey)
        await stack.enter_async_context(tokens.server)
        tokens.publish()
        url = await asyncio.to_thread(postgres.new_database)
        replicas = [Replica(number, folder, program) for number in range(REPLICAS)]
        for replica in replicas:
            configure(replica.config, configuration(url, valkey.url, tokens, replica.address))
            stack.push_async_callback(replica.stop)
            await replica.start()
        addresses = [replica.address for replica in replicas]
        ledger, score, cut_off = Ledger(MAX_STALENESS), Score(time.monotonic()), CutOff()
        managing = Managing(addresses)
        stack.push_async_callback(managing.close)
        follower = Follower(addresses)
        writers = Writers(managing, ledger, score, tokens)
        begin = (await managing.until_answered("directory", "ListTeams")).revision
        await writers.people()
        checkers = [Checker(number, address, ledger, score, cut_off) for number, address in enumerate(addresses)]
        for checker in checkers:
            stack.push_async_callback(checker.close)
        pulse = Pulse()
        watchers = [Watcher(number, addresses, ledger, score, cut_off, pulse) for number in range(WATCHERS)]
        storm = Storm(postgres, valkey, replicas, checkers, watchers, score, cut_off, seed=seed)
        work: list[Coroutine[Any, Any, None]] = [watcher.run() for watcher in watchers]
        work += [pulse.beat(), follower.run(begin), overlook(watchers, ledger, score, pulse)]
        work += [checker.pace(RATE) for checker in checkers]
        async with beside(*work):
            await until(lambda: all(watcher.knows_all for watcher in watchers))
            yield Scene(ledger, score, writers, managing, checkers, watchers, follower, replicas, storm)


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs these as long as the block lasts. What ends before by an error ends the block with it."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def calm(scene: Scene, seconds: float, every: float = WRITE_EVERY) -> None:
    """Writes for so long, and nothing fails."""
    scene.writers.calm = True
    async with beside(scene.writers.run(every)):
        await asyncio.sleep(seconds)
    await settled(scene)
    scene.writers.calm = False


async def stormy(scene: Scene, seconds: float, tell: Tell, *, kinds: Sequence[str] | None = None) -> None:
    """Writes for so long, while one thing after another fails; `kinds` are what fails, in that order, if given."""
    end, left = time.monotonic() + seconds, list(kinds or ())
    async with beside(scene.writers.run(WRITE_EVERY)):
        while time.monotonic() < end:
            left = left or list(kinds or scene.storm.order())
            kind = left.pop(0)
            began = time.monotonic()
            await scene.storm.one(kind)
            took = (scene.score.recovery[kind] or [float("nan")])[-1]
            tell(
                f"{end - time.monotonic():5.0f} s left  {kind}: {time.monotonic() - began:.1f} s, well again after"
                f" {took:.2f} s  writes {scene.writers.count}  broken {scene.score.broken.total()}"
            )
            await asyncio.sleep(QUIET)
            await scene.writers.read_back()
    await settled(scene)


async def settled(scene: Scene) -> None:
    """When all writes are made, everybody must know them, and all of them must be there."""
    score, ledger = scene.score, scene.ledger
    await until(lambda: all(subject.settled for subject in ledger.subjects))
    await scene.writers.read_back()
    left: list[dict[str, Any]] = []
    end = time.monotonic() + SETTLES_WITHIN
    while time.monotonic() < end:
        left = _disagreeing(scene)
        if not left and scene.follower.through >= max(ledger.acknowledged(), default=0):
            break
        await asyncio.sleep(0.1)
    now = time.monotonic()
    for each in left:
        promise = "revocations_missed" if each["kind"] == Kind.REVOCATION else "ends_that_disagree"
        score.broke(promise, now, **each)
    for revision in sorted(set(ledger.acknowledged()) - scene.follower.told):
        score.broke("changes_not_told", now, revision=revision)
    if scene.follower.out_of_order:
        score.broke("changes_not_told", now, out_of_order=scene.follower.out_of_order)


def _disagreeing(scene: Scene) -> list[dict[str, Any]]:
    """Who holds something else than was written last, and who holds nothing."""
    found: list[dict[str, Any]] = []
    for watcher in scene.watchers:
        if not watcher.knows_all:
            found.append({"watcher": watcher.number, "subject": "all", "kind": "unknown"})
        found += [
            {"watcher": watcher.number, "subject": held.subject.name, "kind": held.subject.kind}
            for held in watcher.holds(time.monotonic())
            if held.closed is not held.subject.state
        ]
    return found


def news(scene: Scene) -> dict[str, Any]:
    """How long it took from a write in a calm until the last of those who watch had heard of it, by kind."""
    found: dict[str, dict[str, list[float]]] = {}
    for subject in scene.ledger.subjects:
        for write in subject.writes:
            if not write.calm or not write.closed or not write.revision:
                continue
            seen = [
                min(
                    (sight.at for sight in subject.sights if sight.watcher == watcher.number and sight.knows(write)),
                    default=None,
                )
                for watcher in scene.watchers
            ]
            heard = [at for at in seen if at is not None]
            if len(heard) < len(seen):
                continue
            kind = found.setdefault(subject.kind, {"since_asked": [], "since_answered": []})
            kind["since_asked"].append(max(heard) - write.began)
            kind["since_answered"].append(max(0.0, max(heard) - write.ended))
    return {kind: {name: spread(values) for name, values in each.items()} for kind, each in sorted(found.items())}
