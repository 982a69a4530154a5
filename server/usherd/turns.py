"""Lets other work go on while a long list is worked through."""

from __future__ import annotations

import asyncio

from usherd.ports import Stopwatch

MAX_TURN_SECONDS = 0.002
"""A long list of questions lets others go on after this long."""


class Turn:
    """Ends when it has lasted long enough, and begins again."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self._since = stopwatch()

    async def maybe_yield(self) -> None:
        """Waits for others, if this turn has lasted long enough."""
        if self._stopwatch() - self._since > MAX_TURN_SECONDS:
            await asyncio.sleep(0)
            self._since = self._stopwatch()
