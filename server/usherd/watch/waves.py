"""Measures how long a change takes from its commit until the last who depends on it has been told."""

from __future__ import annotations

from collections.abc import Callable


class Wave:
    """One change on its way. It is over when nobody holds it any more."""

    __slots__ = ("_held", "_on_over", "_touched", "committed_at")

    def __init__(self, committed_at: float, on_over: Callable[[Wave], None]) -> None:
        """`committed_at` in seconds since the epoch. It is held once; `on_over` hears of it if it touched anyone."""
        self.committed_at = committed_at
        self._on_over = on_over
        self._held = 1
        self._touched = False

    def hold(self) -> None:
        """It still has to find who depends on it."""
        self._held += 1

    def touch(self) -> None:
        """Somebody has to be looked at because of it, and holds it until told, or found to be as before, or gone."""
        self._held += 1
        self._touched = True

    def leave(self) -> None:
        """One who held it does so no more."""
        self._held -= 1
        if self._held == 0 and self._touched:
            self._on_over(self)
