"""Says when to tell of what happens often: lines of the log whose number is in the hands of others stay few."""

from __future__ import annotations

from collections.abc import Hashable

from usherd.ports import Stopwatch


class Seldom:
    """Lets each kind of thing be told once in a while. Each kind is remembered: there must be few of them."""

    def __init__(self, stopwatch: Stopwatch, every: float) -> None:
        """`every` is how many seconds are between two of a kind at the least."""
        self._stopwatch = stopwatch
        self._every = every
        self._told: dict[Hashable, float] = {}

    def is_due(self, kind: Hashable = None) -> bool:
        """Whether to tell of one now; whoever is told yes does."""
        now, last = self._stopwatch(), self._told.get(kind)
        if last is not None and now - last < self._every:
            return False
        self._told[kind] = now
        return True

    def forget(self, kind: Hashable = None) -> None:
        """The next one of that kind is due, whenever it comes."""
        self._told.pop(kind, None)
