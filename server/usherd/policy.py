"""What has been decided beforehand: frozen values that `config/` makes once and the core only reads.

Names of route groups are expanded here already; every list means exactly what it says (an empty grant grants nothing,
unless `lists.empty: all` makes a team's or user's everything). `digest` values cover everything that the value is made
of, secrets included, so that two policies with one digest answer alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from usherd.domain import PrincipalKind
from usherd.options import STRICT, Options

ClaimPath = tuple[str | int, ...]
"""The steps from the claims object to a value: member names, and list indexes from 0."""

ALL: None = None
"""In `MayGrant`: no restriction, which the configuration writes as `all`."""


ANY_ISSUER = "*"
"""Stands for every value of `iss`, and for none. There can be one issuer of that kind, and no other beside it."""

PROXY_ADMIN, TEAM, INTERNAL_USER = "proxy_admin", "team", "internal_user"
"""The internal roles: what the reference makes of a token before it looks anything up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """When a token of one issuer is genuine (RFC 8725)."""

    issuer: str
    """The exact value of `iss`; `ANY_ISSUER` where tokens of any issuer, or of none, are taken."""
    audiences: frozenset[str] | None
    """At least one of them must be in `aud`. Never empty; None: not looked at (only where the options allow it)."""
    algorithms: frozenset[str]
    """JWS algorithm names that this issuer may use. Never empty, never `none` or HS*."""
    leeway: float = 30.0
    """Seconds of clock difference that are forgiven, 0 to 300."""
    max_lifetime: float | None = 86400.0
    """The longest `exp - iat` (without `iat`: `exp - now`), in seconds; None: any."""
    require_expiry: bool = True
    """Whether a token without `exp` is refused. If it is not, `max_lifetime` counts from `iat`."""
    other_kinds_refused: bool = True
    """Whether `typ`, and `cnf` without a proof, are looked at. `types` and `forbidden_claims` count only then."""
    types: frozenset[str] = frozenset({"", "jwt", "at+jwt"})
    """Accepted header `typ`, lower case, without `application/`; empty string: absent."""
    required_claims: tuple[tuple[str, ClaimPath, frozenset[str]], ...] = ()
    """(name as written, path, accepted values): the claim, or one element of it if it is a list, is one of them."""
    forbidden_claims: frozenset[str] = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events"})
    """Top-level claims that only other kinds of tokens have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectionRules:
    """An issuer without keys, which is asked about its tokens (RFC 7662). The answer's members are the claims."""

    opaque_prefixes: tuple[str, ...] = ()
    """Which tokens that are no JWS are its own: those that begin so; the empty text: all. No two issuers can both take
    one."""
    may_lack: frozenset[str] = frozenset()
    """Of `aud` and `exp`, those that answers may lack. Where they are, they count as in a JWT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPaths:
    """Where the words of one issuer are. None or empty: this issuer has no such word."""

    user: ClaimPath | None = ("sub",)
    email: ClaimPath | None = ("email",)
    team: ClaimPath | None = None
    team_alias: ClaimPath | None = None
    teams: ClaimPath | None = None
    organization: ClaimPath | None = None
    organization_alias: ClaimPath | None = None
    end_user: ClaimPath | None = None
    roles: ClaimPath | None = None
    """Roles of the provider, for role mappings and for `users.role_map`."""
    user_roles: ClaimPath | None = None
    """Roles of the provider, for `users.allowed_roles`."""
    object: ClaimPath | None = None
    """The id of a team or user, whichever the token's internal role says."""
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
    introspection: IntrospectionRules | None = None
    """None: its tokens are verified by its keys."""
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
class RoleMapping:
    """One role of the provider that means an internal role."""

    issuer: str
    """Name of the issuer whose tokens it is for."""
    role: str
    """The exact value in `ClaimPaths.roles`."""
    internal_role: str
    """`PROXY_ADMIN`, `TEAM` or `INTERNAL_USER`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePermission:
    """What holders of an internal role may do at most; and, for those who hold it by a mapping, what it grants."""

    role: str
    models: tuple[str, ...] | None
    """None: no restriction. Empty: no model."""
    routes: tuple[str, ...] | None
    """None: no restriction. Empty: no route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalRoleRules:
    """The internal roles: who holds them, and what they permit."""

    enforce: bool = False
    """Whether a token must hold one, and may do no more than its permissions say."""
    enforce_id: bool = False
    """Whether a token must name a user or a team. With `access.enforce_rbac_id: one_switch`, `enforce` says it, too."""
    mappings: tuple[RoleMapping, ...] = ()
    permissions: tuple[RolePermission, ...] = ()
    """At most one for each role counts: the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeMapping:
    """What a scope permits."""

    issuer: str
    scope: str
    models: tuple[str, ...] = ()
    routes: tuple[str, ...] | None = None
    """None: whatever routes are granted otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRules:
    """Scopes that permit models and routes: every model asked for must be one of theirs."""

    enforce: bool = False
    mappings: tuple[ScopeMapping, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionRules:
    """When an unknown user or team is written to the directory, and with what. Being written entitles to nothing."""

    roles: frozenset[str] = frozenset()
    """One of these named roles, held by the token, is enough."""
    scopes: frozenset[str] = frozenset()
    """One of these scopes is enough."""
    teams: bool = False
    """An existing team, named by the token, is enough."""
    email_domains: frozenset[str] = frozenset()
    """A verified address of one of these domains is enough."""
    always: bool = False
    """Nothing of all this is asked for (only where the options allow it)."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """Values of the new row: `models`, `max_budget_micro_usd`, `role`, `teams`."""
    per_minute: int = 600
    """Rows written in a minute at most, by one process; beyond it there is no answer (RESOURCE_EXHAUSTED)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRules:
    """What users may do, and what makes one."""

    routes: tuple[str, ...] = ()
    """What users of the directory may call with the models of their row."""
    allowed_roles: frozenset[str] = frozenset()
    """One of these in `ClaimPaths.user_roles` gives the internal role `INTERNAL_USER`."""
    email_domains: frozenset[str] = frozenset()
    """Domains that an address must be of, compared exactly. Empty: any."""
    role_map: tuple[tuple[str, str], ...] = ()
    """(pattern for `ClaimPaths.roles`, directory role): the first that fits gives the directory role."""
    role_routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What a directory role adds to `routes`, without a model."""
    provision: ProvisionRules | None = None
    sync_roles: bool = False
    """Whether the mapped directory role is written to the user's row when it differs."""
    sync_teams: bool = False
    """Whether the token's existing teams are written to the user's row when they differ."""

    @property
    def given_roles(self) -> frozenset[str]:
        """The directory roles that a provider's roles can give."""
        return frozenset(role for _, role in self.role_map)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRules:
    """Whether exhausted budgets deny. Spend is counted by the store; the boundary is an option."""

    enforce: bool = True
    global_max_micro_usd: int | None = None
    """What everyone may spend together in a period; None or 0: no such budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamRules:
    """How a team is chosen, and which routes it opens."""

    required: str = "none"
    """`none`; `claim`: the token must name an existing team (with `team.choice: reference`, any team); `any`: a default
    team will do."""
    default: str | None = None
    """Gives limits and attribution to tokens without a team. It entitles to nothing, unless `team.default_entitles`."""
    routes: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    """Team ids in the order in which they are tried; all others follow, by id in code-point order."""
    from_directory: str = "never"
    """Whether a token without teams acts for the user's teams in the directory: `never`, `single` (if there is just
    one), `all`."""
    unknown_falls_back: bool = False
    """Whether teams that the token names and the directory lacks count as not named, for `from_directory`."""
    provision: ProvisionRules | None = None
    """For a single team that the token names and the directory lacks."""

    @property
    def places(self) -> dict[str, int]:
        """The place of each team of `priority`, from 0."""
        return {team: place for place, team in enumerate(self.priority)}


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
    llm: tuple[str, ...] = ()
    """Routes of the language models: what the global budget and a required end user are about."""
    llm_within: tuple[str, ...] = ()
    """Texts: every route that has one of them anywhere in it is one of these, too."""
    organization_admin: tuple[str, ...] = ()
    """Routes for administrators of the organization that the request acts on."""
    end_user_required: bool = False
    """Whether requests to `llm` routes must name an end user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """One model that the gateway offers."""

    name: str
    """A name, or a pattern with `*` for all models that it fits."""
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
class OwnSessionRules:
    """User-interface sessions that usherd makes and signs itself."""

    issuer: str = "usherd"
    """The claim `iss` of their tokens, which no issuer has."""
    audience: str = "usherd-ui"
    """The claim `aud` of their tokens."""
    lifetime: float = 86400.0
    """Seconds that one lasts at most."""
    premium: bool = False
    auth_header_name: str = "Authorization"
    personal_keys_disabled: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that was decided beforehand. One question is answered under one policy."""

    issuers: tuple[IssuerPolicy, ...]
    roles: tuple[Role, ...] = ()
    admin: tuple[AdminRule, ...] = ()
    internal_roles: InternalRoleRules = InternalRoleRules()
    scopes: ScopeRules = ScopeRules()
    users: UserRules = UserRules()
    teams: TeamRules = TeamRules()
    routes: RouteRules = RouteRules()
    budgets: BudgetRules = BudgetRules()
    models: tuple[CatalogueModel, ...] = ()
    model_aliases: Mapping[str, str] = field(default_factory=dict)
    """Names that mean another model, besides the aliases of the catalogue; followed once."""
    options: Options = STRICT
    preset: str = "strict"
    """The table that the options were taken from."""
    session: SessionRules | None = None
    own_sessions: OwnSessionRules | None = None
    """None: usherd makes no sessions, and takes none for its own."""
    session_admin_routes: tuple[str, ...] = ()
    """What a session of a proxy_admin opens."""
    session_routes: tuple[str, ...] = ()
    """What every session opens, without a model."""
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
