"""Draws whole companies and questions about them."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import strategies as st

from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Membership, Organization, Team, User
from usherd.options import LITELLM, OPTIONS, STRICT, Options, with_values
from usherd.policy import (
    INTERNAL_USER,
    PROXY_ADMIN,
    TEAM,
    AdminRule,
    BudgetRules,
    Grant,
    InternalRoleRules,
    MayGrant,
    Policy,
    ProvisionRules,
    RoleMapping,
    RolePermission,
    RouteRules,
    ScopeMapping,
    ScopeRules,
    TeamRules,
    UserRules,
)
from worlds import CATALOGUE, CHAT, Recorder, World, issuer, policy, role

DEPLOYMENT = "/openai/deployments/o1/chat/completions"
ROUTES = (CHAT, "/v1/models", "/key/generate", DEPLOYMENT, "/health/liveliness")
ROUTE_PATTERNS = (*ROUTES, "POST " + CHAT, "/v1/*", "/openai/deployments/{model}/chat/completions", "/*")
MODELS = ("gpt-4o", "gpt-4o-mini", "o1", "claude-3", "default", "gpt-4o-claude", "unheard-of")
MODEL_PATTERNS = (*MODELS, "gpt-*", "*", "openai/*", "access-group/fast", "cheap")
TEAMS = ("a", "b", "c")


def some(values: tuple[str, ...], most: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    # One draw for the whole subset: a list would take one for each element, and more to say where it ends.
    return st.sampled_from([each for size in range(most + 1) for each in combinations(values, size)])


# Wide lists come often: companies where everything is denied say little about what allows.
wide_routes = st.one_of(some(ROUTE_PATTERNS), st.just(("/*",)), st.just(("/v1/*", DEPLOYMENT)))
wide_models = st.one_of(some(MODEL_PATTERNS), st.just(("*",)), st.just(("gpt-*", "o1")))
grants = st.builds(Grant, routes=wide_routes, models=wide_models)
a_denial = st.builds(Grant, routes=some(ROUTE_PATTERNS, 1), models=some(MODEL_PATTERNS, 1))
denials = st.one_of(*[st.just(Grant())] * 4, a_denial)
ceilings = st.one_of(st.none(), wide_models)
rarely = st.sampled_from((False,) * 11 + (True,))
mostly = st.sampled_from((True,) * 5 + (False,))


def _mixture(bits: int) -> Options:
    return with_values(STRICT, {info.name: info.values[bits >> place & 1] for place, info in enumerate(OPTIONS)})


# Each option at either value, from one number: it shrinks towards strict, and is drawn at once.
mixtures = st.integers(0, 2 ** len(OPTIONS) - 1).map(_mixture)
options = st.one_of(*[st.just(STRICT)] * 4, st.just(LITELLM), mixtures)


@st.composite
def internal_roles(draw: st.DrawFn) -> InternalRoleRules:
    if draw(mostly):
        return InternalRoleRules()
    mapped = draw(st.permutations([("svc.team", TEAM), ("svc.user", INTERNAL_USER), ("svc.admin", PROXY_ADMIN)]))
    return InternalRoleRules(
        enforce=draw(st.booleans()),
        enforce_id=draw(rarely),
        mappings=tuple(RoleMapping(issuer="idp", role=name, internal_role=role) for name, role in mapped),
        permissions=tuple(
            RolePermission(
                role=name,
                models=draw(st.one_of(st.none(), wide_models)),
                routes=draw(st.one_of(st.none(), wide_routes)),
            )
            for name in draw(some((TEAM, INTERNAL_USER, PROXY_ADMIN)))
        ),
    )


@st.composite
def scope_rules(draw: st.DrawFn) -> ScopeRules:
    if draw(mostly):
        return ScopeRules()
    return ScopeRules(
        enforce=True,
        mappings=tuple(
            ScopeMapping(
                issuer="idp", scope=scope, models=draw(wide_models), routes=draw(st.one_of(st.none(), wide_routes))
            )
            for scope in ("openid", "models.read")
        ),
    )


provisions = st.one_of(
    st.none(),
    st.none(),
    st.just(ProvisionRules(teams=True, scopes=frozenset({"openid"}))),
    st.just(ProvisionRules(always=True)),
)


@st.composite
def policies(draw: st.DrawFn, chosen: st.SearchStrategy[Options] = options) -> Policy:
    roles = tuple(
        role(f"role-{value}", value=value, grants=draw(grants), deny=draw(denials)) for value in ("Reader", "Writer")
    )
    may = MayGrant(admin=draw(st.booleans()), teams=draw(st.sampled_from([None, frozenset({"a", "b"})])))
    return policy(
        issuers=(issuer(may_grant=may),),
        roles=roles,
        admin=(AdminRule(issuer="idp", scopes=frozenset({"admin"}), routes=draw(some(ROUTE_PATTERNS))),),
        internal_roles=draw(internal_roles()),
        scopes=draw(scope_rules()),
        users=UserRules(
            routes=draw(wide_routes),
            allowed_roles=draw(st.sampled_from([frozenset[str](), frozenset({"app.user"})])),
            email_domains=draw(st.sampled_from([frozenset[str]()] * 5 + [frozenset({"corp.example"})])),
            role_map=draw(st.sampled_from([(), (("svc.*", "internal_user_viewer"),)])),
            role_routes={"internal_user_viewer": ("/v1/models",)},
            provision=draw(provisions),
            sync_teams=draw(rarely),
        ),
        teams=TeamRules(
            required=draw(st.sampled_from(["none", "none", "none", "none", "claim", "any"])),
            default=draw(st.sampled_from([None, "c"])),
            routes=draw(wide_routes),
            priority=draw(some(TEAMS)),
            from_directory=draw(st.sampled_from(["never", "never", "single", "all"])),
            unknown_falls_back=draw(st.booleans()),
            provision=draw(provisions),
        ),
        routes=RouteRules(
            public=("/health/liveliness",),
            admin_only=draw(some(("/key/generate",))),
            model_required=(CHAT, "/openai/deployments/{model}/chat/completions"),
            model_templates=("/openai/deployments/{model}/chat/completions",),
            llm=(CHAT, "/v1/models"),
            end_user_required=draw(rarely),
        ),
        budgets=BudgetRules(global_max_micro_usd=draw(st.sampled_from([None, None, None, 10]))),
        models=CATALOGUE,
        options=draw(chosen),
    )


limits = st.sampled_from([Limit(), Limit(), Limit(rpm=1), Limit(max_budget_micro_usd=10)])
OWNERS = (
    BudgetOwner(BudgetKind.GLOBAL),
    BudgetOwner(BudgetKind.TEAM, "a"),
    BudgetOwner(BudgetKind.TEAM, "b"),
    BudgetOwner(BudgetKind.USER, "alice"),
    BudgetOwner(BudgetKind.MEMBER, "alice", "a"),
    BudgetOwner(BudgetKind.ORGANIZATION, "acme"),
    BudgetOwner(BudgetKind.END_USER, "customer"),
)


@st.composite
def usages(draw: st.DrawFn) -> tuple[tuple[BudgetOwner, int], ...]:
    """Spend of some owners, below, at or beyond the maximum of 10 micro-USD that all budgets here have."""
    if draw(mostly):
        return ()
    return tuple(
        (owner, draw(st.sampled_from([5, 10, 11]))) for owner in draw(st.lists(st.sampled_from(OWNERS), max_size=2))
    )


@st.composite
def teams(draw: st.DrawFn) -> tuple[Team, ...]:
    return tuple(
        Team(
            id=name,
            alias=draw(st.sampled_from(["", "Alpha", f"Alias {name}"])),
            organization=draw(st.sampled_from(["", "", "", "acme", "acme", "nowhere"])),
            models=draw(ceilings),
            blocked=draw(rarely),
            limit=draw(limits),
            members=draw(st.sampled_from([{}, {"alice": Membership(max_budget_micro_usd=10)}])),
            guardrails_modifiable=draw(mostly),
            model_aliases=draw(st.sampled_from([{}, {"default": "o1"}])),
        )
        for name in draw(some(TEAMS))
    )


@st.composite
def worlds(draw: st.DrawFn, chosen: st.SearchStrategy[Options] = options) -> World:
    return World(
        policy=draw(policies(chosen)),
        teams=draw(teams()),
        users=draw(st.sampled_from([(), (1,)]))
        and (
            User(
                id="alice",
                sso_ids=draw(st.sampled_from([(), ("alice-sso",)])),
                email="alice@corp.example",
                models=draw(ceilings),
                teams=draw(some(TEAMS)),
                organizations=("acme",),
                administers=draw(st.sampled_from([(), ("acme",)])),
                blocked=draw(rarely),
                role=draw(st.sampled_from(["", "proxy_admin"])),
                limit=draw(limits),
            ),
        ),
        organizations=draw(st.sampled_from([(), (1,)]))
        and (Organization(id="acme", alias="Acme", models=draw(ceilings), blocked=draw(rarely), limit=draw(limits)),),
        end_users=draw(st.sampled_from([(), (1,)]))
        and (EndUser(id="customer", blocked=draw(rarely), limit=draw(limits)),),
        usage=draw(usages()),
        provisioning=Recorder(),
    )


@st.composite
def askings(draw: st.DrawFn) -> dict[str, Any]:
    """Keyword arguments of `World.question`."""
    claims: dict[str, Any] = {}
    for name, present, values in (
        ("roles", mostly, [["Reader"], ["Writer"], ["Reader", "Writer"], "Reader"]),
        ("scope", st.booleans(), ["admin", "openid", "models.read openid"]),
        ("groups", st.booleans(), [["a"], ["b", "a"], ["c", "b", "a"], ["unknown", "b"]]),
        ("team", rarely, ["c"]),
        ("team_alias", rarely, ["Alpha"]),
        ("org", rarely, ["acme", "acme", "nowhere"]),
        ("customer", rarely, ["customer"]),
        ("approles", rarely, [["svc.team"], ["svc.user", "svc.admin"], "svc.team"]),
        ("uroles", rarely, [["app.user"]]),
        ("oid", rarely, ["a", "alice", "unknown"]),
        ("org_alias", rarely, ["Acme", "Nobody"]),
        ("email", rarely, ["alice@corp.example", "mallory@evil.example"]),
        ("sub", rarely, ["alice-sso", "stranger"]),
    ):
        if draw(present):
            claims[name] = draw(st.sampled_from(values))
    asked: dict[str, Any] = {
        "claims": claims,
        "route": draw(st.sampled_from((CHAT, CHAT, CHAT, DEPLOYMENT, *ROUTES))),
        "method": draw(st.sampled_from(["", "POST", "GET"])),
        "model": draw(st.sampled_from(("gpt-4o", None, *MODELS))),
        "fallback_models": draw(some(MODELS, 2)) if draw(rarely) else (),
        "end_user_id": draw(st.sampled_from(["", "customer"])),
        "organization_id": draw(st.sampled_from(["", "", "", "", "", "acme"])),
        "modifies_guardrails": draw(rarely),
    }
    if draw(rarely):
        asked["team_id"] = draw(st.sampled_from(["a", "b"]))
    elif draw(rarely):
        asked["team_alias"] = draw(st.sampled_from(["Alpha", "b"]))
    return asked
