"""Tells in the log where a candidate policy would answer otherwise: one example of each kind at a time, and counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from usherd.domain import Decision
from usherd.ports import Stopwatch
from usherd.seldom import Seldom
from usherd.shadow import Difference, Tally

EXAMPLE_EVERY = 60.0
"""Seconds between two examples of one kind."""
SUMMARY_EVERY = 60.0
"""Seconds between two summaries, if anything was asked meanwhile."""
NO_ANSWER = "NO_ANSWER"
"""What stands for the reason of a candidate that had no answer."""

Log = Callable[..., Any]
"""Writes one event with its fields: closed words and numbers only."""


class ShadowLog:
    """Bounded in what it writes: the kinds are few, and each is told at most once a minute."""

    def __init__(self, life: str, log: Log, stopwatch: Stopwatch) -> None:
        """`life` tells the counts of this process from those of others in one log."""
        self._life = life
        self._log = log
        self._stopwatch = stopwatch
        self._seldom = Seldom(stopwatch, EXAMPLE_EVERY)
        self._summed_at = stopwatch()
        self._total = 0

    def example(self, decision: Decision, difference: Difference) -> None:
        """Tells of one difference, unless one of its kind was told a moment ago."""
        if self._seldom.is_due(difference):
            self._log("shadow_difference", decision_id=decision.decision_id, **_words(difference))

    def tick(self, tally: Callable[[], Tally]) -> None:
        """Writes a summary when it is time, and something was asked since the last."""
        now = self._stopwatch()
        if now - self._summed_at >= SUMMARY_EVERY:
            self._summed_at = now
            self.summary(tally())

    def summary(self, tally: Tally) -> None:
        """Writes the counts so far, one line a kind, unless they are those of the last summary."""
        if tally.total == self._total:
            return
        self._total = tally.total
        self._log("shadow_summary", life=self._life, questions=tally.total, agreed=tally.agreed)
        for difference, count in sorted(tally.differed.items(), key=lambda item: (-item[1], str(item[0]))):
            self._log("shadow_kind", life=self._life, count=count, **_words(difference))


def _words(difference: Difference) -> dict[str, str | bool]:
    return {
        "live": difference.live.name,
        "candidate": NO_ANSWER if difference.candidate is None else difference.candidate.name,
        "effect_differs": difference.effect_differs,
    }
