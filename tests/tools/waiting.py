"""Waits for what another thread or process is to bring about."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 20.0
"""Seconds: far more than anything takes, on a busy machine too."""
_LOOK_EVERY = 0.01


def until(holds: Callable[[], bool]) -> None:
    """Returns when it holds; fails when it does not within `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(_LOOK_EVERY)
