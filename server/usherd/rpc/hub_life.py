"""The life of what keeps decisions true: it must not end before the server does."""

from __future__ import annotations

import asyncio
import random
import time

from usherd.errors import InternalFault
from usherd.rpc.bugs import report_bug
from usherd.rpc.limits import Limits
from usherd.watch.hub import Bounds, Hub
from usherd.watch.tally import Tally

_AGAIN_AFTER = 1.0
"""Seconds after which it goes on after a bug."""


def new_hub(limits: Limits, tally: Tally | None = None) -> Hub:
    """A hub with a server's limits, by this machine's clocks. It hears what it is told."""
    bounds = Bounds(
        streams=limits.living_streams,
        subscriptions=limits.living_decisions,
        checkpoint_every=limits.checkpoint_every,
        patience=limits.max_staleness,
        read_within=limits.read_within,
        age=limits.connection_age,
    )
    return Hub(bounds, clock=time.time, stopwatch=time.monotonic, chance=random.random, tally=tally)


async def kept_running(hub: Hub) -> None:
    """Never returns. After a bug nobody knows what was missed, so that all streams end, and new ones begin anew."""
    while True:
        try:
            await hub.run()
        except Exception as bug:
            report_bug(bug, method="living decisions")
            hub.fail(InternalFault())
        await asyncio.sleep(_AGAIN_AFTER)
