"""Tells the log why there is no decision: the answer says nothing of it, and whoever runs the gateway has to know."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from usher_client.faults import UsherFault

EVERY: Final = 10.0
"""Seconds between two lines about one kind of fault, however many requests it ends."""

_log: Final = logging.getLogger("usher_client")


class Telling:
    """What was told, and when. Any thread may use it."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._told: dict[tuple[str, type[UsherFault]], tuple[float, int]] = {}
        """When each kind was told of, and how often it was there since."""

    def no_decision(self, fault: UsherFault) -> None:
        """A request was refused for it."""
        self._tell("no decision", fault)

    def cut(self, fault: UsherFault) -> None:
        """What was allowed has ended for it."""
        self._tell("a stream was cut, nobody knows whether it is allowed", fault)

    def _tell(self, what: str, fault: UsherFault) -> None:
        kind = (what, type(fault))
        with self._lock:
            now = self._now()
            last, more = self._told.get(kind, (None, 0))
            if last is not None and now - last < EVERY:
                self._told[kind] = (last, more + 1)
                return
            self._told[kind] = (now, 0)
        before = f", and {more} times since this was told last" if more else ""
        # A fault's text is a constant and one of the contract's words.
        _log.warning("%s: %s: %s%s", what, type(fault).__name__, fault, before)
