"""What a question asks for is worked out once, and remembered within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.domain import Question
from usherd.facts import User
from usherd.permit.permit import Permit
from usherd.policy import BudgetRules, RouteRules
from worlds import CHAT, World, policy

READER = {"roles": "Reader"}


def question(**asked: Any) -> Question:
    return Question(**({"token": "", "route": CHAT, "model": "gpt-4o"} | asked))


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({}, True),
        ({"route": CHAT + "?" + "x" * (1024 - len(CHAT) - 1)}, True),
        # Whoever asks chooses the query, so that it is bounded like the route.
        ({"route": CHAT + "?" + "x" * (1024 - len(CHAT))}, False),
        ({"route": "/v1//models"}, False),
        ({"method": "get"}, False),
        ({"model": "*"}, False),
        ({"fallback_models": ("gpt-4o",) * 17}, False),
        # That no model was named is not out of bounds.
        ({"model": None}, True),
    ],
    ids=range(8),
)
def test_what_is_within_its_bounds_is_remembered(asked: dict[str, Any], kept: bool) -> None:
    permit = Permit(policy())

    assert (permit.asked(question(**asked)) is permit.asked(question(**asked))) is kept
    assert permit.asked(question(**asked)) == permit.asked(question(**asked))


@pytest.mark.parametrize(
    "other",
    [{"route": "/v1/models"}, {"method": "POST"}, {"model": "o1"}, {"model": None}, {"fallback_models": ("o1",)}],
)
def test_another_route_method_or_model_is_another_question(other: dict[str, Any]) -> None:
    permit = Permit(policy())
    first = permit.asked(question())

    assert permit.asked(question(**other)) != first
    assert permit.asked(question(token="another", end_user_id="customer")) is first


def test_what_looks_at_the_route_has_nothing_to_look_at_where_there_is_none() -> None:
    templates = ("/x/{y}",)
    rules = RouteRules(llm=templates, organization_admin=templates, end_user_required=True)
    world = World(
        policy=policy(routes=rules, budgets=BudgetRules(global_max_micro_usd=10)),
        users=(User(id="alice", organizations=("acme",)),),
    )
    explanation = world.ask(claims=READER, route="//", explain=True).verdict.explanation

    assert explanation is not None
    outcomes = {each.check: each.outcome.name for each in explanation.checks}
    assert outcomes["routes"] == "DENIED"
    assert "FAULT" not in outcomes.values()


def test_without_a_model_none_is_answered() -> None:
    verdict = World().ask(claims=READER, route="/v1/models", model=None).verdict

    assert (verdict.reason.name, verdict.resolved_model) == ("ALLOWED", "")
