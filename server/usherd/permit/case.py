"""One question before the checks: all that a check may look at, and what a check answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from usherd.domain import Question
from usherd.facts import Organization, Team, User, Write
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
    reference_status: int | None = None
    """The HTTP status of the reference, where it is not the one that goes with the reason there."""


_NO_ALIASES: dict[str, str] = {}


class NotApplicable:
    """A check had nothing to look at."""


NOT_APPLICABLE = NotApplicable()


@dataclass(frozen=True, slots=True)
class Passed:
    """A check has nothing against the request, and wants something to be written."""

    writes: tuple[Write, ...]


Outcome = Denied | NotApplicable | Passed | None
"""None: the check has nothing against the request."""


class TeamChoice(NamedTuple):
    """The team that the request is judged and billed by, and whether the grants are enough with it."""

    team: Team | None = None
    """None: there is none, or not even a default; or it is not looked up."""
    team_id: str = ""
    """The team's id, even of one that the directory lacks. Empty: no team."""
    claimed: bool = False
    """Whether it is one of the token's existing teams. A default team is not, unless the options say so."""
    unknown: bool = False
    """Whether the team is one that must exist, and does not."""
    none_qualifies: bool = False
    """Whether the token names teams of which none may make this request with its model."""
    shortfall: Reason | None = None
    """ROUTE_NOT_GRANTED or MODEL_NOT_GRANTED; None when some grant covers the route with every model."""


class Case(NamedTuple):
    """One question, its asker, and what was found out so far."""

    rules: Rulebook
    question: Question
    asked: Asked
    identity: Identity
    reading: Reading
    roles: tuple[CompiledRole, ...]
    internal_roles: tuple[str, ...]
    """The internal roles that count, in the order of precedence; none where the policy does not enforce them."""
    mapping_entitles: bool
    """Whether an internal role that the token holds by a mapping grants something."""
    choice: TeamChoice
    organization_id: str
    """The chosen team's organization, or else the token's. Empty: none."""
    organization: Organization | None
    new_user: User | None
    """The row that will be written for a holder whom the directory does not know yet. It entitles to nothing."""

    @property
    def team_aliases(self) -> Mapping[str, str]:
        """The chosen team's own names for models; none when the team is only a default."""
        team = self.choice.team
        return team.model_aliases if team is not None and self.choice.claimed else _NO_ALIASES

    @property
    def binding_user(self) -> User | None:
        """The user whose block, models and budget count: beside a team only where `user.limits_with_team` says so."""
        beside = self.choice.team is None or self.rules.options.user_limits_with_team == "enforced"
        return self.identity.user if beside else None

    @property
    def binding_organization(self) -> Organization | None:
        """The organization whose block, models and budget count."""
        return self.organization if self.rules.options.organization_limits == "enforced" else None
