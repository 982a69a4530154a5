"""The clock that a client counts silence by."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial


def _never_back() -> Callable[[], float]:
    # One that goes on while the machine sleeps: what was told before is old when it wakes up.
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if boottime is None else partial(time.clock_gettime, boottime)


now: Callable[[], float] = _never_back()
"""Seconds that never go back."""

LOOKS_EVERY = 1.0
"""Seconds after which whoever waits by a timer looks at this clock: timers stand still while the machine sleeps."""
