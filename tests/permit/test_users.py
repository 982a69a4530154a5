"""Users: how they are found, when they must be known, which addresses are theirs, what binds them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keyring import NOW, session_token
from usherd.facts import EndUser, Organization, Team, User
from usherd.options import STRICT, with_values
from usherd.policy import MayGrant, RouteRules, ScopeMapping, ScopeRules, SessionRules, UserRules
from worlds import CHAT, SESSION_SECRET, World, issuer, policy

ALICE = User(id="u1", identities=(("idp", "alice"),), sso_ids=("sso-1",), email="alice@corp.example", models=("*",))
USERS = UserRules(routes=(CHAT, "/v1/models", "/user/info"))


def world(options: dict[str, Any] | None = None, **rows: Any) -> World:
    changes = {name: rows.pop(name) for name in list(rows) if name in ("users_rules", "routes", "issuers")}
    if "users_rules" in changes:
        changes["users"] = changes.pop("users_rules")
    return World(policy=policy(options=with_values(STRICT, options or {}), **changes), **({"users": (ALICE,)} | rows))


@pytest.mark.parametrize(
    ("options", "claims", "reason"),
    [
        ({}, {"sub": "alice"}, "ALLOWED"),
        ({}, {"sub": "sso-1"}, "NOT_ENTITLED"),
        ({"user.sso_match": "any"}, {"sub": "sso-1"}, "ALLOWED"),
        ({}, {"sub": "x", "email": "alice@corp.example"}, "NOT_ENTITLED"),
        ({"user.email_adoption": "on"}, {"sub": "x", "email": "alice@corp.example"}, "ALLOWED"),
        ({"user.email_adoption": "on"}, {"sub": "x", "email": "ALICE@corp.example"}, "NOT_ENTITLED"),
        ({"user.email_adoption": "on"}, {"sub": "x"}, "NOT_ENTITLED"),
        ({}, {"sub": ..., "email": "alice"}, "NOT_ENTITLED"),
        ({"user.email_as_id": True}, {"sub": ..., "email": "alice"}, "ALLOWED"),
        ({"user.email_as_id": True}, {"sub": "x", "email": "alice"}, "NOT_ENTITLED"),
    ],
)
def test_a_user_is_found_by_the_identity_and_by_nothing_else_unless_an_option_says_so(
    options: dict[str, Any], claims: dict[str, Any], reason: str
) -> None:
    assert world(options).reason(claims=claims) == reason


@pytest.mark.parametrize(("value", "user_id"), [("row", "u1"), ("claim", "alice")])
def test_the_user_in_answers_is_the_row_or_the_claim(value: str, user_id: str) -> None:
    principal = world({"user.effective_id": value}).ask().verdict.principal

    assert principal is not None
    assert principal.user_id == user_id


@pytest.mark.parametrize(
    ("value", "claims", "reason"),
    [
        ("unless_entitled", {"roles": "Reader", "sub": "x"}, "ALLOWED"),
        ("unless_entitled", {"sub": "x"}, "NOT_ENTITLED"),
        ("refused", {"roles": "Reader", "sub": "x"}, "USER_UNKNOWN"),
        ("refused", {"roles": "Reader", "sub": "alice"}, "ALLOWED"),
        ("refused", {"roles": "Reader", "sub": ...}, "ALLOWED"),
    ],
)
def test_an_unknown_user_is_refused_where_nothing_else_entitles_or_always(
    value: str, claims: dict[str, Any], reason: str
) -> None:
    assert world({"user.unknown": value}).reason(claims=claims) == reason


@pytest.mark.parametrize(
    ("options", "email", "verified", "reason"),
    [
        ({}, "a@corp.example", True, "ALLOWED"),
        ({}, "a@corp.example", ..., "ALLOWED"),
        ({}, "a@corp.example", False, "CLAIM_INVALID"),
        ({}, "a@evil.example", True, "EMAIL_DOMAIN_NOT_ALLOWED"),
        ({}, "a@corp.example@evil.example", True, "EMAIL_DOMAIN_NOT_ALLOWED"),
        ({}, "a@evil.example@corp.example", True, "EMAIL_DOMAIN_NOT_ALLOWED"),
        ({}, "@corp.example", True, "EMAIL_DOMAIN_NOT_ALLOWED"),
        ({}, "corp.example", True, "EMAIL_DOMAIN_NOT_ALLOWED"),
        ({}, "a@CORP.example", True, "EMAIL_DOMAIN_NOT_ALLOWED"),
        ({}, "a@sub.corp.example", True, "EMAIL_DOMAIN_NOT_ALLOWED"),
        ({}, ..., ..., "EMAIL_DOMAIN_NOT_ALLOWED"),
        ({"user.email_domain": "no_provision"}, ..., ..., "ALLOWED"),
        ({"user.email_domain": "no_provision"}, "a@evil.example", True, "ALLOWED"),
        ({"user.email_domain": "no_provision"}, "a@corp.example", False, "ALLOWED"),
    ],
)
def test_an_address_of_another_domain_or_one_that_is_not_verified_is_refused(
    options: dict[str, Any], email: Any, verified: Any, reason: str
) -> None:
    rules = replace(USERS, email_domains=frozenset({"corp.example"}))

    assert world(options, users_rules=rules).reason(claims={"email": email, "email_verified": verified}) == reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [({"idtyp": "app"}, "ALLOWED"), ({"idtyp": "app", "email": "a@evil.example"}, "EMAIL_DOMAIN_NOT_ALLOWED")],
)
def test_a_service_needs_no_address(claims: dict[str, Any], reason: str) -> None:
    rules = replace(USERS, email_domains=frozenset({"corp.example"}))

    assert world(users_rules=rules).reason(claims=claims) == reason


@pytest.mark.parametrize(
    ("options", "blocked", "with_team", "reason"),
    [
        ({}, True, True, "USER_BLOCKED"),
        ({}, True, False, "USER_BLOCKED"),
        ({"user.blocked": "ignored"}, True, False, "ALLOWED"),
        ({"user.limits_with_team": "ignored"}, True, True, "ALLOWED"),
        ({"user.limits_with_team": "ignored"}, True, False, "USER_BLOCKED"),
        ({}, False, True, "ALLOWED"),
    ],
)
def test_a_blocked_user_is_refused(options: dict[str, Any], blocked: bool, with_team: bool, reason: str) -> None:
    asking = world(options, users=(replace(ALICE, blocked=blocked),), teams=(Team(id="a", models=("*",)),))

    assert asking.reason(claims={"groups": ["a"] if with_team else []}) == reason


@pytest.mark.parametrize(("value", "reason"), [("enforced", "MODEL_NOT_GRANTED"), ("ignored", "ALLOWED")])
def test_a_users_models_are_a_ceiling_beside_a_team(value: str, reason: str) -> None:
    asking = world(
        {"user.limits_with_team": value},
        users=(replace(ALICE, models=("o1",)),),
        teams=(Team(id="a", models=("*",)),),
    )

    assert asking.reason(claims={"groups": ["a"]}) == reason


@pytest.mark.parametrize(
    ("options", "end_user", "reason"),
    [
        ({}, EndUser(id="c", blocked=True), "END_USER_BLOCKED"),
        ({"end_user.blocked": "ignored"}, EndUser(id="c", blocked=True), "ALLOWED"),
        ({}, EndUser(id="c"), "ALLOWED"),
    ],
)
def test_a_blocked_end_user_is_refused(options: dict[str, Any], end_user: EndUser, reason: str) -> None:
    assert world(options, end_users=(end_user,)).reason(claims={"customer": "c"}) == reason


@pytest.mark.parametrize(
    ("value", "claims", "asked", "route", "reason"),
    [
        ("either", {}, "", CHAT, "END_USER_REQUIRED"),
        ("either", {"customer": "c"}, "", CHAT, "ALLOWED"),
        ("either", {}, "c", CHAT, "ALLOWED"),
        ("question", {"customer": "c"}, "", CHAT, "END_USER_REQUIRED"),
        ("question", {}, "c", CHAT, "ALLOWED"),
        ("either", {}, "", "/v1/models", "ALLOWED"),
    ],
)
def test_requests_to_language_models_name_an_end_user_where_that_is_required(
    value: str, claims: dict[str, Any], asked: str, route: str, reason: str
) -> None:
    asking = world({"end_user.required": value}, routes=RouteRules(llm=(CHAT,), end_user_required=True))

    assert asking.reason(claims=claims, end_user_id=asked, route=route) == reason


def test_an_end_user_is_not_required_unless_the_policy_says_so() -> None:
    assert world(routes=RouteRules(llm=(CHAT,))).reason() == "ALLOWED"


@pytest.mark.parametrize(
    ("value", "role", "may", "is_admin"),
    [
        ("honoured", "proxy_admin", True, True),
        ("honoured", "proxy_admin", False, False),
        ("honoured", "internal_user", True, False),
        ("ignored", "proxy_admin", True, False),
    ],
)
def test_the_directory_role_makes_an_administrator_where_the_issuer_may(
    value: str, role: str, may: bool, is_admin: bool
) -> None:
    asking = world(
        {"user.directory_role": value},
        users=(replace(ALICE, role=role),),
        issuers=(issuer(may_grant=MayGrant(admin=may)),),
    )

    principal = asking.ask().verdict.principal

    assert principal is not None
    assert principal.is_admin is is_admin
    assert principal.directory_role == (role if value == "honoured" else "")


def test_what_a_directory_role_adds_is_for_requests_without_a_model() -> None:
    rules = UserRules(routes=(CHAT,), role_routes={"internal_user": ("/spend/logs", "/v1/embeddings")})

    def reason(role: str, **asked: Any) -> str:
        return world(users_rules=rules, users=(replace(ALICE, role=role),)).reason(**asked)

    assert reason("internal_user", route="/spend/logs", model=None) == "ALLOWED"
    assert reason("internal_user", route="/v1/embeddings") == "MODEL_NOT_GRANTED"
    assert reason("", route="/spend/logs", model=None) == "ROUTE_NOT_GRANTED"


@pytest.mark.parametrize(
    ("held", "role"),
    [(["ai-admins"], "proxy_admin"), (["x", "ai-users"], "internal_user"), (["ai-users", "ai-admins"], "proxy_admin")],
)
def test_the_providers_roles_map_to_a_directory_role_in_the_order_of_the_policy(held: list[str], role: str) -> None:
    rules = replace(USERS, role_map=(("ai-admins", "proxy_admin"), ("ai-*", "internal_user")))

    principal = world(users_rules=rules).ask(claims={"approles": held}).verdict.principal

    assert principal is not None
    assert principal.directory_role == role


@pytest.mark.parametrize(("value", "reason"), [("enforced", "ROUTE_DENIED"), ("unchecked", "ALLOWED")])
def test_routes_for_administrators_bind_everyone_else_whatever_grants_them(value: str, reason: str) -> None:
    asking = world(
        {"user.routes": value},
        users_rules=UserRules(routes=("/key/generate",)),
        routes=RouteRules(admin_only=("/key/generate",)),
    )

    assert asking.reason(route="/key/generate", model=None) == reason


@pytest.mark.parametrize(("value", "user", "is_admin"), [("session", "u1", False), ("claims", "sso-1", True)])
def test_a_session_has_its_own_words_or_those_of_an_issuers_tokens(value: str, user: str, is_admin: bool) -> None:
    payload = {
        "iss": "litellm-proxy",
        "aud": "litellm-ui",
        "exp": int(NOW) + 600,
        "user_id": "u1",
        "user_role": "proxy_admin_viewer",
        "sub": "sso-1",
        "scope": ["admin"],
    }
    chosen = policy(
        session=SessionRules(secret=SESSION_SECRET), options=with_values(STRICT, {"session.identity": value})
    )
    asking = World(policy=chosen, users=(ALICE, User(id="sso-1")))

    principal = asking.ask(token=session_token(payload, SESSION_SECRET)).verdict.principal

    assert principal is not None
    assert (principal.user_id, principal.is_admin) == (user, is_admin)


def session(**claims: Any) -> str:
    payload = {"iss": "litellm-proxy", "aud": "litellm-ui", "exp": int(NOW) + 600, "user_id": "u1"}
    return session_token(payload | claims, SESSION_SECRET)


@pytest.mark.parametrize(("value", "refused"), [("session", False), ("claims", True)])
def test_what_is_asked_of_a_providers_tokens_is_not_asked_of_sessions(value: str, refused: bool) -> None:
    async def nobody(_claims: object) -> bool:
        return False

    base = policy(session=SessionRules(secret=SESSION_SECRET), options=with_values(STRICT, {"session.identity": value}))
    strict_about = {
        "team": replace(base, teams=replace(base.teams, required="claim")),
        "scopes": replace(base, scopes=ScopeRules(enforce=True, mappings=(ScopeMapping(issuer="idp", scope="x"),))),
        "domain": replace(base, users=replace(USERS, email_domains=frozenset({"corp.example"}))),
    }

    for about, chosen in strict_about.items():
        asking = World(policy=chosen, users=(ALICE, User(id="u1-bare", models=("*",))))
        allowed = asking.reason(token=session(sub="u1-bare"), route=CHAT) == "ALLOWED"
        assert allowed is not refused, about
    hooked = World(policy=base, users=(ALICE,), hook=nobody)
    assert (hooked.reason(token=session(sub="alice"), route=CHAT) == "HOOK_REFUSED") is refused


@pytest.mark.parametrize(
    ("route", "role", "asked", "administers", "reason"),
    [
        ("/organization/new", "", "acme", ("acme",), "ORGANIZATION_ROLE_REQUIRED"),
        ("/organization/new", "proxy_admin", "", (), "ALLOWED"),
        ("/organization/info", "", "acme", ("acme",), "ALLOWED"),
        ("/organization/info", "", "acme", (), "ORGANIZATION_ROLE_REQUIRED"),
        ("/organization/info", "", "", ("acme",), "ORGANIZATION_ROLE_REQUIRED"),
        ("/organization/info", "proxy_admin", "", (), "ALLOWED"),
        ("/team/new", "", "acme", ("acme",), "ALLOWED"),
        ("/team/new", "", "", ("acme",), "ORGANIZATION_ROLE_REQUIRED"),
        ("/v1/models", "", "", (), "ALLOWED"),
    ],
)
def test_some_routes_are_for_administrators_of_the_organization_in_question(
    route: str, role: str, asked: str, administers: tuple[str, ...], reason: str
) -> None:
    asking = world(
        {"user.directory_role": "ignored"},
        users_rules=UserRules(routes=("/organization/*", "/team/new", "/v1/models")),
        routes=RouteRules(organization_admin=("/organization/info",)),
        users=(replace(ALICE, role=role, organizations=("acme",), administers=administers),),
        organizations=(Organization(id="acme"),),
    )

    assert asking.reason(route=route, model=None, organization_id=asked) == reason


def test_users_of_no_organization_may_make_teams_where_they_may_call_that() -> None:
    asking = world(users_rules=UserRules(routes=("/team/new",)))

    assert asking.reason(route="/team/new", model=None) == "ALLOWED"


@pytest.mark.parametrize(
    ("modifiable", "modifies", "reason"),
    [(False, True, "GUARDRAILS_NOT_MODIFIABLE"), (False, False, "ALLOWED"), (True, True, "ALLOWED")],
)
def test_guardrails_are_changed_by_teams_that_may(modifiable: bool, modifies: bool, reason: str) -> None:
    asking = world(teams=(Team(id="a", models=("*",), guardrails_modifiable=modifiable),))

    assert asking.reason(claims={"groups": ["a"]}, modifies_guardrails=modifies) == reason
    assert asking.reason(claims={"groups": []}, modifies_guardrails=modifies) == "ALLOWED"


@pytest.mark.parametrize(
    ("options", "reason"),
    [({}, "ALLOWED"), ({"user.email_adoption": "on"}, "CLAIM_INVALID"), ({"user.email_as_id": True}, "CLAIM_INVALID")],
)
def test_an_address_that_finds_or_names_users_must_not_be_unverified(options: dict[str, Any], reason: str) -> None:
    world = World(policy=policy(options=with_values(STRICT, options)))

    assert world.reason(claims={"roles": "Reader", "email": "a@b.example", "email_verified": False}) == reason


def test_an_unknown_user_administers_no_organization() -> None:
    world = World(
        policy=policy(routes=RouteRules(organization_admin=("/v1/models",))), organizations=(Organization(id="acme"),)
    )
    claims = {"roles": "Reader", "org": "acme"}

    reason = world.reason(claims=claims, route="/v1/models", model=None, organization_id="acme")

    assert reason == "ORGANIZATION_ROLE_REQUIRED"
