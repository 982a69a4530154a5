"""How fast calls begin that watch."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final

AT_ONCE: Final = 24
"""Calls that begin in one moment."""
PACE: Final = 0.001
"""Seconds between those that follow: a server refuses what comes faster than it can be taken up, and a gateway may come
back with a thousand of them."""


class Turns:
    """Hands out turns. Any thread may use it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._last = -math.inf

    def take(self) -> float:
        """How many seconds the next call has to wait before it begins."""
        with self._lock:
            now = self._now()
            self._last = max(self._last, now - AT_ONCE * PACE) + PACE
            return max(0.0, self._last - now)

    def give_back(self) -> None:
        """A turn was not used: those who gave up before theirs must not hold up whoever comes later."""
        with self._lock:
            self._last -= PACE


class Turn:
    """The turn that one watch has taken and not used."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._unused: list[None] = []

    def take(self) -> float:
        """As `Turns.take`."""
        wait = self._turns.take()
        self._unused.append(None)
        return wait

    def use(self) -> None:
        """Its call begins."""
        self._unused.clear()

    def leave(self) -> None:
        """There is no call; does nothing unless there is a turn. Any thread may, and only one does."""
        try:
            self._unused.pop()
        except IndexError:
            return
        self._turns.give_back()
