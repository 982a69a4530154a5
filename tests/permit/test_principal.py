"""An answer, a denial too, tells who asked as far as that is known, and which limits the directory sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.domain import Limit, Limits, Principal, PrincipalKind
from usherd.facts import Membership, Organization, Team, User
from usherd.options import STRICT, with_values
from usherd.policy import BudgetRules, ProvisionRules, TeamRules, UserRules
from worlds import CHAT, World, issuer, policy

FULL = Limit(tpm=1, rpm=2, max_budget_micro_usd=3, budget_reset_seconds=4)
RED = Team(
    id="red",
    alias="Red",
    organization="acme",
    models=("o1", "gpt-4o"),
    limit=FULL,
    members={"u1": Membership(max_budget_micro_usd=5), "u2": Membership()},
)
ALICE = User(
    id="u1",
    identities=(("idp", "alice"),),
    email="row@x.example",
    role="internal_user",
    models=("o1", "gpt-4o"),
    limit=replace(FULL, rpm=None),
)
ACME = Organization(id="acme", alias="Acme")


def world(**changes: Any) -> World:
    rows: dict[str, Any] = {"teams": (RED,), "users": (ALICE,), "organizations": (ACME,)}
    mine = issuer(answer_claims=(("tid", ("tid",)),))
    return World(**({"policy": policy(issuers=(mine,))} | rows | changes))


EVERYTHING: dict[str, Any] = {
    "sub": "alice",
    "azp": "app",
    "email": "claim@x.example",
    "groups": ["red"],
    "roles": "Reader",
    "scope": "b a",
    "tid": "t1",
}


@pytest.mark.parametrize("model", ["gpt-4o", "claude-3"])
def test_an_answer_tells_who_asked_whatever_it_says(model: str) -> None:
    verdict = world().ask(claims=EVERYTHING, model=model, end_user_id="customer").verdict

    assert verdict.reason.name == ("ALLOWED" if model == "gpt-4o" else "MODEL_NOT_GRANTED")
    assert verdict.principal == Principal(
        kind=PrincipalKind.USER,
        issuer="https://idp.example",
        subject="alice",
        client="app",
        directory_role="internal_user",
        is_admin=False,
        user_id="u1",
        email="claim@x.example",
        team_id="red",
        team_alias="Red",
        organization_id="acme",
        end_user_id="customer",
        scopes=("a", "b"),
        roles=("reader",),
        claims=(("tid", '"t1"'),),
    )


def test_what_is_not_known_is_empty() -> None:
    principal = World().ask(claims={"sub": ...}).verdict.principal

    assert principal == Principal(kind=PrincipalKind.USER, issuer="https://idp.example")


@pytest.mark.parametrize(
    ("claims", "effective", "user_id", "email"),
    [
        ({}, "row", "u1", "row@x.example"),
        ({}, "claim", "alice", "row@x.example"),
        ({"email": "claim@x.example"}, "row", "u1", "claim@x.example"),
        ({"sub": "stranger"}, "row", "stranger", ""),
        ({"sub": "stranger", "email": "claim@x.example"}, "claim", "stranger", "claim@x.example"),
    ],
)
def test_the_tokens_address_comes_before_the_rows(
    claims: dict[str, Any], effective: str, user_id: str, email: str
) -> None:
    chosen = policy(options=with_values(STRICT, {"user.effective_id": effective}))

    principal = world(policy=chosen).ask(claims=claims).verdict.principal

    assert principal is not None
    assert (principal.user_id, principal.email) == (user_id, email)


@pytest.mark.parametrize(
    ("claims", "organization"),
    [
        ({"roles": "Reader", "org": "acme"}, "acme"),
        ({"roles": "Reader", "org_alias": "Acme"}, "acme"),
        ({"roles": "Reader", "org_alias": "Nobody"}, ""),
        ({"roles": "Reader", "org": "nowhere"}, "nowhere"),
        ({"groups": ["red"], "org": "acme"}, "acme"),
        ({"roles": "Reader"}, ""),
    ],
)
def test_the_organization_is_the_teams_or_the_tokens(claims: dict[str, Any], organization: str) -> None:
    principal = world(users=()).ask(claims=claims).verdict.principal

    assert principal is not None
    assert principal.organization_id == organization


@pytest.mark.parametrize(
    ("matched", "claims", "organization", "reason"),
    [
        ("required", {"groups": ["red"], "org": "other"}, "acme", "ORGANIZATION_MISMATCH"),
        ("ignored", {"groups": ["red"], "org": "other"}, "other", "ALLOWED"),
        ("ignored", {"groups": ["red"]}, "", "ALLOWED"),
        ("ignored", {"groups": ["red"], "org": "nowhere"}, "nowhere", "ORGANIZATION_MISMATCH"),
    ],
)
def test_the_teams_organization_does_not_count_where_an_option_ignores_it(
    matched: str, claims: dict[str, Any], organization: str, reason: str
) -> None:
    options = with_values(STRICT, {"organization.match": matched})
    asking = world(policy=policy(options=options), users=(), organizations=(ACME, Organization(id="other")))

    verdict = asking.ask(claims=claims).verdict

    assert verdict.principal is not None
    assert (verdict.principal.organization_id, verdict.reason.name) == (organization, reason)


@pytest.mark.parametrize(("matched", "reason"), [("required", "ORGANIZATION_MISMATCH"), ("ignored", "ALLOWED")])
def test_what_a_request_acts_on_does_not_count_where_an_option_ignores_it(matched: str, reason: str) -> None:
    asking = world(policy=policy(options=with_values(STRICT, {"organization.match": matched})))

    assert asking.reason(claims={"roles": "Reader"}, organization_id="acme") == reason


def test_a_default_teams_organization_is_not_the_holders() -> None:
    asking = world(
        policy=policy(teams=TeamRules(routes=(CHAT,), default="red")), organizations=(ACME, Organization(id="other"))
    )

    principal = asking.ask(claims={"roles": "Reader", "org": "other"}).verdict.principal

    assert asking.reason(claims={"roles": "Reader", "org": "other"}) == "ALLOWED"
    assert principal is not None
    assert (principal.team_id, principal.organization_id) == ("red", "other")


def test_an_administrator_who_is_answered_at_once_is_looked_up_nowhere() -> None:
    asking = world(policy=policy(options=with_values(STRICT, {"admin.loaded": False})))

    verdict = asking.ask(
        claims={**EVERYTHING, "scope": "admin", "org": "nowhere"},
        route="/key/generate",
        model=None,
        end_user_id="customer",
        team_id="not mine",
    ).verdict

    assert verdict.reason.name == "ALLOWED"
    assert verdict.principal is not None
    assert (verdict.principal.is_admin, verdict.principal.directory_role) == (True, "")
    assert (verdict.principal.team_id, verdict.principal.end_user_id) == ("", "")
    assert (verdict.principal.user_id, verdict.principal.organization_id) == ("alice", "nowhere")
    assert {each.kind.name for each in verdict.depends_on} == {"TOKEN", "KEY", "ISSUER", "POLICY"}


def limits_of(asking: World, **claims: Any) -> Limits | None:
    verdict = asking.ask(claims=claims).verdict
    assert verdict.reason.name == "ALLOWED"
    return verdict.limits


def test_the_limits_are_those_of_team_user_and_member_with_models_in_order() -> None:
    assert limits_of(world(), groups=["red"]) == Limits(
        team=Limit(tpm=1, rpm=2, max_budget_micro_usd=3, budget_reset_seconds=4, models=("gpt-4o", "o1")),
        user=Limit(tpm=1, max_budget_micro_usd=3, budget_reset_seconds=4, models=("gpt-4o", "o1")),
        member=Limit(max_budget_micro_usd=5),
    )
    assert limits_of(world()) == Limits(user=replace(ALICE.limit, models=("gpt-4o", "o1")))
    assert limits_of(world(users=()), groups=["red"]) == Limits(team=replace(FULL, models=("gpt-4o", "o1")))


@pytest.mark.parametrize(
    ("team", "user", "limits"),
    [
        (Team(id="red"), User(id="alice"), None),
        (Team(id="red", models=()), None, None),
        (Team(id="red", members={"alice": Membership()}), User(id="alice"), None),
        (Team(id="red", models=("*",)), User(id="alice"), Limits(team=Limit(models=("*",)))),
        (Team(id="red", limit=Limit(rpm=1)), None, Limits(team=Limit(rpm=1))),
        (None, User(id="alice", limit=Limit(tpm=1)), Limits(user=Limit(tpm=1))),
        (
            Team(id="red", members={"alice": Membership(max_budget_micro_usd=0)}),
            User(id="alice"),
            Limits(member=Limit(max_budget_micro_usd=0)),
        ),
    ],
)
def test_a_row_that_sets_nothing_has_no_limits(team: Team | None, user: User | None, limits: Limits | None) -> None:
    asking = World(
        policy=policy(budgets=BudgetRules(enforce=False)),
        teams=() if team is None else (team,),
        users=() if user is None else (user,),
    )

    assert limits_of(asking, roles="Reader", groups=["red"]) == limits


def test_a_changed_row_has_other_limits() -> None:
    asking = world()
    question = asking.question(claims={"groups": ["red"]})
    before = asking.answer(question).verdict.limits

    asking.directory.replace(replace(asking.rows(), teams=(replace(RED, limit=Limit(rpm=9)),)))
    after = asking.answer(question).verdict.limits

    assert before is not None
    assert after is not None
    assert before.team == replace(FULL, models=("gpt-4o", "o1"))
    assert after.team == Limit(rpm=9, models=("gpt-4o", "o1"))


def test_a_new_users_row_is_told_like_a_known_ones() -> None:
    rules = ProvisionRules(always=True, defaults={"models": ("o1",), "max_budget_micro_usd": 5})
    asking = World(policy=policy(users=UserRules(routes=(CHAT,), provision=rules)))

    verdict = asking.ask(claims={"roles": "Reader", "email": "a@x.example"}).verdict

    assert verdict.limits == Limits(user=Limit(max_budget_micro_usd=5, models=("o1",)))
    assert verdict.principal is not None
    assert (verdict.principal.user_id, verdict.principal.email) == ("alice", "a@x.example")
