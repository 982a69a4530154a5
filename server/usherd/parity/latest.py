"""Shows what `strict` answers where LiteLLM 1.109.1 answers otherwise than 1.63.2."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from usherd.parity.answers import Answer, Outcome
from usherd.parity.cases import Case

UNNAMED = "not explained"
"""The kind of changes on which there is no note."""


def kind_of(case: Case) -> str | None:
    """The kind of change between the two versions: the note up to its colon. None: nothing changed."""
    if not case.latest.get("changed"):
        return None
    note = case.latest.get("note") or UNNAMED
    return str(note).partition(":")[0]


@dataclass(slots=True)
class Change:
    """The counts of one kind of change."""

    cases: int = 0
    reference_allows: int = 0
    latest_allows: int = 0
    answers: Counter[Outcome] = field(default_factory=Counter)
    """What `strict` answers."""
    laxer: list[str] = field(default_factory=list)
    """Ids of cases that `strict` allows and 1.109.1 denies."""

    def add(self, case: Case, answer: Answer) -> None:
        """Counts a case, and what strict answers to it."""
        self.cases += 1
        self.reference_allows += bool(case.expected["http"]["allowed"])
        allows = bool(case.latest["http"]["allowed"])
        self.latest_allows += allows
        self.answers[answer.outcome] += 1
        if answer.allowed and not allows:
            self.laxer.append(case.id)
