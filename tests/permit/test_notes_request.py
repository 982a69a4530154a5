"""Denials of the request tell an operator in one sentence why; and which status the reference answers with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denials import ALICE, READER, RED, RED_TEAM, WITHOUT_MODEL, Denial, names
from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Membership, Organization
from usherd.policy import (
    BudgetRules,
    Grant,
    RouteRules,
    UserRules,
)
from worlds import CHAT, role

TEN = Limit(max_budget_micro_usd=10)


def exhausted(kind: BudgetKind, owner_id: str, team: str = "") -> dict[str, Any]:
    team_row = replace(RED_TEAM, organization="acme", members={"alice": Membership(max_budget_micro_usd=10)}, limit=TEN)
    return {
        "teams": (team_row,),
        "users": (replace(ALICE, limit=TEN),),
        "organizations": (Organization(id="acme", limit=TEN),),
        "end_users": (EndUser(id="customer", limit=TEN),),
        "usage": ((BudgetOwner(kind, owner_id, team), 10),),
    }


DENIALS = [
    Denial(
        "blocked",
        "USER_BLOCKED",
        "The directory blocks the user.",
        rows={"users": (replace(ALICE, blocked=True),)},
    ),
    Denial(
        "blocked",
        "TEAM_BLOCKED",
        "The directory blocks the chosen team.",
        claims=RED,
        rows={"teams": (replace(RED_TEAM, blocked=True),)},
    ),
    Denial(
        "blocked",
        "ORGANIZATION_BLOCKED",
        "The directory blocks the organization.",
        claims={**READER, "org": "acme"},
        rows={"organizations": (Organization(id="acme", blocked=True),)},
    ),
    Denial(
        "blocked",
        "END_USER_BLOCKED",
        "The directory blocks the end user.",
        claims={**READER, "customer": "customer"},
        rows={"end_users": (EndUser(id="customer", blocked=True),)},
    ),
    Denial(
        "routes", "ROUTE_AMBIGUOUS", "The route or method is not in canonical form.", asked={"route": "/v1//models"}
    ),
    Denial("routes", "METHOD_INVALID", "The route or method is not in canonical form.", asked={"method": "get"}),
    Denial(
        "routes",
        "ROUTE_DENIED",
        "routes.allowed does not have the route.",
        403,
        rules={"routes": RouteRules(allowed=("/v1/models",))},
    ),
    Denial(
        "routes",
        "ROUTE_DENIED",
        "The role reader denies the route.",
        403,
        rules={"roles": (role(deny=Grant(routes=(CHAT,))),)},
    ),
    Denial(
        "routes",
        "ROUTE_DENIED",
        "routes.admin_only has the route, and the holder is no administrator.",
        403,
        rules={"routes": RouteRules(admin_only=(CHAT,))},
    ),
    Denial(
        "routes",
        "ROUTE_NOT_GRANTED",
        "No grant of the holder's roles, team or user covers the route.",
        asked={"route": "/v1/embeddings"},
    ),
    Denial("models", "MODEL_REQUIRED", "The route needs a model.", asked={"model": None}),
    Denial("models", "MODEL_INVALID", "A model is malformed.", asked={"model": "gpt-*"}),
    Denial(
        "models",
        "MODEL_NOT_GRANTED",
        "The models of the user refuse requests without a model.",
        claims={},
        asked=WITHOUT_MODEL,
        rows={"users": (replace(ALICE, models=("no-default-models",)),)},
        options={"user.model_rules": "reference"},
    ),
    Denial(
        "models",
        "MODEL_DENIED",
        "The role reader denies the model.",
        rules={"roles": (role(deny=Grant(models=("gpt-4o",))),)},
    ),
    Denial(
        "models",
        "MODEL_NOT_GRANTED",
        "No grant that covers the route covers every model asked for.",
        asked={"model": "o1"},
    ),
    Denial(
        "models",
        "MODEL_NOT_GRANTED",
        "The models of the organization do not have every model asked for.",
        claims={**READER, "org": "acme"},
        rows={"organizations": (Organization(id="acme", models=("o1",)),)},
    ),
    Denial(
        "models",
        "MODEL_NOT_GRANTED",
        "The models of the user do not have every model asked for.",
        claims=RED,
        rows={"teams": (RED_TEAM,), "users": (replace(ALICE, models=("o1",)),)},
    ),
    *(
        Denial(
            "budgets",
            f"{kind.name}_BUDGET_EXHAUSTED",
            f"The budget of the {words} is exhausted.",
            400,
            claims={**RED, "customer": "customer"},
            rows=exhausted(kind, owner_id, team),
        )
        for kind, words, owner_id, team in (
            (BudgetKind.TEAM, "team", "red", ""),
            (BudgetKind.USER, "user", "alice", ""),
            (BudgetKind.MEMBER, "member", "alice", "red"),
            (BudgetKind.ORGANIZATION, "organization", "acme", ""),
            (BudgetKind.END_USER, "end_user", "customer", ""),
        )
    ),
    Denial(
        "end_user_required",
        "END_USER_REQUIRED",
        "routes.end_user_required is set, and the request names no end user.",
        rules={"routes": RouteRules(llm=(CHAT,), end_user_required=True)},
    ),
    Denial(
        "global_budget",
        "GLOBAL_BUDGET_EXHAUSTED",
        "The global budget is exhausted.",
        400,
        rows={"usage": ((BudgetOwner(BudgetKind.GLOBAL), 10),)},
        rules={"routes": RouteRules(llm=(CHAT,)), "budgets": BudgetRules(global_max_micro_usd=10)},
    ),
    Denial(
        "guardrails",
        "GUARDRAILS_NOT_MODIFIABLE",
        "The team's metadata says modify_guardrails: false.",
        403,
        claims=RED,
        asked={"modifies_guardrails": True},
        rows={"teams": (replace(RED_TEAM, guardrails_modifiable=False),)},
    ),
    Denial(
        "organization_role",
        "ORGANIZATION_ROLE_REQUIRED",
        "Only administrators make organizations.",
        claims={},
        asked={"route": "/organization/new", "model": None},
        rows={"users": (ALICE,)},
        rules={"users": UserRules(routes=("/organization/new",))},
    ),
    Denial(
        "organization_role",
        "ORGANIZATION_ROLE_REQUIRED",
        "The user is no administrator of the organization that the request acts on.",
        claims={},
        asked={"route": "/team/new", "model": None},
        rows={"users": (replace(ALICE, organizations=("acme",)),)},
        rules={"users": UserRules(routes=("/team/new",))},
    ),
]


@pytest.mark.parametrize("denial", DENIALS, ids=names(DENIALS))
def test_an_operator_reads_which_rule_denied(denial: Denial) -> None:
    assert denial.told() == (denial.check, denial.reason, denial.note)


@pytest.mark.parametrize("denial", DENIALS, ids=names(DENIALS))
def test_the_references_status_goes_with_a_denial_where_that_is_asked_for(denial: Denial) -> None:
    assert denial.statuses() == (None, denial.status)
