"""Draws whole companies and questions about them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from usherd.domain import Limit
from usherd.facts import EndUser, Organization, Team, User
from usherd.policy import AdminRule, Grant, MayGrant, Policy, RouteRules, TeamRules, UserRules
from worlds import CATALOGUE, CHAT, World, issuer, policy, role

DEPLOYMENT = "/openai/deployments/o1/chat/completions"
ROUTES = (CHAT, "/v1/models", "/key/generate", DEPLOYMENT, "/health/liveliness")
ROUTE_PATTERNS = (*ROUTES, "POST " + CHAT, "/v1/*", "/openai/deployments/{model}/chat/completions", "/*")
MODELS = ("gpt-4o", "gpt-4o-mini", "o1", "claude-3", "default", "gpt-4o-claude", "unheard-of")
MODEL_PATTERNS = (*MODELS, "gpt-*", "*", "openai/*", "access-group/fast", "cheap")
TEAMS = ("a", "b", "c")


def some(values: tuple[str, ...], most: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


# Wide lists come often: companies where everything is denied say little about what allows.
wide_routes = st.one_of(some(ROUTE_PATTERNS), st.just(("/*",)), st.just(("/v1/*", DEPLOYMENT)))
wide_models = st.one_of(some(MODEL_PATTERNS), st.just(("*",)), st.just(("gpt-*", "o1")))
grants = st.builds(Grant, routes=wide_routes, models=wide_models)
a_denial = st.builds(Grant, routes=some(ROUTE_PATTERNS, 1), models=some(MODEL_PATTERNS, 1))
denials = st.one_of(*[st.just(Grant())] * 4, a_denial)
ceilings = st.one_of(st.none(), wide_models)
rarely = st.sampled_from((False,) * 11 + (True,))
mostly = st.sampled_from((True,) * 5 + (False,))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    roles = tuple(
        role(f"role-{value}", value=value, grants=draw(grants), deny=draw(denials)) for value in ("Reader", "Writer")
    )
    may = MayGrant(admin=draw(st.booleans()), teams=draw(st.sampled_from([None, frozenset({"a", "b"})])))
    return policy(
        issuers=(issuer(may_grant=may),),
        roles=roles,
        admin=(AdminRule(issuer="idp", scopes=frozenset({"admin"}), routes=draw(some(ROUTE_PATTERNS))),),
        users=UserRules(routes=draw(wide_routes)),
        teams=TeamRules(
            required=draw(st.sampled_from(["none", "none", "none", "none", "claim", "any"])),
            default=draw(st.sampled_from([None, "c"])),
            routes=draw(wide_routes),
            priority=draw(some(TEAMS)),
        ),
        routes=RouteRules(
            public=("/health/liveliness",),
            admin_only=draw(some(("/key/generate",))),
            model_required=(CHAT,),
            model_templates=("/openai/deployments/{model}/chat/completions",),
        ),
        models=CATALOGUE,
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
            limit=draw(st.sampled_from([Limit(), Limit(rpm=1)])),
            model_aliases=draw(st.sampled_from([{}, {"default": "o1"}])),
        )
        for name in draw(some(TEAMS))
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    return World(
        policy=draw(policies()),
        teams=draw(teams()),
        users=draw(st.sampled_from([(), (1,)]))
        and (
            User(
                id="alice", models=draw(ceilings), blocked=draw(rarely), role=draw(st.sampled_from(["", "proxy_admin"]))
            ),
        ),
        organizations=draw(st.sampled_from([(), (1,)]))
        and (Organization(id="acme", models=draw(ceilings), blocked=draw(rarely)),),
        end_users=draw(st.sampled_from([(), (1,)])) and (EndUser(id="customer", blocked=draw(rarely)),),
    )


@st.composite
def askings(draw: st.DrawFn) -> dict[str, Any]:
    """Keyword arguments of `World.question`."""
    claims: dict[str, Any] = {}
    for name, present, values in (
        ("roles", mostly, [["Reader"], ["Writer"], ["Reader", "Writer"], "Reader"]),
        ("scope", st.booleans(), ["admin", "openid"]),
        ("groups", st.booleans(), [["a"], ["b", "a"], ["c", "b", "a"], ["unknown", "b"]]),
        ("team", rarely, ["c"]),
        ("team_alias", rarely, ["Alpha"]),
        ("org", rarely, ["acme", "acme", "nowhere"]),
        ("customer", rarely, ["customer"]),
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
    }
    if draw(rarely):
        asked["team_id"] = draw(st.sampled_from(["a", "b"]))
    elif draw(rarely):
        asked["team_alias"] = draw(st.sampled_from(["Alpha", "b"]))
    return asked
