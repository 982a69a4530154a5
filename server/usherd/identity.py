"""Who asks: what `identify/` makes of a genuine token and the directory, and `permit/` reads."""

from __future__ import annotations

from typing import NamedTuple

from usherd.domain import PrincipalKind
from usherd.facts import EndUser, User


class Profile(NamedTuple):
    """What a genuine token alone says under one policy. A pure function of its claims.

    A tuple, as questions are: a frozen dataclass of so many fields takes five times as long to make.
    """

    kind: PrincipalKind
    issuer: str
    """Name of the issuer in the policy."""
    iss: str
    subject: str
    client: str
    user: str
    """What the directory knows the holder by: the user claim, an object id, or an address. Empty: nothing."""
    email: str
    scopes: tuple[str, ...]
    roles: tuple[int, ...]
    """The named roles held, as places in `Policy.roles`, ascending."""
    role_names: tuple[str, ...]
    admin: bool
    """Administrator by scope, or by the session's role. The directory and mappings may add their own."""
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
    end_user: str
    claims: tuple[tuple[str, str], ...]
    """(name, JSON text) of the claims that answers pass on."""
    names_user: bool = False
    """Whether the user claim is there at all, if only empty."""
    email_accepted: bool = True
    """Whether there is an address of an accepted domain; True without such a rule."""
    email_domain: str = ""
    """The domain of the address; empty for what is no address of a mailbox."""
    email_verified: bool = False
    """Whether the issuer says that the address is verified."""
    mapped_roles: tuple[str, ...] = ()
    """Internal roles by role mappings, in the order of the configuration."""
    has_user_role: bool = False
    """Whether one of the user roles makes an internal user."""
    directory_role: str = ""
    """The directory role that `users.role_map` gives. Empty: none."""
    tells_roles: bool = False
    """Whether the issuer's tokens have a claim for roles, if this one does not."""
    single_team: str = ""
    """The one of them that the single team claim or an object id names. Empty: none."""
    names_team: bool = False
    """Whether the single team claim is there at all, if only empty."""
    names_groups: bool = False
    """Whether the claim of teams names anything, if only what cannot be read."""
    team_by_object: bool = False
    """Whether the single team is an object id."""
    organization_alias: str = ""
    """The organization that the token names by alias, where it names none by id. Empty: none."""
    organizations_allowed: frozenset[str] | None = None
    """Organizations that the issuer may grant; None: all."""
    roles_of_other_kinds: tuple[str, ...] = ()
    """Where it holds no named role: those that it would hold if it were of another kind."""
    is_own_session: bool = False
    """Whether it is a session that usherd made, for a user of the directory."""

    def __repr__(self) -> str:
        return f"Profile(kind={self.kind.name}, issuer={self.issuer!r}, roles={self.role_names!r}, ...)"


class Identity(NamedTuple):
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
    directory_role: str = ""
    """The holder's role in the directory, or the one that the provider's roles map to. Empty: none, or it is not
    honoured."""
    at_once: bool = False
    """An administrator who is answered without being looked up."""
    taken_as_is: bool = False
    """Whether the first of them is the team, whatever it may do (`team.choice`)."""
    teams_from_directory: bool = False
    """Whether the teams to try are the user's own, and not the token's."""
