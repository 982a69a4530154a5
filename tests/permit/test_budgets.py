"""Exhausted budgets deny: at the maximum, whoever's they are, and only where one is set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.domain import DependencyKind, Limit
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Membership, Organization, Team, User
from usherd.options import STRICT, with_values
from usherd.policy import BudgetRules, RouteRules
from worlds import CHAT, World, policy

TEN = Limit(max_budget_micro_usd=10)
OWNERS = {
    "TEAM": BudgetOwner(BudgetKind.TEAM, "a"),
    "USER": BudgetOwner(BudgetKind.USER, "alice"),
    "MEMBER": BudgetOwner(BudgetKind.MEMBER, "alice", "a"),
    "ORGANIZATION": BudgetOwner(BudgetKind.ORGANIZATION, "acme"),
    "END_USER": BudgetOwner(BudgetKind.END_USER, "customer"),
    "GLOBAL": BudgetOwner(BudgetKind.GLOBAL),
}
ROUTES = RouteRules(llm=(CHAT, "/v1/models", "/v1/embeddings"))
BASE: dict[str, Any] = {
    "teams": (
        Team(
            id="a",
            organization="acme",
            models=("*",),
            limit=TEN,
            members={"alice": Membership(max_budget_micro_usd=10)},
        ),
    ),
    "users": (User(id="alice", limit=TEN),),
    "organizations": (Organization(id="acme", limit=TEN),),
    "end_users": (EndUser(id="customer", limit=TEN),),
}


def world(usage: dict[str, int], *, options: dict[str, Any] | None = None, enforce: bool = True, **rows: Any) -> World:
    chosen = policy(
        options=with_values(STRICT, options or {}),
        budgets=BudgetRules(enforce=enforce, global_max_micro_usd=10),
        routes=ROUTES,
    )
    return World(policy=chosen, usage=[(OWNERS[name], spent) for name, spent in usage.items()], **(BASE | rows))


MINE = {"groups": ["a"], "customer": "customer"}


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize(("spent", "exhausted"), [(0, False), (9, False), (10, True), (11, True)])
def test_a_budget_is_exhausted_when_its_maximum_is_reached(owner: str, spent: int, exhausted: bool) -> None:
    decision = world({owner: spent} if spent else {}).ask(claims=MINE)

    assert decision.verdict.reason.name == (f"{owner}_BUDGET_EXHAUSTED" if exhausted else "ALLOWED")


@pytest.mark.parametrize("owner", OWNERS)
def test_the_reference_lets_a_maximum_be_reached_and_not_exceeded(owner: str) -> None:
    options = {"budgets.boundary": "exceeded"}

    assert world({owner: 10}, options=options).reason(claims=MINE) == "ALLOWED"
    assert world({owner: 11}, options=options).reason(claims=MINE) == f"{owner}_BUDGET_EXHAUSTED"


@pytest.mark.parametrize("owner", OWNERS)
def test_budgets_that_are_not_enforced_deny_nobody(owner: str) -> None:
    assert world({owner: 11}, enforce=False).reason(claims=MINE) == "ALLOWED"


def test_the_order_is_team_user_member_organization_end_user_and_all() -> None:
    left, answers = dict.fromkeys(OWNERS, 11), []
    while left:
        answers.append(world(left).reason(claims=MINE))
        del left[answers[-1].removesuffix("_BUDGET_EXHAUSTED")]

    assert [answer.removesuffix("_BUDGET_EXHAUSTED") for answer in answers] == list(OWNERS)


@pytest.mark.parametrize(
    ("option", "owner"),
    [
        ({"user.limits_with_team": "ignored"}, "USER"),
        ({"member.budget": "ignored"}, "MEMBER"),
        ({"organization.limits": "ignored"}, "ORGANIZATION"),
    ],
)
def test_an_option_leaves_a_budget_out(option: dict[str, Any], owner: str) -> None:
    assert world({owner: 11}, options=option).reason(claims=MINE) == "ALLOWED"


def test_a_users_budget_counts_without_a_team_whatever_the_option() -> None:
    users = (User(id="alice", models=("*",), limit=TEN),)

    for value in ("enforced", "ignored"):
        asking = world({"USER": 10}, options={"user.limits_with_team": value}, users=users)
        assert asking.reason(claims={"groups": []}) == "USER_BUDGET_EXHAUSTED", value


@pytest.mark.parametrize(
    ("judged", "claims", "reason"),
    [
        ("either", {}, "END_USER_BUDGET_EXHAUSTED"),
        ("token", {}, "ALLOWED"),
        ("token", {"customer": "customer"}, "END_USER_BUDGET_EXHAUSTED"),
    ],
)
def test_an_end_user_that_only_the_question_names_is_judged_too(judged: str, claims: Any, reason: str) -> None:
    asking = world({"END_USER": 10}, options={"end_user.judged": judged})

    assert asking.reason(claims={"groups": ["a"], **claims}, end_user_id="customer") == reason


@pytest.mark.parametrize(
    ("route", "model", "reason"),
    [
        (CHAT, "gpt-4o", "GLOBAL_BUDGET_EXHAUSTED"),
        ("/v1/models", None, "ALLOWED"),
        ("/user/info", None, "ALLOWED"),
    ],
)
def test_the_global_budget_closes_what_costs_something(route: str, model: str | None, reason: str) -> None:
    asking = world({"GLOBAL": 10}, users=(User(id="alice", models=("*",)),))

    assert asking.reason(claims={}, route=route, model=model) == reason


@pytest.mark.parametrize("maximum", [None, 0])
def test_there_need_not_be_a_global_budget(maximum: int | None) -> None:
    asking = world({"GLOBAL": 10**9})
    chosen = replace(asking.policy, budgets=BudgetRules(global_max_micro_usd=maximum))

    assert replace(asking, policy=chosen).reason(claims=MINE) == "ALLOWED"


def test_administrators_have_budgets_too_unless_they_are_answered_at_once() -> None:
    def reason(loaded: bool) -> str:
        asking = world({"USER": 10}, options={"admin.loaded": loaded})
        return asking.reason(claims={"scope": "admin"}, route="/key/generate", model=None)

    assert reason(True) == "USER_BUDGET_EXHAUSTED"
    assert reason(False) == "ALLOWED"


def test_an_answer_depends_on_the_state_of_each_budget_that_has_a_maximum_and_on_no_other() -> None:
    def named(asking: World) -> list[tuple[str, str]]:
        found = asking.ask(claims=MINE).verdict.depends_on
        return [(each.id, each.revision) for each in found if each.kind is DependencyKind.BUDGET]

    assert named(world({"TEAM": 3})) == [
        ("end_user:customer", "within"),
        ("global", "within"),
        ("member:1:a/alice", "within"),
        ("organization:acme", "within"),
        ("team:a", "within"),
        ("user:alice", "within"),
    ]
    assert named(world({"TEAM": 10})) == [("team:a", "reached")]
    bare = world({}, teams=(Team(id="a", models=("*",)),), users=(), organizations=(), end_users=())
    assert named(bare) == [("global", "within")]


def test_a_default_team_has_its_budget_judged() -> None:
    asking = world({"TEAM": 10})
    chosen = replace(asking.policy, teams=replace(asking.policy.teams, default="a"))

    assert replace(asking, policy=chosen).reason(claims={"roles": "Reader"}) == "TEAM_BUDGET_EXHAUSTED"
