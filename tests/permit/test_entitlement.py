"""Being genuine is not being entitled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyring import session_token
from usherd.domain import PrincipalKind
from usherd.facts import Team, User
from usherd.policy import ClaimPaths, MayGrant, RouteRules, SessionRules
from worlds import CHAT, World, issuer, policy, role

SERVICE = {"sub": "app-object", "oid": "app-object", "appid": "app", "azp": "app"}
"""The shape of Entra's client-credentials tokens: no scope, and the subject is the application's own object."""
PERSON = {"sub": "pairwise", "oid": "person", "azp": "app", "scp": "openid"}


def test_a_genuine_token_without_any_entitlement_gets_nothing() -> None:
    decision = World().ask(claims=SERVICE)

    assert decision.verdict.reason.name == "NOT_ENTITLED"


def test_a_service_with_the_app_role_may_call_what_the_role_grants_and_nothing_else() -> None:
    world = World()
    claims = {**SERVICE, "roles": ["Reader"]}

    answers = {
        "granted": world.reason(claims=claims),
        "other model": world.reason(claims=claims, model="o1"),
        "other route": world.reason(claims=claims, route="/v1/embeddings"),
        "management": world.reason(claims=claims, route="/key/generate", model=None),
    }

    assert answers == {
        "granted": "ALLOWED",
        "other model": "MODEL_NOT_GRANTED",
        "other route": "ROUTE_NOT_GRANTED",
        "management": "ROUTE_DENIED",
    }


@pytest.mark.parametrize(
    ("kinds", "claim", "claims", "reason"),
    [
        ({PrincipalKind.SERVICE}, "roles", {**SERVICE, "roles": ["Reader"]}, "ALLOWED"),
        ({PrincipalKind.SERVICE}, "roles", {**PERSON, "scp": "Reader"}, "NOT_ENTITLED"),
        ({PrincipalKind.SERVICE}, "roles", {**PERSON, "roles": ["Reader"]}, "NOT_ENTITLED"),
        ({PrincipalKind.USER}, "scp", {**PERSON, "scp": "openid Reader"}, "ALLOWED"),
        ({PrincipalKind.USER}, "scp", {**SERVICE, "roles": ["Reader"]}, "NOT_ENTITLED"),
        ({PrincipalKind.USER}, "scp", {**SERVICE, "scp": "Reader", "idtyp": "app"}, "NOT_ENTITLED"),
        ({PrincipalKind.USER}, "scp", {**PERSON, "scp": "Reader2 xReader"}, "NOT_ENTITLED"),
        ({PrincipalKind.USER}, "scp", {**PERSON, "scp": "Reader\t"}, "NOT_ENTITLED"),
    ],
)
def test_a_users_scope_and_an_applications_role_of_one_name_never_meet(
    kinds: set[PrincipalKind], claim: str, claims: dict[str, object], reason: str
) -> None:
    world = World(policy=policy(roles=(role(claim=claim, kinds=frozenset(kinds)),)))

    assert world.reason(claims=claims) == reason


@pytest.mark.parametrize("value", ["r", "reader", "READER", "Reader ", ["r", "e"], [], "", None])
def test_a_role_claim_is_compared_whole(value: object) -> None:
    assert World().reason(claims={"roles": value}) == "NOT_ENTITLED"


@pytest.mark.parametrize("value", [7, True, {"Reader": 1}, ["Reader", 7], [["Reader"]], "Rea\u0000der"])
def test_a_role_claim_of_a_wrong_type_refuses_the_token(value: object) -> None:
    reason = World().reason(claims={"roles": value})

    assert reason == ("NOT_ENTITLED" if value is True else "CLAIM_INVALID")


def test_a_string_role_is_one_value() -> None:
    assert World().reason(claims={"roles": "Reader"}) == "ALLOWED"


def test_a_known_user_is_entitled_and_a_subject_alone_is_not() -> None:
    world = World(users=(User(id="alice", models=("gpt-4o",)),))

    assert (world.reason(), world.reason(claims={"sub": "bob"})) == ("ALLOWED", "NOT_ENTITLED")


def test_a_team_that_does_not_exist_entitles_nobody() -> None:
    world = World(teams=(Team(id="red", models=("*",)),))

    reasons = [world.reason(claims={"groups": groups}) for groups in (["blue"], ["blue", "red"], "red", "r")]

    assert reasons == ["NOT_ENTITLED", "ALLOWED", "ALLOWED", "NOT_ENTITLED"]


def test_what_an_issuer_may_not_grant_its_tokens_do_not_get() -> None:
    def reason(may_grant: MayGrant, **claims: object) -> str:
        tight = policy(issuers=(replace(issuer(), may_grant=may_grant),))
        return World(policy=tight, teams=(Team(id="red", models=("*",)),)).reason(claims=claims)

    assert reason(MayGrant(roles=frozenset()), roles=["Reader"]) == "NOT_ENTITLED"
    assert reason(MayGrant(teams=frozenset({"blue"})), groups=["red"]) == "NOT_ENTITLED"
    assert reason(MayGrant(admin=False), scope="admin") == "NOT_ENTITLED"


def test_an_administrator_may_call_every_model_on_the_administrators_routes_only() -> None:
    world = World()
    claims = {"scope": "openid admin"}

    decision = world.ask(claims=claims, model="o1")
    reasons = [
        world.reason(claims=claims, route=route, model=None)
        for route in ("/key/generate", "/v1/embeddings", "/user/info")
    ]

    assert decision.verdict.principal is not None
    assert decision.verdict.principal.is_admin
    assert decision.verdict.reason.name == "ALLOWED"
    assert reasons == ["ALLOWED", "ROUTE_NOT_GRANTED", "ROUTE_NOT_GRANTED"]


@pytest.mark.parametrize("scope", ["admin\n", "xadmin adminx", "ADMIN", ["admin admin2"], "admin,openid"])
def test_an_admin_scope_is_compared_whole(scope: object) -> None:
    assert World().reason(claims={"scope": scope}) in ("NOT_ENTITLED", "CLAIM_INVALID")


def test_groups_that_the_issuer_left_out_are_not_groups_that_are_not_there() -> None:
    denying = role("blocked", claim="groups", value="contractors")
    world = World(policy=policy(roles=(role(), denying)))

    overage = {"roles": ["Reader"], "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}

    assert world.reason(claims=overage) == "GROUPS_OVERAGE"
    assert world.reason(claims={"roles": ["Reader"], "hasgroups": True}) == "GROUPS_OVERAGE"
    assert world.reason(claims={"roles": ["Reader"], "_claim_names": {"address": "src1"}}) == "ALLOWED"


def test_a_public_route_is_open_to_anyone_and_looks_at_no_token() -> None:
    decision = World().ask(token="not a token", route="/health/liveliness", model=None)

    assert decision.verdict.reason.name == "PUBLIC_ROUTE"
    assert decision.verdict.principal is not None
    assert decision.verdict.principal.kind is PrincipalKind.ANONYMOUS


@pytest.mark.parametrize("route", ["/health/liveliness/x", "//health/liveliness", "/health/./liveliness", CHAT])
def test_no_other_route_is_open_without_a_token(route: str) -> None:
    assert World().reason(token="", route=route) == "TOKEN_MISSING"


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_unverified_address_makes_nobody_somebody(verified: object) -> None:
    by_email = policy(issuers=(replace(issuer(), claims=replace(issuer().claims, user=("email",))),), roles=())
    by_role = policy(roles=(role(claim="email", value="*@corp.example"),))
    claims = {"sub": "mallory", "email": "boss@corp.example", "email_verified": verified}
    boss = User(id="boss@corp.example", models=("*",))

    by_email_alone = policy(issuers=(replace(issuer(), claims=ClaimPaths(user=("email",), email=None)),), roles=())

    assert World(policy=by_email, users=(boss,)).reason(claims=claims) == "CLAIM_INVALID"
    assert World(policy=by_email_alone, users=(boss,)).reason(claims=claims) == "CLAIM_INVALID"
    assert World(policy=by_role).reason(claims=claims) == "CLAIM_INVALID"
    assert World(policy=by_email, users=(boss,)).reason(claims={**claims, "email_verified": True}) == "ALLOWED"
    # Where nothing reads the address, it says nothing.
    assert World().reason(claims={**claims, "roles": "Reader"}) == "ALLOWED"


@pytest.mark.parametrize("word", ["org", "customer", "team", "sub"])
def test_no_word_that_is_read_may_be_left_out_of_a_token(word: str) -> None:
    claims = {"roles": "Reader", "_claim_names": {word: "src1"}}

    assert World().reason(claims=claims) == "GROUPS_OVERAGE"


@pytest.mark.parametrize(("pattern", "held"), [("true", True), ("*", False), ("t*", False), ("false", False)])
def test_a_boolean_claim_is_compared_as_it_is_written(pattern: str, held: bool) -> None:
    world = World(policy=policy(roles=(role(claim="premium", value=pattern),)))

    assert (world.reason(claims={"premium": True}) == "ALLOWED") is held
    assert (world.reason(claims={"premium": False}) == "ALLOWED") is (pattern == "false")


def test_a_route_for_administrators_is_not_public() -> None:
    rules = RouteRules(public=("/health/*",), admin_only=("/health/secret",))
    world = World(policy=policy(routes=rules))

    assert world.reason(token="", route="/health/live", model=None) == "PUBLIC_ROUTE"
    assert world.reason(token="", route="/health/secret", model=None) == "TOKEN_MISSING"


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ("proxy_admin", "ALLOWED"),
        ("", "ALLOWED"),
        ("internal_user", "ROUTE_DENIED"),
        ("proxy_admin_viewer", "ROUTE_DENIED"),
        (None, "ALLOWED"),
    ],
)
def test_an_administrator_whom_the_directory_has_made_less_has_no_session_of_one(role: str | None, reason: str) -> None:
    secret = b"a master key of at least 32 bytes, for tests"
    world = World(
        policy=policy(session=SessionRules(secret=secret, digest="d"), session_admin_routes=("/key/generate",)),
        users=() if role is None else (User(id="u1", models=("*",), role=role),),
    )
    claims = {"iss": "litellm-proxy", "aud": "litellm-ui", "user_id": "u1", "user_role": "proxy_admin"}
    token = session_token({**claims, "exp": int(world.now) + 600}, secret)

    assert world.reason(token=token, route="/key/generate", model=None) == reason


def test_the_session_and_not_the_directory_makes_an_administrator_of_a_session() -> None:
    secret = b"a master key of at least 32 bytes, for tests"
    world = World(
        policy=policy(session=SessionRules(secret=secret, digest="d"), session_admin_routes=("/key/generate",)),
        users=(User(id="u1", models=("*",), role="proxy_admin"),),
    )

    def reason(user_role: str, user_id: str = "u1") -> str:
        claims = {"iss": "litellm-proxy", "aud": "litellm-ui", "user_id": user_id, "user_role": user_role}
        token = session_token({**claims, "exp": int(world.now) + 600, "scope": ["litellm_proxy_admin"]}, secret)
        return world.reason(token=token, route="/key/generate", model=None)

    assert reason("proxy_admin") == "ALLOWED"
    assert reason("proxy_admin_viewer") == "ROUTE_DENIED"
    assert reason("internal_user") == "ROUTE_DENIED"
    assert reason("internal_user", "stranger") == "NOT_ENTITLED"


def test_an_administrators_session_may_call_every_model_on_its_routes() -> None:
    sessions = SessionRules(secret=b"a master key of at least 32 bytes, for tests", digest="d")
    world = World(policy=policy(session=sessions, session_admin_routes=(CHAT,)))
    claims = {"iss": "litellm-proxy", "aud": "litellm-ui", "user_id": "u1", "user_role": "proxy_admin"}
    token = session_token({**claims, "exp": int(world.now) + 600}, sessions.secret)

    assert world.reason(token=token, model="o1") == "ALLOWED"
    assert world.reason(token=token, route="/v1/models", model=None) == "ROUTE_NOT_GRANTED"
