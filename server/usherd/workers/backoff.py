"""Says how long to wait before a worker that ended is started again, and when that is a crash loop."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 0.5
"""Seconds before the first new start, or about that long."""
MOST = 30.0
"""Seconds, the longest wait."""
SETTLED = 30.0
"""Seconds that a worker must have lived for its end to be the first one again."""
LOOP = 3
"""Ends in a row, each within `SETTLED` of its start, that are a crash loop."""
_SPREAD = 0.25
"""Waits differ by that share either way, so that workers that end together do not begin together."""


class Backoff:
    """The ends of one worker."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """`chance` gives numbers from 0 to below 1."""
        self._chance = chance
        self._short = 0

    @property
    def looping(self) -> bool:
        """Whether it is in a crash loop."""
        return self._short >= LOOP

    def ended(self, lived: float) -> float:
        """It ended after so many seconds; how many to wait."""
        if lived >= SETTLED:
            self._short = 0
        wait = min(MOST, FIRST * 2.0 ** min(self._short, 16))
        self._short += 1
        return wait * (1 + _SPREAD * (2 * self._chance() - 1))

    def settled(self) -> None:
        """It has lived for `SETTLED` seconds: what was before is over."""
        self._short = 0
