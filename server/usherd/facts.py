"""Rows of the directory, as the core reads them. Immutable: a changed row is another row with a new revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from usherd.domain import NO_LIMIT, Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A user's place in a team."""

    role: str = "user"
    """The team's own word for the place: `admin` or `user`."""
    max_budget_micro_usd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A group of principals that is granted models, and billed, together."""

    id: str
    issuer: str | None = None
    """Name of the issuer whose tokens may claim it. None: the only issuer's."""
    alias: str = ""
    organization: str = ""
    models: tuple[str, ...] | None = None
    """A grant: names, wildcards, access groups. None and empty grant nothing; `*` grants all."""
    blocked: bool = False
    limit: Limit = NO_LIMIT
    members: Mapping[str, Membership] = field(default_factory=dict)
    model_aliases: Mapping[str, str] = field(default_factory=dict)
    """Names that mean another model for this team only."""
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or service that the directory knows."""

    id: str
    identities: tuple[tuple[str, str], ...] = ()
    """(issuer name, subject) pairs. Empty: known by `id` alone, for a single issuer and for sessions."""
    email: str = field(default="", repr=False)
    role: str = ""
    models: tuple[str, ...] | None = None
    """Without a team a grant (None grants nothing); beside a team a ceiling (None is no ceiling)."""
    teams: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    blocked: bool = False
    limit: Limit = NO_LIMIT
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A company or department that teams belong to."""

    id: str
    models: tuple[str, ...] | None = None
    """A ceiling: None is no ceiling, empty is nothing."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All rows of a directory at one moment."""

    organizations: tuple[Organization, ...] = ()
    teams: tuple[Team, ...] = ()
    users: tuple[User, ...] = ()
    end_users: tuple[EndUser, ...] = ()
