"""A loop whose time passes only when there is nothing else to do: a wait is over at once, every time alike."""

from __future__ import annotations

import asyncio
import selectors


class _Selector(selectors.SelectSelector):
    """Hears nothing, and counts the time that it would have listened for."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("a wait without an end")
        self.passed += timeout
        return []


class NoWaiting(asyncio.SelectorEventLoop):
    """For coroutines that wait for timers and for each other, and for nothing outside of the process."""

    def __init__(self) -> None:
        self._listening = _Selector()
        super().__init__(self._listening)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._listening.passed
