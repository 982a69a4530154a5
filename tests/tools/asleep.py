"""A machine that has slept: of the clocks that are never set back, one alone has gone on."""

from __future__ import annotations

import time

import pytest


def slept(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """It wakes now, and has slept for so long."""
    awake = time.clock_gettime

    def since(clock: int) -> float:
        return awake(clock) + (seconds if clock == time.CLOCK_BOOTTIME else 0)

    monkeypatch.setattr(time, "clock_gettime", since)
