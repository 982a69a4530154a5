"""Cases become questions and rows, and answers the words of cases; nothing is decided on the way."""

from __future__ import annotations

import pytest

from usherd.facts import BudgetKind, BudgetOwner, Team, User, Write, WriteKind
from usherd.parity.questions import NOT_A_MODEL, Writes, question
from usherd.parity.rows import rows, usage
from usherd.permit.models import bounded_model

from .support import case


def test_a_question_asks_for_what_the_request_asks_for() -> None:
    asked = question(case(route="/v1/models", method="GET", model=None, token="a.b.c"))

    assert (asked.token, asked.route, asked.method, asked.model) == ("a.b.c", "/v1/models", "GET", None)
    assert not asked.modifies_guardrails
    assert asked.end_user_id == asked.organization_id == ""


@pytest.mark.parametrize("model", [5, 0, True, ["gpt-4o"], {"a": 1}])
def test_a_model_that_is_no_text_has_no_form_that_a_model_can_have(model: object) -> None:
    assert question(case(model=model)).model == NOT_A_MODEL
    assert not bounded_model(NOT_A_MODEL)


def test_an_empty_model_stays_one() -> None:
    assert question(case(model="")).model == ""


@pytest.mark.parametrize(("request_", "named"), [({}, ""), ({"user": "e-1"}, "e-1"), ({"user": None}, "null")])
def test_an_end_user_is_named_by_whatever_user_is_there(request_: dict[str, object], named: str) -> None:
    assert question(case(request=request_)).end_user_id == named


@pytest.mark.parametrize(
    ("metadata", "modifies"),
    [({"guardrails": ["x"]}, True), ({"guardrails": {}}, False), ({"guardrails": None}, False), ({}, False)],
)
def test_guardrails_are_changed_by_whatever_says_something_of_them(metadata: object, modifies: bool) -> None:
    assert question(case(request={"metadata": metadata})).modifies_guardrails is modifies


def test_the_organization_that_the_request_acts_on_is_the_bodys() -> None:
    assert question(case(request={"organization_id": "o-1"})).organization_id == "o-1"


def test_absent_columns_have_the_databases_defaults() -> None:
    made = rows({"teams": {"t": {}}, "users": {"u": {}}, "orgs": {"o": {}}, "end_users": {"e": {}}})

    assert made.teams == (Team(id="t", models=()),)
    assert made.users == (User(id="u"),)
    assert (made.organizations[0].models, made.organizations[0].blocked) == (None, False)
    assert not made.end_users[0].limit


def test_columns_become_what_they_mean() -> None:
    made = rows(
        {
            "teams": {
                "t": {
                    "models": ["gpt-4o"],
                    "blocked": True,
                    "max_budget": 0.5,
                    "metadata": {"guardrails": {"modify_guardrails": False}},
                }
            },
            "users": {
                "u": {
                    "user_email": "u@corp.com",
                    "user_role": "internal_user",
                    "sso_user_id": "sso-1",
                    "teams": ["t"],
                    "organization_memberships": [
                        {"organization_id": "o-1", "user_role": "org_admin"},
                        {"organization_id": "o-2", "user_role": "internal_user"},
                    ],
                }
            },
        }
    )

    team, user = made.teams[0], made.users[0]
    assert (team.models, team.blocked, team.limit.max_budget_micro_usd) == (("gpt-4o",), True, 500_000)
    assert not team.guardrails_modifiable
    assert (user.email, user.role, user.sso_ids, user.teams) == ("u@corp.com", "internal_user", ("sso-1",), ("t",))
    assert (user.organizations, user.administers) == (("o-1", "o-2"), ("o-1",))


def test_spend_is_recorded_for_its_owner_and_a_spend_of_nothing_is_none() -> None:
    database = {"teams": {"t": {"spend": 12.5}}, "users": {"u": {"spend": 0.0}}, "global_spend": 1}

    assert list(usage(database)) == [
        (BudgetOwner(BudgetKind.TEAM, "t"), 12_500_000),
        (BudgetOwner(BudgetKind.GLOBAL), 1_000_000),
    ]


async def test_writes_are_told_once_as_rows_of_litellms_tables() -> None:
    writes = Writes()
    await writes.write([Write(WriteKind.CREATE_USER, User(id="u")), Write(WriteKind.CREATE_TEAM, Team(id="t"))])

    assert writes.taken() == [
        {"data": {"user_id": "u"}, "op": "create", "table": "litellm_usertable"},
        {"data": {"team_id": "t"}, "op": "create", "table": "litellm_teamtable"},
    ]
    assert writes.taken() == []
