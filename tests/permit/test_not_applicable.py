"""An explanation tells what was looked at, and what there was nothing to look at for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denials import ALICE, READER, RED, RED_TEAM, WITHOUT_MODEL
from usherd.domain import CheckResult, Limit
from usherd.facts import Organization
from usherd.policy import (
    BudgetRules,
    InternalRoleRules,
    RouteRules,
    ScopeMapping,
    ScopeRules,
)
from worlds import CHAT, World, policy


def test_a_check_that_had_nothing_to_look_at_is_not_told_as_passed() -> None:
    def outcomes(asking: World, **asked: Any) -> dict[str, str]:
        explanation = asking.ask(explain=True, **asked).verdict.explanation
        assert explanation is not None
        results: tuple[CheckResult, ...] = explanation.checks
        return {each.check: each.outcome.name for each in results}

    bare = outcomes(World(), claims={**READER, "sub": ...}, **WITHOUT_MODEL)
    full = outcomes(
        World(
            policy=policy(
                scopes=ScopeRules(enforce=True, mappings=(ScopeMapping(issuer="idp", scope="chat", models=("*",)),)),
                internal_roles=InternalRoleRules(enforce=True, enforce_id=True),
                routes=RouteRules(llm=(CHAT,), end_user_required=True, organization_admin=(CHAT,)),
                budgets=BudgetRules(global_max_micro_usd=10),
            ),
            teams=(replace(RED_TEAM, organization="acme", limit=Limit(max_budget_micro_usd=10)),),
            users=(replace(ALICE, organizations=("acme",), administers=("acme",)),),
            organizations=(Organization(id="acme"),),
        ),
        claims={**READER, **RED, "scope": "chat"},
        end_user_id="customer",
        organization_id="acme",
        modifies_guardrails=True,
    )

    assert {name for name, outcome in bare.items() if outcome == "PASSED"} == {
        "token",
        "identity",
        "entitlement",
        "blocked",
        "routes",
    }
    assert {name for name, outcome in full.items() if outcome != "PASSED"} == {"revocation", "hook"}


@pytest.mark.parametrize(
    ("asked", "reason", "note"),
    [
        (
            {"route": "/v1/embeddings"},
            "ROUTE_NOT_GRANTED",
            "No grant covers the route, so that none covers a model there.",
        ),
        ({"model": "o1"}, "MODEL_NOT_GRANTED", "No grant that covers the route covers every model asked for."),
    ],
)
def test_a_model_is_not_told_to_be_lacking_where_it_is_the_route(asked: dict[str, Any], reason: str, note: str) -> None:
    explanation = World().ask(claims=READER, explain=True, **asked).verdict.explanation

    assert explanation is not None
    (models,) = (each for each in explanation.checks if each.check == "models")
    assert models.reason is not None
    assert (models.reason.name, models.note) == (reason, note)
