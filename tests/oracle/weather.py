"""What happens around a server in a soak, each minute: rotations, a fault, a reload, removals and withdrawals."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from oracle.daemon import Daemon
from oracle.provider import Provider
from tools.faults import Fault
from tools.key_server import DISCOVERY_PATH, KEYS_PATH

MINUTE = 60.0


async def weather(daemon: Daemon, brief: Provider, long: Provider, minute: float = MINUTE) -> None:
    """For ever: one minute like another, but for the fault. `minute` is its length in seconds.

    `brief` is to go stale within a fault, `long` is not.
    """
    for number, fault in zip(itertools.count(), itertools.cycle(Fault), strict=False):
        path = DISCOVERY_PATH if fault is Fault.OTHER_ISSUER else KEYS_PATH
        start = time.monotonic()

        async def at(second: float, start: float = start) -> None:
            await asyncio.sleep(max(0.0, start + second * minute / MINUTE - time.monotonic()))

        await at(4)
        brief.rotate()
        long.rotate()
        await at(12)
        await brief.fail(fault, path)
        await long.fail(fault, path)
        await at(14)
        # A key that appears in the middle of an outage, and is asked about.
        brief.rotate()
        if number % 2 == 1:
            await at(20)
            await daemon.reload()
        await at(38)
        await brief.fail(None, path)
        await long.fail(None, path)
        if number % 2 == 0:
            await at(46)
            await daemon.reload()
        await at(52)
        if number % 3 == 0:
            brief.withdraw_oldest()
        else:
            brief.remove_oldest()
        long.remove_oldest()
        await at(56)
        brief.remove_oldest()
        await at(MINUTE)


@asynccontextmanager
async def beside(work: Coroutine[object, object, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Runs that as long as the block lasts."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
