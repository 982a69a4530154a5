"""What has been decided beforehand: frozen values that `config/` makes once and the core only reads.

Names of route groups are expanded here already; every list means exactly what it says (an empty grant grants
nothing). `digest` values cover everything that the value is made of, secrets included, so that two policies with
one digest answer alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from usherd.domain import PrincipalKind

ClaimPath = tuple[str | int, ...]
"""The steps from the claims object to a value: member names, and list indexes from 0."""

ALL: None = None
"""In `MayGrant`: no restriction, which the configuration writes as `all`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """When a token of one issuer is genuine (RFC 8725)."""

    issuer: str
    """The exact value of `iss`."""
    audiences: frozenset[str]
    """At least one of them must be in `aud`. Never empty."""
    algorithms: frozenset[str]
    """JWS algorithm names that this issuer may use. Never empty, never `none` or HS*."""
    leeway: float = 30.0
    """Seconds of clock difference that are forgiven, 0 to 300."""
    max_lifetime: float = 86400.0
    """The longest `exp - iat` (without `iat`: `exp - now`), in seconds."""
    types: frozenset[str] = frozenset({"", "jwt", "at+jwt"})
    """Accepted header `typ`, lower case, without `application/`; empty string: absent."""
    required_claims: tuple[tuple[str, ClaimPath, frozenset[str]], ...] = ()
    """(name as written, path, accepted values): the claim, or one element of it if it is a list, is one of them."""
    forbidden_claims: frozenset[str] = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events"})
    """Top-level claims that only other kinds of tokens have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPaths:
    """Where the words of one issuer are. None or empty: this issuer has no such word."""

    user: ClaimPath | None = ("sub",)
    email: ClaimPath | None = ("email",)
    team: ClaimPath | None = None
    team_alias: ClaimPath | None = None
    teams: ClaimPath | None = None
    organization: ClaimPath | None = None
    end_user: ClaimPath | None = None
    scopes: tuple[ClaimPath, ...] = (("scope",), ("scp",))
    """Read all and added up; a string here is separated by spaces (RFC 6749, section 3.3)."""
    client: tuple[ClaimPath, ...] = (("azp",), ("appid",), ("client_id",))
    """The first that is present counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MayGrant:
    """What an issuer's tokens can ever be worth here, whatever they say."""

    admin: bool = False
    roles: frozenset[str] | None = ALL
    teams: frozenset[str] | None = ALL
    organizations: frozenset[str] | None = ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerPolicy:
    """One issuer: when its tokens are genuine, where its words are, what it may grant."""

    name: str
    token: TokenRules
    claims: ClaimPaths = ClaimPaths()
    may_grant: MayGrant = MayGrant()
    service_when: tuple[tuple[ClaimPath, tuple[str, ...]], ...] | None = None
    """A token that meets all of these is a service's. None: the well-known shapes (`identify/kind.py`)."""
    answer_claims: tuple[tuple[str, ClaimPath], ...] = ()
    """(name as written, path) of the claims that answers pass on to the gateway."""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Routes and models that go together: a request passes by one grant that covers both."""

    routes: tuple[str, ...] = ()
    """Paths, templates (`{x}` is one segment), a trailing `/*`; each may begin with a method and a space."""
    models: tuple[str, ...] = ()
    """Names, `*` wildcards, `access-group/NAME`. Empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A named role: which tokens hold it, and what it grants and denies."""

    name: str
    issuer: str
    """Name of the issuer whose tokens can hold it."""
    when: tuple[tuple[str, ClaimPath, tuple[str, ...]], ...]
    """(claim as written, path, patterns): each claim must have a value that one of its patterns fits. Never empty."""
    kinds: frozenset[PrincipalKind] = frozenset({PrincipalKind.USER, PrincipalKind.SERVICE, PrincipalKind.SESSION})
    grants: Grant = Grant()
    deny: Grant = Grant()
    """A route or a model that matches is denied to the holder, whatever grants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminRule:
    """Who is an administrator, and what that opens. Administrators may call every model on these routes."""

    issuer: str
    scopes: frozenset[str]
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamRules:
    """How a team is chosen, and which routes it opens."""

    required: str = "none"
    """`none`; `claim`: the token must name an existing team; `any`: a default team will do."""
    default: str | None = None
    """Gives limits and attribution to tokens without a team. It never entitles."""
    routes: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    """Team ids in the order in which they are tried; all others follow, by id in code-point order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRules:
    """Rules about routes that hold for everyone."""

    public: tuple[str, ...] = ()
    """Allowed for nobody in particular, without looking at the token."""
    allowed: tuple[str, ...] | None = None
    """If set, nothing else is allowed to anyone."""
    admin_only: tuple[str, ...] = ()
    model_required: tuple[str, ...] = ()
    """Routes that mean nothing without a model."""
    model_templates: tuple[str, ...] = ()
    """Templates with a `{model}` (one segment) or `{model:path}`: the model that the URL names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """One model that the gateway offers."""

    name: str
    provider: str = ""
    groups: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """LiteLLM's user-interface sessions: HS256 over the master key. Only under `insecure.session_master_key`."""

    secret: bytes = field(repr=False)
    max_lifetime: float = 86400.0
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that was decided beforehand. One question is answered under one policy."""

    issuers: tuple[IssuerPolicy, ...]
    roles: tuple[Role, ...] = ()
    admin: tuple[AdminRule, ...] = ()
    user_routes: tuple[str, ...] = ()
    teams: TeamRules = TeamRules()
    routes: RouteRules = RouteRules()
    models: tuple[CatalogueModel, ...] = ()
    session: SessionRules | None = None
    session_admin_routes: tuple[str, ...] = ()
    """What a session of a proxy_admin opens."""
    token_max_size: int = 8192
    """Bytes, 512 to 65,536."""
    keep_answers_for: float = 60.0
    """Seconds: the bound on `valid_until`."""
    digest: str = ""
    warnings: tuple[str, ...] = ()
    """What is laxer than strict, in words for an operator."""

    def issuers_by_iss(self) -> Mapping[str, IssuerPolicy]:
        """The static table from the exact `iss` to the issuer. Nothing else chooses keys, audiences or mappings."""
        return {issuer.token.issuer: issuer for issuer in self.issuers}
