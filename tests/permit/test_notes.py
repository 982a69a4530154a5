"""Each denial tells an operator in one sentence why; and which status the reference answers with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from usherd.domain import CheckOutcome, CheckResult, Limit
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Membership, Organization, Team, User
from usherd.options import BY_NAME, STRICT, with_values
from usherd.policy import (
    TEAM,
    BudgetRules,
    Grant,
    InternalRoleRules,
    MayGrant,
    RolePermission,
    RouteRules,
    ScopeMapping,
    ScopeRules,
    TeamRules,
    UserRules,
)
from worlds import CHAT, World, issuer, policy, role

READER = {"roles": "Reader"}
RED = {"groups": ["red"]}
TEN = Limit(max_budget_micro_usd=10)
RED_TEAM = Team(id="red", models=("*",))
ALICE = User(id="alice", models=("*",))
TEAMS = TeamRules(routes=(CHAT, "/v1/models"))
WITHOUT_MODEL = {"route": "/v1/models", "model": None}


@dataclass(frozen=True)
class Denial:
    """A question, how its first denial is told, and the HTTP status of the reference for it."""

    check: str
    reason: str
    note: str
    status: int = 401
    claims: dict[str, Any] = field(default_factory=lambda: dict(READER))
    asked: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def of_roles() -> dict[str, Any]:
    permissions = (RolePermission(role=TEAM, models=("o1",), routes=None),)
    return {"internal_roles": InternalRoleRules(enforce=True, permissions=permissions)}


def of_scopes(scope: str, models: tuple[str, ...] = (), routes: tuple[str, ...] | None = None) -> dict[str, Any]:
    mapping = ScopeMapping(issuer="idp", scope=scope, models=models, routes=routes)
    return {"scopes": ScopeRules(enforce=True, mappings=(mapping,))}


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
        "internal_role",
        "ROLE_REQUIRED",
        "Internal roles are enforced, and the token holds no role.",
        403,
        claims={},
        rules={"internal_roles": InternalRoleRules(enforce=True)},
    ),
    Denial(
        "internal_role",
        "MODEL_NOT_GRANTED",
        "role_permissions of no role that the token holds permit it.",
        403,
        claims=RED,
        rows={"teams": (RED_TEAM,)},
        rules=of_roles(),
    ),
    Denial(
        "scopes",
        "NOT_ENTITLED",
        "scopes.enforce is set, and the token has none of the mapped scopes.",
        403,
        rules=of_scopes("chat"),
    ),
    Denial(
        "scopes",
        "ROUTE_NOT_GRANTED",
        "No scope of the token permits the route.",
        claims={**READER, "scope": "list"},
        rules=of_scopes("list", ("*",), ("/v1/models",)),
    ),
    Denial(
        "scopes",
        "MODEL_NOT_GRANTED",
        "No scope of the token permits every model asked for.",
        403,
        claims={**READER, "scope": "o"},
        rules=of_scopes("o", ("o1",)),
    ),
    Denial(
        "entitlement",
        "NOT_ENTITLED",
        "The token holds no role, names no existing team, and its holder is no known user.",
        403,
        claims={},
    ),
    Denial(
        "team",
        "TEAM_NOT_ALLOWED",
        "The wished or named team is not one that the token can act for.",
        asked={"team_id": "blue"},
        rows={"teams": (RED_TEAM, Team(id="blue"))},
        claims={**READER, **RED},
    ),
    Denial(
        "team",
        "TEAM_NOT_ALLOWED",
        "The wished or named team is not one that the token can act for.",
        asked={"team_id": "red"},
        claims={**READER, **RED},
    ),
    Denial(
        "team",
        "TEAM_REQUIRED",
        "teams.required is any, and there is no team, not even a default one.",
        rules={"teams": replace(TEAMS, required="any")},
    ),
    Denial(
        "team",
        "TEAM_REQUIRED",
        "teams.required is claim, and the token names no existing team.",
        rules={"teams": replace(TEAMS, required="claim")},
    ),
    Denial(
        "team",
        "TEAM_REQUIRED",
        "teams.required is claim, and the token names no team.",
        401,
        rules={"teams": replace(TEAMS, required="claim")},
        options={"team.choice": "reference"},
    ),
    Denial(
        "team",
        "TEAM_REQUIRED",
        "teams.required is claim, and the token names no team.",
        403,
        rules={
            "teams": replace(TEAMS, required="claim"),
            "issuers": (issuer(claims=replace(issuer().claims, team=None)),),
        },
        options={"team.choice": "reference"},
    ),
    Denial(
        "team",
        "MODEL_NOT_GRANTED",
        "None of the token's teams has the route and the model.",
        403,
        claims={**READER, **RED},
        rows={"teams": (Team(id="red", models=("o1",)),)},
        rules={"roles": (role(grants=Grant(routes=("/v1/models",))),)},
        options={"team.none_qualifies": "continue"},
    ),
    Denial(
        "team",
        "TEAM_NOT_ALLOWED",
        "The directory does not know the token's team.",
        claims={**READER, "team": "nowhere"},
        options={"team.choice": "reference"},
    ),
    Denial(
        "organization",
        "ORGANIZATION_MISMATCH",
        "The organization's alias does not name one organization.",
        claims={**READER, "org_alias": "Nobody"},
    ),
    Denial(
        "organization",
        "ORGANIZATION_MISMATCH",
        "The issuer may not grant the token's organization.",
        claims={**READER, "org": "acme"},
        rows={"organizations": (Organization(id="acme"),)},
        rules={"issuers": (issuer(may_grant=MayGrant(organizations=frozenset({"other"}))),)},
    ),
    Denial(
        "organization",
        "ORGANIZATION_MISMATCH",
        "The token's organization is not that of the chosen team.",
        claims={**RED, "org": "other"},
        rows={
            "organizations": (Organization(id="acme"), Organization(id="other")),
            "teams": (replace(RED_TEAM, organization="acme"),),
        },
    ),
    Denial(
        "organization",
        "ORGANIZATION_MISMATCH",
        "The directory does not know the organization.",
        claims={**READER, "org": "nowhere"},
    ),
    Denial(
        "organization",
        "ORGANIZATION_MISMATCH",
        "The question's organization_id is not 1 to 256 printable characters.",
        asked={"organization_id": "x" * 257},
    ),
    Denial(
        "organization",
        "ORGANIZATION_MISMATCH",
        "The request acts on an organization that is not the holder's.",
        asked={"organization_id": "acme"},
        rows={"organizations": (Organization(id="acme"),)},
    ),
    Denial(
        "organization",
        "ORGANIZATION_MISMATCH",
        "The directory does not know the organization that the request acts on.",
        asked={"organization_id": "gone"},
        rows={"users": (replace(ALICE, organizations=("gone",)),)},
    ),
    Denial(
        "organization",
        "ORGANIZATION_BLOCKED",
        "The directory blocks the organization that the request acts on.",
        asked={"organization_id": "acme"},
        rows={
            "users": (replace(ALICE, organizations=("acme",)),),
            "organizations": (Organization(id="acme", blocked=True),),
        },
    ),
    Denial(
        "user",
        "EMAIL_DOMAIN_NOT_ALLOWED",
        "users.email_domains does not have the address's domain.",
        403,
        claims={**READER, "email": "a@evil.example"},
        rules={"users": UserRules(email_domains=frozenset({"corp.example"}))},
    ),
    Denial(
        "user",
        "USER_UNKNOWN",
        "The directory does not know the token's user.",
        options={"user.unknown": "refused"},
    ),
    Denial(
        "identity_required",
        "IDENTITY_REQUIRED",
        "The token names no user and no team.",
        403,
        claims={**READER, "sub": ...},
        rules={"internal_roles": InternalRoleRules(enforce_id=True)},
    ),
    Denial(
        "end_user",
        "END_USER_INVALID",
        "The question's end_user_id is not 1 to 256 printable characters.",
        asked={"end_user_id": "x\n"},
    ),
    Denial(
        "end_user",
        "END_USER_INVALID",
        "The token's user has the id that the reference gives its end user.",
        claims={**READER, "sub": "end_user_id:customer"},
        asked={"end_user_id": "customer"},
        options={"end_user.judged": "token"},
    ),
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


def world(denial: Denial, status: str) -> World:
    options = with_values(STRICT, {**denial.options, "http_status": status})
    return World(policy=policy(**{"options": options, **denial.rules}), **denial.rows)


@pytest.mark.parametrize("denial", DENIALS, ids=[f"{each.check}: {each.note}" for each in DENIALS])
def test_an_operator_reads_which_rule_denied(denial: Denial) -> None:
    explanation = world(denial, "usherd").ask(claims=denial.claims, explain=True, **denial.asked).verdict.explanation

    assert explanation is not None
    first = next(each for each in explanation.checks if each.outcome is not CheckOutcome.PASSED and each.reason)
    assert (first.check, first.reason and first.reason.name, first.note) == (denial.check, denial.reason, denial.note)


@pytest.mark.parametrize("denial", DENIALS, ids=[f"{each.check}: {each.note}" for each in DENIALS])
def test_the_references_status_goes_with_a_denial_where_that_is_asked_for(denial: Denial) -> None:
    verdict = world(denial, BY_NAME["http_status"].values[1]).ask(claims=denial.claims, **denial.asked).verdict

    assert (verdict.reason.name, verdict.http_status) == (denial.reason, denial.status)
    assert world(denial, "usherd").ask(claims=denial.claims, **denial.asked).verdict.http_status is None


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
                **of_scopes("chat", ("*",)),
                internal_roles=InternalRoleRules(enforce=True, enforce_id=True),
                routes=RouteRules(llm=(CHAT,), end_user_required=True, organization_admin=(CHAT,)),
                budgets=BudgetRules(global_max_micro_usd=10),
            ),
            teams=(replace(RED_TEAM, organization="acme", limit=TEN),),
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
