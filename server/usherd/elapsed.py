"""How much time has gone by: what may count only for a while is measured by it."""

from __future__ import annotations

import time

_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds since some moment. They are never set back, and go on while the machine sleeps: `time.monotonic` stands
    still then on Linux, and what was known before a virtual machine was suspended would count as new when it wakes."""
    return time.clock_gettime(_CLOCK)
