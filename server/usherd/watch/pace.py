"""Keeps many who have much to do at once from holding up everybody else."""

from __future__ import annotations

import asyncio

from usherd.ports import Stopwatch
from usherd.turns import MAX_TURN_SECONDS


class Pace:
    """One turn for all of them together: `turns.Turn` is each one's own, and of a hundred would last a hundred times
    as long."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self._since = stopwatch()
        self._ending = False

    async def rest(self) -> None:
        """Waits for others, if this turn has lasted long enough."""
        if self._stopwatch() - self._since <= MAX_TURN_SECONDS:
            return
        if not self._ending:
            # Runs before all who rest now go on.
            self._ending = True
            asyncio.get_running_loop().call_soon(self._begin)
        await asyncio.sleep(0)

    def _begin(self) -> None:
        self._ending = False
        self._since = self._stopwatch()
