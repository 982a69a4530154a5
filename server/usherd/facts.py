"""Rows of the directory, as the core reads them. Immutable: a changed row is another row with a new revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple

from usherd.domain import NO_LIMIT, Limit

DIRECTORY_ADMIN_ROLE = "proxy_admin"
"""The role of a user's row, or of a session, that makes an administrator, where the issuer may grant administration."""


class BudgetKind(IntEnum):
    """Whose budget it is."""

    GLOBAL = 0
    ORGANIZATION = 1
    TEAM = 2
    USER = 3
    MEMBER = 4
    END_USER = 5

    # As in DependencyKind.
    __hash__ = int.__hash__


class BudgetOwner(NamedTuple):
    """The owner of one budget, by the ids of the directory. A tuple: it is made and hashed for each question."""

    kind: BudgetKind
    id: str = ""
    """Empty for the global budget; the user's for a member."""
    team: str = ""
    """The member's team; empty for all others."""


def place_id(team_id: str, user_id: str) -> str:
    """Names a user's place in a team. The length in front keeps the two ids apart, whatever is in them."""
    return f"{len(team_id)}:{team_id}/{user_id}"


_PREFIXES = {kind: f"{kind.name.lower()}:" for kind in BudgetKind}


def budget_id(owner: BudgetOwner) -> str:
    """Names a budget, as in a dependency."""
    if owner.kind is BudgetKind.GLOBAL:
        return "global"
    if owner.kind is BudgetKind.MEMBER:
        return "member:" + place_id(owner.team, owner.id)
    return _PREFIXES[owner.kind] + owner.id


def organization_key(organization_id: str) -> str:
    """Names an organization that is looked for by its id, as in a dependency: apart from those by an alias."""
    return f"id:{organization_id}" if organization_id.startswith(("id:", "alias:")) else organization_id


class BudgetState(IntEnum):
    """Where spend stands against the maximum of the row. Spend itself is not a fact: it changes all the time."""

    WITHIN = 0
    """Below the maximum, or there is none."""
    REACHED = 1
    """Exactly at the maximum."""
    EXCEEDED = 2
    """Beyond it."""

    # As in DependencyKind.
    __hash__ = int.__hash__


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A user's place in a team."""

    role: str = "user"
    """The team's own word for the place: `admin` or `user`."""
    max_budget_micro_usd: int | None = None
    revision: str = field(default="", compare=False)
    """As a row's. Where places are kept with their team, the team's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A group of principals that is granted models, and billed, together."""

    id: str
    issuer: str | None = None
    """Name of the issuer whose tokens may claim it. None: the only issuer's."""
    alias: str = ""
    organization: str = ""
    models: tuple[str, ...] | None = None
    """A grant: names, wildcards, access groups. None and empty grant nothing (unless `lists.empty: all`)."""
    blocked: bool = False
    limit: Limit = NO_LIMIT
    members: Mapping[str, Membership] = field(default_factory=dict)
    """Places by user id, where they are kept with the team. Who asks for one asks the directory (`Facts.member`)."""
    guardrails_modifiable: bool = True
    """Whether requests of the team may change guardrails."""
    model_aliases: Mapping[str, str] = field(default_factory=dict)
    """Names that mean another model for this team only."""
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or service that the directory knows."""

    id: str
    identities: tuple[tuple[str, str], ...] = ()
    """(issuer name, subject) pairs. Empty: known by `id` alone, for a single issuer and for sessions."""
    sso_ids: tuple[str, ...] = ()
    """Single sign-on ids, which name no issuer: only looked at where `user.sso_match` says so."""
    email: str = field(default="", repr=False)
    role: str = ""
    models: tuple[str, ...] | None = None
    """Without a team a grant (None grants nothing); beside a team a ceiling (None is no ceiling). With
    `lists.empty: all`, an empty one is everything in either place."""
    teams: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    administers: tuple[str, ...] = ()
    """Those of `organizations` in which the user is an `org_admin`."""
    blocked: bool = False
    limit: Limit = NO_LIMIT
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A company or department that teams belong to."""

    id: str
    alias: str = ""
    models: tuple[str, ...] | None = None
    """A ceiling: None is no ceiling, empty is nothing, unless `lists.empty` is `all`."""
    blocked: bool = False
    limit: Limit = NO_LIMIT
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndUser:
    """A customer of the gateway's user, on whose behalf a request is made."""

    id: str
    blocked: bool = False
    limit: Limit = NO_LIMIT
    revision: str = ""


class WriteKind(Enum):
    """What a write does. Each is idempotent."""

    CREATE_USER = "create_user"
    """Creates the user unless there is one of that id."""
    CREATE_TEAM = "create_team"
    """Creates the team unless there is one of that id."""
    UPDATE_USER = "update_user"
    """Gives the user of that id the row's role and teams, unless the user has changed since the row's revision."""


@dataclass(frozen=True, slots=True)
class Write:
    """One row that an answer wants to have written: provisioning and sync, never an entitlement."""

    kind: WriteKind
    row: User | Team


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All rows of a directory at one moment."""

    organizations: tuple[Organization, ...] = ()
    teams: tuple[Team, ...] = ()
    users: tuple[User, ...] = ()
    end_users: tuple[EndUser, ...] = ()
