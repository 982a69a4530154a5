"""Denials of the holder tell an operator in one sentence why; and which status the reference answers with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denials import ALICE, READER, RED, RED_TEAM, TEAMS, Denial, names
from usherd.domain import PrincipalKind
from usherd.facts import Organization, Team
from usherd.policy import (
    TEAM,
    ClaimPaths,
    Grant,
    InternalRoleRules,
    MayGrant,
    RolePermission,
    ScopeMapping,
    ScopeRules,
    UserRules,
)
from worlds import issuer, role


def of_roles() -> dict[str, Any]:
    permissions = (RolePermission(role=TEAM, models=("o1",), routes=None),)
    return {"internal_roles": InternalRoleRules(enforce=True, permissions=permissions)}


def of_scopes(
    scope: str, models: tuple[str, ...] = (), routes: tuple[str, ...] | None = None, issuer: str = "idp"
) -> dict[str, Any]:
    mapping = ScopeMapping(issuer=issuer, scope=scope, models=models, routes=routes)
    return {"scopes": ScopeRules(enforce=True, mappings=(mapping,))}


HOLDS_NOTHING = "holds no role, names no existing team, and its holder is no known user"

DENIALS = [
    Denial(
        "identity",
        "CLAIM_INVALID",
        "The claim org_alias is not one text of 1 to 256 printable characters.",
        claims={**READER, "org_alias": 7},
    ),
    Denial(
        "identity",
        "CLAIM_INVALID",
        "The claim groups is neither a text nor a list of texts, each of 1 to 256 printable characters.",
        claims={**READER, "groups": ["a", None]},
    ),
    Denial(
        "identity",
        "CLAIM_INVALID",
        r"The claim https://x\.example/y.roles is neither a text nor a list of texts,"
        " each of 1 to 256 printable characters.",
        claims={"https://x.example/y": {"roles": {}}},
        rules={"roles": (role(when=(("as written", ("https://x.example/y", "roles"), ("Reader",)),)),)},
    ),
    Denial(
        "identity",
        "CLAIM_INVALID",
        "The claim groups[0] is neither a list nor an object, or it holds one of these.",
        claims={"groups": [7]},
        rules={"issuers": (issuer(claims=ClaimPaths(teams=("groups", 0))),)},
        options={"claims.wrong_type": "reference"},
    ),
    Denial(
        "identity",
        "CLAIM_INVALID",
        "The claim scp is neither a text nor a list.",
        claims={"scp": 7},
        options={"claims.wrong_type": "reference"},
    ),
    Denial(
        "identity",
        "CLAIM_INVALID",
        "A rule reads the e-mail address, and email_verified is there and not true.",
        claims={**READER, "email": "a@corp.example", "email_verified": "true"},
        rules={"users": UserRules(email_domains=frozenset({"corp.example"}))},
    ),
    Denial(
        "identity",
        "CLAIM_INVALID",
        "The claim _claim_names is not an object.",
        claims={**READER, "_claim_names": ["groups"]},
    ),
    Denial(
        "identity",
        "GROUPS_OVERAGE",
        "The issuer left the claim groups out, which a rule reads.",
        claims={**READER, "hasgroups": "true"},
    ),
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
        "scopes.enforce is set, and the token has none of the mapped scopes: chat.",
        403,
        rules=of_scopes("chat"),
    ),
    Denial(
        "scopes",
        "NOT_ENTITLED",
        "scopes.enforce is set, and the token has none of the mapped scopes, of which its issuer has none.",
        403,
        rules={**of_scopes("chat", issuer="other"), "issuers": (issuer(), issuer("other"))},
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
        f"The token, a user's, {HOLDS_NOTHING}; for users there is the role reader (by roles); teams are read from"
        " groups, team and team_alias.",
        403,
        claims={},
    ),
    Denial(
        "entitlement",
        "NOT_ENTITLED",
        f"The token, a service's, {HOLDS_NOTHING}; for services there are the roles r1 (by roles), r2 (by a and b),"
        " r3 (by roles), r4 (by roles), r5 (by roles) and 2 more.",
        403,
        claims={"idtyp": "app"},
        rules={
            "issuers": (issuer(claims=ClaimPaths()), issuer("other")),
            "roles": (
                role("persons", kinds=frozenset({PrincipalKind.USER})),
                role("others", issuer="other"),
                role("r1"),
                role("r2", when=(("a", ("a",), ("x",)), ("b", ("b",), ("x",)))),
                *(role(f"r{each}") for each in range(3, 8)),
            ),
        },
    ),
    Denial(
        "entitlement",
        "NOT_ENTITLED",
        f"The token, a service's, {HOLDS_NOTHING}; it would hold the role reader, which is not for services; teams are"
        " read from groups, team and team_alias.",
        403,
        claims={**READER, "idtyp": "app"},
        rules={"roles": (role(kinds=frozenset({PrincipalKind.USER})), role("robot", value="Robot"))},
    ),
    Denial(
        "entitlement",
        "NOT_ENTITLED",
        f"The token, a user's, {HOLDS_NOTHING}; no role of its issuer is for users; teams are read from groups,"
        " team and team_alias.",
        403,
        claims={"unreadable": 7},
        rules={
            "roles": (
                role(claim="unreadable", kinds=frozenset({PrincipalKind.SERVICE})),
                role("others", issuer="other"),
            ),
            "issuers": (issuer(), issuer("other")),
        },
    ),
    Denial(
        "entitlement",
        "NOT_ENTITLED",
        f"The token, a user's, {HOLDS_NOTHING}; its issuer has neither roles nor a claim for teams.",
        403,
        rules={"issuers": (issuer(claims=ClaimPaths()),), "roles": ()},
    ),
    Denial(
        "entitlement",
        "NOT_ENTITLED",
        f"The token, a user's, {HOLDS_NOTHING}; teams are read from https://x\\.example/y.teams.",
        403,
        rules={"issuers": (issuer(claims=ClaimPaths(teams=("https://x.example/y", "teams"))),), "roles": ()},
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
        "The directory has none of the token's teams.",
        403,
        claims={**READER, "groups": ["nowhere"]},
        options={"team.none_qualifies": "continue"},
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
        "EMAIL_DOMAIN_NOT_ALLOWED",
        "users.email_domains asks for an address, and the token has none.",
        403,
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
]


@pytest.mark.parametrize("denial", DENIALS, ids=names(DENIALS))
def test_an_operator_reads_which_rule_denied(denial: Denial) -> None:
    assert denial.told() == (denial.check, denial.reason, denial.note)


@pytest.mark.parametrize("denial", DENIALS, ids=names(DENIALS))
def test_the_references_status_goes_with_a_denial_where_that_is_asked_for(denial: Denial) -> None:
    assert denial.statuses() == (None, denial.status)
