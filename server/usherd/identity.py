"""Who asks: what `identify/` makes of a genuine token and the directory, and `permit/` reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from usherd.domain import PrincipalKind
from usherd.facts import EndUser, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a genuine token alone says under one policy. A pure function of its claims."""

    kind: PrincipalKind
    issuer: str
    """Name of the issuer in the policy."""
    iss: str
    subject: str
    client: str
    user: str
    """The value of the user claim, by which the directory knows the holder. Empty: none."""
    email: str = field(repr=False)
    scopes: tuple[str, ...]
    roles: tuple[int, ...]
    """The roles held, as places in `Policy.roles`, ascending."""
    role_names: tuple[str, ...]
    admin: bool
    """Administrator by scope, or by the session's role. The directory may add its own."""
    may_be_admin: bool
    """Whether the issuer may grant administration at all."""
    team_ids: tuple[str, ...]
    """Teams that the token names by id and the issuer may grant, in the order of choice, each once."""
    team_alias: str
    """The team that the token names by alias. Empty: none."""
    teams_allowed: frozenset[str] | None
    """Teams that the issuer may grant; None: all."""
    organization: str
    """The organization that the token names. Empty: none."""
    organization_allowed: bool
    """Whether the issuer may grant that organization."""
    end_user: str
    claims: tuple[tuple[str, str], ...] = field(repr=False)
    """(name, JSON text) of the claims that answers pass on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A profile, and what the directory knows of its holder."""

    profile: Profile
    user: User | None
    is_admin: bool
    team_ids: tuple[str, ...]
    """Teams to try, in the order of choice: the wished one first, if the token has it."""
    wish_refused: bool
    """The wished team is not one that the token can act for, or an alias did not name one team."""
    end_user_id: str
    end_user: EndUser | None
