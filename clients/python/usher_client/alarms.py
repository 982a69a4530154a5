"""Calls functions at their times, in one thread."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

from usher_client import clocks

Ring = Callable[[], float | None]
"""Returns when to be called again; None: not. It must not wait, and must not raise."""


class Alarms:
    """The alarms of one client. The thread is there from the first alarm on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Ring]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def at(self, when: float, ring: Ring) -> None:
        """Calls it at that time, by the clock that never goes back."""
        with self._changed:
            self._push(when, ring)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="usher-client-alarms", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """No alarm rings any more."""
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify()

    def _push(self, when: float, ring: Ring) -> None:
        if not self._closed:
            heapq.heappush(self._heap, (when, next(self._numbers), ring))

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._heap or self._heap[0][0] > clocks.now()):
                    self._changed.wait(min(self._heap[0][0] - clocks.now(), clocks.LOOKS_EVERY) if self._heap else None)
                if self._closed:
                    return
                _, _, ring = heapq.heappop(self._heap)
            again = ring()
            if again is not None:
                with self._changed:
                    self._push(again, ring)
