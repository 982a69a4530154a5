"""Spares whatever keeps failing, and those who would wait for it."""

from __future__ import annotations

import random
from collections.abc import Callable

from usherd.ports import Stopwatch


class Circuit:
    """Open after some failures in a row: for a while nothing passes, then one tries, and the rest follow."""

    def __init__(
        self,
        stopwatch: Stopwatch,
        *,
        tolerated: int,
        first_pause: float,
        last_pause: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """It opens with the failure after `tolerated` ones. Pauses are in seconds: each further one doubles."""
        self._stopwatch = stopwatch
        self._tolerated = tolerated
        self._first_pause = first_pause
        self._last_pause = last_pause
        self._chance = chance
        self._failures = 0
        self._pauses = 0
        self._open_until = 0.0
        self._trying = False

    def admits(self) -> bool:
        """Whether an attempt may be made now. Whoever is told yes says afterwards how it went."""
        if self._failures <= self._tolerated:
            return True
        if self._trying or self._stopwatch() < self._open_until:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """An attempt went well."""
        self._failures = self._pauses = 0
        self._trying = False

    def failed(self, leave_alone: float = 0.0) -> None:
        """An attempt failed. `leave_alone` is how many seconds were asked for."""
        now = self._stopwatch()
        was_trying, self._trying = self._trying, False
        self._failures += 1
        if self._failures <= self._tolerated and leave_alone <= 0:
            return
        if now >= self._open_until or was_trying:
            # Those that were under way when it opened do not make it longer.
            doubled = self._first_pause * 2.0 ** min(self._pauses, 16)
            pause = min(doubled, self._last_pause) * (0.5 + 0.5 * self._chance())
            self._open_until = now + max(pause, min(leave_alone, self._last_pause))
            self._failures = max(self._failures, self._tolerated + 1)
            self._pauses += 1

    def abandoned(self) -> None:
        """An attempt was given up, and says nothing."""
        self._trying = False
