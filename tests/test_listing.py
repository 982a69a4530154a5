"""A list of models says when the question is denied whatever the model, for every reason that can be told so."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Team, User
from usherd.listing import DENIED_WHATEVER_THE_MODEL
from usherd.options import STRICT, with_values
from usherd.policy import (
    BudgetRules,
    Grant,
    InternalRoleRules,
    RolePermission,
    RouteRules,
    TeamRules,
    UserRules,
)
from usherd.reasons import Reason
from worlds import CHAT, World, finished, policy, role

OF_THE_TOKEN = {reason for reason in Reason if 10 <= reason < 50 or reason is Reason.GROUPS_OVERAGE}
"""Found out before there is a list to be made."""
OF_TEAM_OR_MODEL = {
    Reason.MODEL_REQUIRED,
    Reason.MODEL_INVALID,
    Reason.MODEL_NOT_GRANTED,
    Reason.MODEL_DENIED,
    Reason.TEAM_BLOCKED,
    Reason.ORGANIZATION_BLOCKED,
    Reason.ORGANIZATION_MISMATCH,
    Reason.IDENTITY_REQUIRED,
    Reason.GUARDRAILS_NOT_MODIFIABLE,
    Reason.TEAM_BUDGET_EXHAUSTED,
    Reason.USER_BUDGET_EXHAUSTED,
    Reason.MEMBER_BUDGET_EXHAUSTED,
    Reason.ORGANIZATION_BUDGET_EXHAUSTED,
}
"""With another model it may be another team that is judged."""


def test_every_reason_is_known_to_hang_on_the_model_or_not_to() -> None:
    allowed = {Reason.ALLOWED, Reason.PUBLIC_ROUTE}

    assert DENIED_WHATEVER_THE_MODEL | OF_TEAM_OR_MODEL | OF_THE_TOKEN | allowed == set(Reason)
    assert not DENIED_WHATEVER_THE_MODEL & OF_TEAM_OR_MODEL


@pytest.mark.parametrize(
    ("reason", "world"),
    [
        (Reason.USER_UNKNOWN, World(policy=policy(options=with_values(STRICT, {"user.unknown": "refused"})))),
        (
            Reason.EMAIL_DOMAIN_NOT_ALLOWED,
            World(policy=policy(users=UserRules(email_domains=frozenset({"corp.example"})))),
        ),
        (
            Reason.END_USER_REQUIRED,
            World(policy=policy(routes=RouteRules(llm=(CHAT,), end_user_required=True))),
        ),
        (
            Reason.GLOBAL_BUDGET_EXHAUSTED,
            World(
                policy=policy(budgets=BudgetRules(global_max_micro_usd=1), routes=RouteRules(llm=(CHAT,))),
                usage=[(BudgetOwner(BudgetKind.GLOBAL), 1)],
            ),
        ),
        (
            Reason.ROLE_REQUIRED,
            World(
                policy=policy(
                    internal_roles=InternalRoleRules(enforce=True),
                    options=with_values(STRICT, {"access.role_precedence": "first"}),
                )
            ),
        ),
    ],
)
def test_a_list_says_why_there_is_none(reason: Reason, world: World) -> None:
    page = finished(world.authorizer.models(world.question(claims={"roles": "Reader"}, model=None)))

    assert page.models == ()
    assert page.denial is not None
    assert page.denial.verdict.reason is reason


def test_a_list_says_that_the_end_users_budget_is_exhausted() -> None:
    world = World(
        end_users=(EndUser(id="c", limit=Limit(max_budget_micro_usd=1)),),
        usage=[(BudgetOwner(BudgetKind.END_USER, "c"), 1)],
    )

    page = finished(world.authorizer.models(world.question(claims={"roles": "Reader", "customer": "c"}, model=None)))

    assert page.denial is not None
    assert page.denial.verdict.reason is Reason.END_USER_BUDGET_EXHAUSTED


@pytest.mark.parametrize("groups", [["a"], ["elsewhere"]], ids=["a team with a model", "no team"])
def test_a_list_has_the_models_that_a_team_is_found_with_where_there_is_no_team_without_one(groups: list[str]) -> None:
    world = World(
        policy=policy(
            options=with_values(STRICT, {"team.none_qualifies": "continue", "team.choice": "reference"}),
            teams=TeamRules(required="any", routes=(CHAT,)),
        ),
        teams=(Team(id="a", models=("o1",)),),
    )
    asking: dict[str, Any] = {"claims": {"groups": groups}, "route": CHAT}
    reasons = {name: world.ask(**asking, model=name).verdict.reason for name in ("gpt-4o", "o1")}

    page = finished(world.authorizer.models(world.question(**asking, model=None)))

    assert [name for name, _ in page.models] == [name for name, reason in reasons.items() if reason is Reason.ALLOWED]
    assert (page.denial is None) == bool(page.models)


def test_a_route_that_is_granted_with_some_models_only_is_no_reason_to_list_none() -> None:
    """Of two grants one has the route with some models, and the other every model on other routes."""
    anything = RolePermission(role="internal_user", models=None, routes=("/v1/*",))
    world = World(
        policy=policy(
            roles=(role(grants=Grant(routes=("/*",), models=("gpt-*", "o1"))),),
            internal_roles=InternalRoleRules(enforce=True, permissions=(anything,)),
            users=UserRules(routes=("/*",)),
            routes=RouteRules(llm=(CHAT,)),
        ),
        users=(User(id="alice"),),
    )
    asking: dict[str, Any] = {"claims": {"roles": "Reader"}, "route": "/key/generate"}
    names = ("claude-3", "default", "gpt-4o", "gpt-4o-claude", "gpt-4o-mini", "o1")
    reasons = {name: world.ask(**asking, model=name).verdict.reason for name in names}

    page = finished(world.authorizer.models(world.question(**asking, model=None)))

    assert reasons["claude-3"] is Reason.ROUTE_NOT_GRANTED
    assert reasons["o1"] is Reason.ALLOWED
    assert [name for name, _ in page.models] == [name for name, reason in reasons.items() if reason is Reason.ALLOWED]
    assert page.denial is None


@pytest.mark.parametrize(
    ("model", "resolved"),
    [("default", "gpt-4o"), ("o1", "o1"), ("unlisted", "unlisted"), (None, ""), ("", ""), ("a\x00b", "")],
)
def test_on_a_public_route_a_gateway_is_told_which_model_is_meant(model: str | None, resolved: str) -> None:
    world = World(policy=policy(routes=RouteRules(public=("/open",))))

    verdict = world.ask(token="", route="/open", model=model).verdict

    assert (verdict.reason, verdict.resolved_model) == (Reason.PUBLIC_ROUTE, resolved)


def test_the_list_of_a_public_route_resolves_as_its_answers_do() -> None:
    world = World(policy=policy(routes=RouteRules(public=("/open",))))

    page = finished(world.authorizer.models(world.question(token="", route="/open", model=None)))

    assert dict(page.models)["default"] == "gpt-4o"
