"""Waits for what another thread or process is to bring about."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 20.0
"""Seconds: far more than anything takes, on a busy machine too."""
_LOOK_EVERY = 0.01


def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Returns when it holds; fails when it does not within so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(_LOOK_EVERY)
