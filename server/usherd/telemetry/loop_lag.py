"""Measures how late the event loop comes to what is due: all calls wait as long while something blocks it."""

from __future__ import annotations

import asyncio
import time

from usherd.telemetry.histogram import Histogram

EVERY = 0.1
"""Seconds from one look to the next."""


async def watch_lag(lag: Histogram, every: float = EVERY) -> None:
    """Observes, for ever, by how many seconds a sleep of `every` was too long."""
    while True:
        # Not the loop's own clock, which uvloop looks at once a turn and in whole milliseconds.
        due = time.monotonic() + every
        await asyncio.sleep(every)
        lag.observe(max(0.0, time.monotonic() - due))
