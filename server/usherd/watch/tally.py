"""What is counted of living decisions: plain numbers, as those of calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class Tally:
    """Counts, for as long as the process lives."""

    def __init__(self, told_after: Callable[[float], None] = lambda seconds: None) -> None:
        """`told_after` hears how many seconds after its commit the last who depended on a change had been told."""
        self.told_after = told_after
        self.events: Counter[str] = Counter()
        """By the event's name in the contract."""
        self.looks = 0
        """Decisions that were looked at again."""
        self.slow_readers = 0
        """Streams that were cut because nobody read them."""
