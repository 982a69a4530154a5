"""Tells of failures, and not of each: their number may be in the hands of whoever sends tokens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from usherd.ports import Stopwatch
from usherd.seldom import Seldom

TOLD_EVERY = 10.0
"""Seconds between two lines about the failures of one thing, at least."""

Tell = Callable[[bool, Mapping[str, str | int]], None]
"""Hears whether it works again (True) or fails (False), and the fields of that."""


class Told:
    """One thing that may fail, and work again."""

    def __init__(self, stopwatch: Stopwatch, tell: Tell) -> None:
        self._seldom = Seldom(stopwatch, TOLD_EVERY)
        self._hears = tell
        self._failures = 0
        self._failing = False

    def failed(self, fields: Mapping[str, str | int]) -> None:
        """It failed. What is told has the number of failures since the last line besides these fields."""
        self._failures += 1
        if self._seldom.is_due():
            self._tell(False, {**fields, "failures": self._failures})
            self._failures, self._failing = 0, True

    def succeeded(self) -> None:
        """It works; that is told only after a failure was."""
        if self._failing:
            self._failing = False
            self._tell(True, {})

    def _tell(self, works: bool, fields: Mapping[str, str | int]) -> None:
        # Who hears of it and fails must not look like what was told.
        with contextlib.suppress(Exception):
            self._hears(works, fields)
