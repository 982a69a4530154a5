"""What the cache holds of a question: a decision, or an answer that is under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from usher_client.decision import Decision
from usher_client.faults import UsherFault
from usher_client.question_key import Key

Outcome = Decision | UsherFault | None
"""What comes of an addition; None: ask by itself."""


class StreamOver(Exception):
    """Nothing that this stream has told may be served any more."""

    def __init__(self, *, silent: bool = False) -> None:
        super().__init__("silent" if silent else "over")
        self.silent = silent


@dataclass(slots=True)
class Counts:
    """What is counted for as long as there is a client."""

    hits: int = 0
    misses: int = 0
    asked_by_itself: int = 0
    evicted: int = 0
    changed: int = 0
    ended: int = 0
    streams_lost: int = 0
    silences: int = 0


class Entry:
    """A decision that is kept true."""

    __slots__ = ("decision", "id", "key", "until")

    def __init__(self, number: int, key: Key, decision: Decision, until: float) -> None:
        self.id = number
        self.key = key
        self.decision = decision
        self.until = until
        """By the calendar."""


@dataclass(slots=True, eq=False)
class Flight:
    """A question that was added and is not answered yet."""

    id: int
    key: Key = field(repr=False)
    added: float
    """By the clock that never goes back."""
    waiting: set[Callable[[Outcome], None]] = field(default_factory=set, repr=False)
    """Called once, with what comes of it; they must not raise, and must not wait. Who gives up takes out its own."""

    def land(self, outcome: Outcome) -> None:
        """Tells everybody who waits."""
        for tell in self.waiting:
            tell(outcome)
        self.waiting.clear()
