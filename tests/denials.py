"""Denials, as tables of tests tell them: a question, the check that denies it, its note, and the reference's status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from usherd.domain import CheckOutcome
from usherd.facts import Team, User
from usherd.options import BY_NAME, STRICT, with_values
from usherd.policy import TeamRules
from worlds import CHAT, World, policy

READER = {"roles": "Reader"}
RED = {"groups": ["red"]}
RED_TEAM = Team(id="red", models=("*",))
ALICE = User(id="alice", models=("*",))
TEAMS = TeamRules(routes=(CHAT, "/v1/models"))
WITHOUT_MODEL = {"route": "/v1/models", "model": None}


@dataclass(frozen=True)
class Denial:
    """A question, how its first denial is told, and the HTTP status of the reference for it."""

    check: str
    reason: str
    note: str
    status: int = 401
    claims: dict[str, Any] = field(default_factory=lambda: dict(READER))
    asked: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def world(self, status: str) -> World:
        """What the question meets, with that value of `http_status`."""
        options = with_values(STRICT, {**self.options, "http_status": status})
        return World(policy=policy(**{"options": options, **self.rules}), **self.rows)

    def told(self) -> tuple[str, str, str]:
        """The first denial of an explanation: check, reason, note."""
        explanation = self.world("usherd").ask(claims=self.claims, explain=True, **self.asked).verdict.explanation
        assert explanation is not None
        first = next(each for each in explanation.checks if each.outcome is CheckOutcome.DENIED)
        assert first.reason is not None
        return first.check, first.reason.name, first.note

    def statuses(self) -> tuple[int | None, int | None]:
        """The status of the answer that is not the reason's own: ours, and the reference's."""
        ours, theirs = (
            self.world(value).ask(claims=self.claims, **self.asked).verdict for value in BY_NAME["http_status"].values
        )
        return ours.http_status, theirs.http_status


def names(denials: Sequence[Denial]) -> list[str]:
    """Names for tests."""
    return [f"{each.check}: {each.note}" for each in denials]
