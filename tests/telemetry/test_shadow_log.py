"""The log tells of a candidate's differences: one example of a kind at a time, and counts that add up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from usherd.domain import Decision, Effect, Verdict
from usherd.reasons import Reason
from usherd.shadow import Difference, Tally
from usherd.telemetry.shadow_log import EXAMPLE_EVERY, SUMMARY_EVERY, ShadowLog

OPENS = Difference(Reason.ALLOWED, Reason.NOT_ENTITLED, effect_differs=True)
OTHER = Difference(Reason.NOT_ENTITLED, None, effect_differs=False)


class Log:
    """What was written, and the time."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.now = 1000.0
        self.shadow = ShadowLog("life", lambda event, **fields: self.lines.append((event, fields)), lambda: self.now)

    def differ(self, difference: Difference, decision_id: str = "id") -> None:
        verdict = Verdict(effect=Effect.DENY, reason=difference.live)
        self.shadow.example(Decision(verdict, decision_id, "", 0.0, False), difference)


def tally(agreed: int, **kinds: int) -> Tally:
    return Tally(agreed, Counter({{"opens": OPENS, "other": OTHER}[name]: count for name, count in kinds.items()}))


def test_one_example_of_a_kind_a_minute_names_its_decision() -> None:
    log = Log()
    log.differ(OPENS, "first")
    log.differ(OPENS, "second")
    log.differ(OTHER, "third")
    log.now += EXAMPLE_EVERY
    log.differ(OPENS, "fourth")

    assert [(event, fields["decision_id"]) for event, fields in log.lines] == [
        ("shadow_difference", "first"),
        ("shadow_difference", "third"),
        ("shadow_difference", "fourth"),
    ]
    assert log.lines[1][1] == {
        "decision_id": "third",
        "live": "NOT_ENTITLED",
        "candidate": "NO_ANSWER",
        "effect_differs": False,
    }


def test_a_summary_has_the_counts_of_each_kind_the_most_frequent_first() -> None:
    log = Log()

    log.shadow.summary(tally(5, opens=1, other=3))

    assert log.lines == [
        ("shadow_summary", {"life": "life", "questions": 9, "agreed": 5}),
        (
            "shadow_kind",
            {"life": "life", "count": 3, "live": "NOT_ENTITLED", "candidate": "NO_ANSWER", "effect_differs": False},
        ),
        (
            "shadow_kind",
            {"life": "life", "count": 1, "live": "ALLOWED", "candidate": "NOT_ENTITLED", "effect_differs": True},
        ),
    ]


def test_summaries_come_each_minute_and_only_when_something_was_asked() -> None:
    log = Log()
    log.shadow.tick(lambda: tally(1))
    assert log.lines == []

    log.now += SUMMARY_EVERY
    log.shadow.tick(lambda: tally(1))
    log.shadow.tick(lambda: tally(2))
    log.now += SUMMARY_EVERY
    log.shadow.tick(lambda: tally(1))
    log.shadow.summary(tally(1))

    assert [fields["questions"] for _, fields in log.lines] == [1]


def test_before_anything_is_asked_there_is_no_summary() -> None:
    log = Log()

    log.shadow.summary(tally(0))

    assert log.lines == []
