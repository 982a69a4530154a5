"""A rule for one method is a rule for that method, wherever the policy has routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, Team, User
from usherd.options import STRICT, with_values
from usherd.permit.route_match import EVERY_ROUTE
from usherd.policy import (
    INTERNAL_USER,
    AdminRule,
    BudgetRules,
    Grant,
    InternalRoleRules,
    Policy,
    RolePermission,
    RouteRules,
    ScopeMapping,
    ScopeRules,
    TeamRules,
    UserRules,
)
from worlds import CHAT, World, policy, role

READER = {"roles": "Reader"}
POST = f"POST {CHAT}"
ALICE = User(id="alice", models=("*",), organizations=("acme",))


def with_routes(**rules: Any) -> Policy:
    return policy(routes=RouteRules(**rules))


@pytest.mark.parametrize(
    ("chosen", "claims", "denied"),
    [
        (
            policy(roles=(role(grants=Grant(routes=(POST,), models=("*",))),), users=UserRules()),
            READER,
            "ROUTE_NOT_GRANTED",
        ),
        (policy(teams=TeamRules(routes=(POST,))), {"groups": ["red"]}, "ROUTE_NOT_GRANTED"),
        (policy(users=UserRules(routes=(POST,))), {}, "ROUTE_NOT_GRANTED"),
        (
            policy(admin=(AdminRule(issuer="idp", scopes=frozenset({"root"}), routes=(POST,)),), users=UserRules()),
            {"scope": "root"},
            "ROUTE_NOT_GRANTED",
        ),
        (with_routes(allowed=(POST,)), READER, "ROUTE_DENIED"),
        (
            policy(
                scopes=ScopeRules(
                    enforce=True,
                    mappings=(ScopeMapping(issuer="idp", scope="chat", models=("*",), routes=(POST,)),),
                )
            ),
            {**READER, "scope": "chat"},
            "ROUTE_NOT_GRANTED",
        ),
        (
            policy(
                internal_roles=InternalRoleRules(
                    enforce=True, permissions=(RolePermission(role=INTERNAL_USER, models=None, routes=(POST,)),)
                )
            ),
            {},
            "ROUTE_NOT_GRANTED",
        ),
        (
            policy(
                internal_roles=InternalRoleRules(
                    enforce=True, permissions=(RolePermission(role=INTERNAL_USER, models=(), routes=None),)
                ),
                roles=(role(grants=Grant(routes=(POST,), models=("*",))),),
            ),
            READER,
            "MODEL_NOT_GRANTED",
        ),
    ],
    ids=["role", "team", "user", "admin", "allowed", "scope", "permission", "role within permissions"],
)
def test_what_opens_a_route_for_one_method_opens_it_for_no_other(
    chosen: Policy, claims: dict[str, Any], denied: str
) -> None:
    world = World(policy=chosen, teams=(Team(id="red", models=("*",)),), users=(ALICE,))

    assert world.reason(claims=claims, method="POST") == "ALLOWED"
    assert world.reason(claims=claims, method="GET") == denied
    # An absent method may be any, and so opens nothing.
    assert world.reason(claims=claims) == denied


@pytest.mark.parametrize(
    ("chosen", "asked", "reason"),
    [
        (policy(roles=(role(), role("no", deny=Grant(routes=(POST,))))), {}, "ROUTE_DENIED"),
        (with_routes(admin_only=(POST,)), {}, "ROUTE_DENIED"),
        (with_routes(model_required=(POST,)), {"model": None}, "MODEL_REQUIRED"),
        (with_routes(organization_admin=(POST,)), {}, "ORGANIZATION_ROLE_REQUIRED"),
        (
            replace(with_routes(llm=(POST,)), budgets=BudgetRules(global_max_micro_usd=10)),
            {},
            "GLOBAL_BUDGET_EXHAUSTED",
        ),
    ],
    ids=["role", "admin only", "model required", "organization", "global budget"],
)
def test_what_closes_a_route_for_one_method_closes_it_for_no_other(
    chosen: Policy, asked: dict[str, Any], reason: str
) -> None:
    world = World(policy=chosen, users=(ALICE,), usage=((BudgetOwner(BudgetKind.GLOBAL), 10),))

    assert world.reason(claims=READER, method="POST", **asked) == reason
    assert world.reason(claims=READER, method="GET", **asked) == "ALLOWED"
    # An absent method may be any, and so none is open.
    assert world.reason(claims=READER, **asked) == reason


def test_an_end_user_is_required_for_the_method_of_the_rule() -> None:
    world = World(policy=with_routes(llm=(POST,), end_user_required=True))

    assert world.reason(claims=READER, method="POST") == "END_USER_REQUIRED"
    assert world.reason(claims=READER, method="GET") == "ALLOWED"


def test_a_route_is_public_for_the_method_of_the_rule() -> None:
    world = World(policy=with_routes(public=("GET /health",), allowed=("/health",), admin_only=("PUT /health",)))

    def reason(method: str) -> str:
        return world.reason(token="", route="/health", method=method, model=None)

    assert (reason("GET"), reason("POST"), reason("")) == ("PUBLIC_ROUTE", "TOKEN_MISSING", "TOKEN_MISSING")


@pytest.mark.parametrize(
    ("rules", "method", "reason"),
    [
        ({"public": ("/health",), "allowed": ("GET /health",)}, "GET", "PUBLIC_ROUTE"),
        ({"public": ("/health",), "allowed": ("GET /health",)}, "POST", "TOKEN_MISSING"),
        ({"public": ("/health",), "admin_only": ("POST /health",)}, "GET", "PUBLIC_ROUTE"),
        ({"public": ("/health",), "admin_only": ("POST /health",)}, "POST", "TOKEN_MISSING"),
        ({"public": ("/health",)}, "get", "TOKEN_MISSING"),
    ],
)
def test_a_public_route_is_public_as_far_as_no_other_rule_closes_it(
    rules: dict[str, Any], method: str, reason: str
) -> None:
    assert World(policy=with_routes(**rules)).reason(token="", route="/health", method=method, model=None) == reason


def test_routes_for_administrators_are_public_where_an_option_does_not_check_them() -> None:
    rules = RouteRules(public=("/health",), admin_only=("/health",))
    unchecked = policy(routes=rules, options=with_values(STRICT, {"user.routes": "unchecked"}))

    assert World(policy=unchecked).reason(token="", route="/health", model=None) == "PUBLIC_ROUTE"


LITERAL = with_values(STRICT, {"route.match": "literal"})


@pytest.mark.parametrize(
    ("route", "method", "reason"),
    [
        ("/v1//odd/../route", "", "ALLOWED"),
        ("/v1//odd/../route?x=1", "", "ALLOWED"),
        ("/v1//odd/../route?x=1?y", "", "ALLOWED"),
        ("/v1//odd/../route", "DELETE", "ALLOWED"),
        ("/v1//odd/../route/", "", "ROUTE_NOT_GRANTED"),
        ("/v1//odd", "", "ROUTE_NOT_GRANTED"),
        ("/wild/x", "", "ROUTE_NOT_GRANTED"),
        ("/wild/*", "", "ALLOWED"),
        ("/v1//odd/../route", "delete", "METHOD_INVALID"),
        ("/" + "x" * 1023, "", "ROUTE_NOT_GRANTED"),
        ("/" + "x" * 1023, "delete", "METHOD_INVALID"),
        ("/" + "x" * 1024, "", "ROUTE_AMBIGUOUS"),
        ("/" + "x" * 1024, "delete", "ROUTE_AMBIGUOUS"),
        ("/" + "x" * 1023 + "?" + "y" * 1024, "", "ROUTE_NOT_GRANTED"),
        # Bytes are bounded, not characters.
        ("/x" + "é" * 511, "", "ROUTE_NOT_GRANTED"),
        ("/" + "é" * 512, "", "ROUTE_AMBIGUOUS"),
        ("/\0", "", "ROUTE_AMBIGUOUS"),
        ("/v1//odd/../route?\0", "", "ALLOWED"),
    ],
    ids=range(18),
)
def test_literal_routes_are_compared_text_by_text_up_to_the_query(route: str, method: str, reason: str) -> None:
    granting = role(grants=Grant(routes=("/v1//odd/../route", "/wild/*"), models=("*",)))
    world = World(policy=policy(options=LITERAL, roles=(granting,)))

    assert world.reason(claims=READER, route=route, method=method, model=None) == reason


def test_literal_routes_close_what_they_name_and_nothing_else() -> None:
    world = World(policy=policy(options=LITERAL, routes=RouteRules(admin_only=(CHAT,))))

    assert world.reason(claims=READER) == "ROUTE_DENIED"
    assert world.reason(claims=READER, route="/v1/models", model=None) == "ALLOWED"


def test_every_route_is_every_route_with_any_method_and_with_none() -> None:
    for method in ("GET", ""):
        assert EVERY_ROUTE.grants(method, "/x")
        assert EVERY_ROUTE.denies(method, "/x")


@pytest.mark.parametrize(("required", "reason"), [("deny", "MODEL_REQUIRED"), ("allow", "ALLOWED")])
def test_a_route_that_needs_a_model_may_come_without_one_where_an_option_says_so(required: str, reason: str) -> None:
    options = with_values(STRICT, {"access.model_required": required})

    assert World(policy=policy(options=options)).reason(claims=READER, model=None) == reason


def test_where_no_routes_are_checked_every_route_is_open_and_only_of_users_and_single_teams() -> None:
    options = with_values(STRICT, {"access.route_check": "reference", "team.choice": "reference"})
    world = World(
        policy=policy(options=options), users=(ALICE,), teams=(Team(id="red", models=("*",), limit=Limit(rpm=1)),)
    )

    assert world.reason(route="/v1/embeddings", method="PUT") == "ALLOWED"
    assert world.reason(claims={"team": "red"}, route="/v1/embeddings", method="PUT") == "ALLOWED"
    assert world.reason(claims={"groups": ["red"]}, route="/v1/embeddings") == "ROUTE_NOT_GRANTED"
    assert world.reason(claims={"sub": "x", "roles": "Reader"}, route="/v1/embeddings") == "ROUTE_NOT_GRANTED"
