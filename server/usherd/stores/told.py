"""Tells of failures, and not of each: their number may be in the hands of whoever sends tokens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from usherd.ports import Stopwatch

TOLD_EVERY = 10.0
"""Seconds between two lines about the failures of one thing, at least."""

Tell = Callable[[bool, Mapping[str, str | int]], None]
"""Hears whether it works again (True) or fails (False), and the fields of that."""


class Told:
    """One thing that may fail, and work again."""

    def __init__(self, stopwatch: Stopwatch, tell: Tell) -> None:
        self._stopwatch = stopwatch
        self._listener = tell
        self._last = float("-inf")
        self._failures = 0
        self._failing = False

    def failed(self, fields: Mapping[str, str | int]) -> None:
        """It failed. What is told has the number of failures since the last line besides these fields."""
        self._failures += 1
        if self._stopwatch() < self._last + TOLD_EVERY:
            return
        self._tell(False, {**fields, "failures": self._failures})
        self._last, self._failures, self._failing = self._stopwatch(), 0, True

    def succeeded(self) -> None:
        """It works; that is told only after a failure was."""
        if self._failing:
            self._failing = False
            self._tell(True, {})

    def _tell(self, works: bool, fields: Mapping[str, str | int]) -> None:
        # A listener that fails must not look like what it listens to.
        with contextlib.suppress(Exception):
            self._listener(works, fields)
