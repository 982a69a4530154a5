"""What a store needs to have done now and then, by whichever replica comes first: all of it is safe for many."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from usherd.ports import Stopwatch
from usherd.stores.sql.endings import ended
from usherd.stores.sql.unusable import cause_of
from usherd.stores.told import Tell, Told

SWEPT_EVERY = 1.0
"""Seconds after which periods of budgets that are over are looked for: so late a budget may begin anew."""
COMPACTED_EVERY = 600.0
"""Seconds after which changes are looked for that are too old to be kept."""
CHANGES_KEPT_FOR = 86_400.0
CHANGES_KEPT = 10_000
"""Changes are kept for a day, and at least so many revisions of them: who was away longer reads everything anew."""


class Housekept(Protocol):
    """A store."""

    async def sweep(self) -> int:
        """Ends the periods of budgets that are over."""

    async def compact(self, keep_for: float, keep_at_least: int) -> int:
        """Forgets changes older than that."""


@asynccontextmanager
async def keep_house(
    store: Housekept, *, jitter: Callable[[], float] = random.random, stopwatch: Stopwatch = time.monotonic, tell: Tell
) -> AsyncIterator[None]:
    """Does so as long as the block lasts. `tell` hears when it fails, and when it works again."""

    async def compact() -> None:
        await store.compact(CHANGES_KEPT_FOR, CHANGES_KEPT)

    ending = asyncio.Event()

    async def again(work: Callable[[], Awaitable[object]], every: float) -> None:
        told = Told(stopwatch, tell)
        # Never all replicas at once.
        while not await _is_set_within(ending, every * (0.5 + jitter())):
            try:
                await work()
            except Exception as error:  # whatever it is, it is due again
                told.failed({"cause": cause_of(error)})
            else:
                told.succeeded()

    tasks = [
        asyncio.create_task(again(store.sweep, SWEPT_EVERY), name="budget periods"),
        asyncio.create_task(again(compact, COMPACTED_EVERY), name="compaction"),
    ]
    try:
        yield
    finally:
        ending.set()
        await ended(tasks)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
