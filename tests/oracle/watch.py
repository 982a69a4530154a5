"""Puts providers, a real usherd, callers and the oracle together."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from commands import USHERD
from oracle.callers import Callers
from oracle.daemon import ALWAYS, NEVER, SOMETIMES, Daemon, daemon
from oracle.judge import Oracle, Token
from oracle.provider import Issuer
from oracle.tally import Tally

MODELS = (ALWAYS, ALWAYS, SOMETIMES, NEVER)
RENEWED_EVERY = 0.5
"""Seconds from one look for expired tokens to the next."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A daemon whose every answer is judged."""

    daemon: Daemon
    callers: Callers
    tally: Tally

    @asynccontextmanager
    async def flowing(self, rate: float) -> AsyncIterator[None]:
        """Calls flow at that rate, in a second, as long as the block lasts."""
        done = asyncio.Event()
        flow = asyncio.create_task(self.callers.pace(rate, done))
        renewal = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            done.set()
            renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewal
            await flow

    async def _renew(self) -> None:
        while True:
            for each in self.daemon.providers:
                each.renew()
            await asyncio.sleep(RENEWED_EVERY)


@asynccontextmanager
async def watching(
    folder: Path, providers: Sequence[Issuer], *, callers: int = 8, program: Sequence[str] = USHERD
) -> AsyncIterator[Watch]:
    """Starts usherd for these providers, which run already; `program` as of `daemon`."""
    chance = random.Random(1)

    def choose() -> tuple[Token, str]:
        return chance.choice(chance.choice(providers).tokens), chance.choice(MODELS)

    async with daemon(folder, providers, program=program) as running:
        tally = Tally(Oracle({each.name: each.watched for each in providers}, running.policies))
        async with Callers(running.address, callers, choose, tally.judge) as asking:
            yield Watch(running, asking, tally)
