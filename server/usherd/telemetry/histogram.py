"""Counts how long things took, in buckets: as cheap as a search in a short list and two additions."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Histogram:
    """A Prometheus histogram that one thread writes and reads."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` are the upper ones of the buckets, in seconds and rising; one without a bound comes behind them."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0
        """The sum of all, in seconds."""

    def observe(self, seconds: float) -> None:
        """Counts one that took so long."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[float, int]]:
        """(upper bound, how many took at most so long), the last without a bound."""
        return list(zip((*self._bounds, math.inf), accumulate(self._counts), strict=True))
