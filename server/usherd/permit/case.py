"""One question before the checks: all that a check may look at, and what a check answers."""

from __future__ import annotations

from dataclasses import dataclass

from usherd.domain import Question
from usherd.facts import Organization, Team
from usherd.identity import Identity
from usherd.permit.asked import Asked
from usherd.permit.rulebook import CompiledRole, Rulebook
from usherd.reading import Reading
from usherd.reasons import Reason


@dataclass(frozen=True, slots=True)
class Denied:
    """A check's no."""

    reason: Reason
    note: str = ""
    """One sentence for an operator, made of names of the policy."""


class NotApplicable:
    """A check had nothing to look at."""


NOT_APPLICABLE = NotApplicable()

Outcome = Denied | NotApplicable | None
"""None: the check has nothing against the request."""


@dataclass(frozen=True, slots=True)
class TeamChoice:
    """The team that the request is judged and billed by, and whether the grants are enough with it."""

    team: Team | None
    """None: there is none, or not even a default."""
    claimed: bool
    """Whether it is one of the token's existing teams. A default team is not, and entitles to nothing."""
    shortfall: Reason | None
    """ROUTE_NOT_GRANTED or MODEL_NOT_GRANTED; None when some grant covers the route with every model."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One question, its asker, and what was found out so far."""

    rules: Rulebook
    question: Question
    asked: Asked
    identity: Identity
    reading: Reading
    roles: tuple[CompiledRole, ...]
    choice: TeamChoice
    organization_id: str
    """The chosen team's organization, or else the token's. Empty: none."""
    organization: Organization | None
