"""The team is chosen the same way whatever order the token is in, and blocks never move the choice."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from usherd.domain import Decision, Limit
from usherd.facts import EndUser, Membership, Organization, Team, User
from usherd.options import STRICT, with_values
from usherd.policy import MayGrant, TeamRules, UserRules
from worlds import CHAT, World, issuer, policy

A = Team(id="a", alias="Alpha", models=("gpt-4o",))
B = Team(id="b", alias="Beta", models=("o1",))
C = Team(id="c", alias="Beta", models=("gpt-4o", "o1"))
RULES = TeamRules(routes=(CHAT, "/v1/models"))


def team_of(decision: Decision) -> tuple[str, str]:
    assert decision.verdict.principal is not None
    return decision.verdict.reason.name, decision.verdict.principal.team_id


@pytest.mark.parametrize("groups", list(itertools.permutations(["a", "b", "c", "unknown", "a"])))
def test_claim_order_and_doubles_do_not_matter(groups: tuple[str, ...]) -> None:
    world = World(teams=(C, B, A))
    claims = {"groups": list(groups)}

    assert team_of(world.ask(claims=claims)) == ("ALLOWED", "a")
    assert team_of(world.ask(claims=claims, model="o1")) == ("ALLOWED", "b")


def test_the_configured_priority_comes_before_the_id() -> None:
    world = World(policy=policy(teams=replace(RULES, priority=("c", "b"))), teams=(A, B, C))

    assert team_of(world.ask(claims={"groups": ["a", "b", "c"]})) == ("ALLOWED", "c")


def test_one_team_must_cover_route_and_model() -> None:
    world = World(teams=(A, B))

    assert team_of(world.ask(claims={"groups": ["a", "b"]}, model="claude-3")) == ("MODEL_NOT_GRANTED", "a")
    assert team_of(world.ask(claims={"groups": ["a", "b"]}, route="/v1/embeddings")) == ("ROUTE_NOT_GRANTED", "a")


def test_a_wish_is_tried_first_and_must_be_one_of_the_tokens_existing_teams() -> None:
    world = World(teams=(A, B, C))
    claims = {"groups": ["a", "c", "unknown"]}

    assert team_of(world.ask(claims=claims, team_id="c")) == ("ALLOWED", "c")
    assert team_of(world.ask(claims=claims, team_alias="Alpha")) == ("ALLOWED", "a")
    for wish in ({"team_id": "b"}, {"team_id": "unknown"}, {"team_id": ""}, {"team_alias": "None"}, {"team_alias": ""}):
        assert world.reason(claims=claims, **wish) == "TEAM_NOT_ALLOWED", wish


def test_an_alias_of_two_teams_names_none() -> None:
    world = World(teams=(A, B, C))

    assert world.reason(claims={"groups": ["a", "b", "c"]}, team_alias="Beta") == "TEAM_NOT_ALLOWED"
    assert world.reason(claims={"groups": ["a"], "team_alias": "Beta"}) == "TEAM_NOT_ALLOWED"
    assert team_of(world.ask(claims={"team_alias": "Alpha"})) == ("ALLOWED", "a")


def test_an_alias_gets_no_team_that_the_issuer_may_not_grant() -> None:
    tight = policy(issuers=(replace(issuer(), may_grant=MayGrant(teams=frozenset({"b"}))),))

    assert (
        World(policy=tight, teams=(A, B)).reason(claims={"team_alias": "Alpha", "groups": ["b"]}) == "TEAM_NOT_ALLOWED"
    )


def test_groups_match_ids_and_never_aliases() -> None:
    assert World(teams=(A,)).reason(claims={"groups": ["Alpha"]}) == "NOT_ENTITLED"


@pytest.mark.parametrize(
    ("required", "default", "claims", "reason"),
    [
        ("none", None, {"roles": "Reader"}, "ALLOWED"),
        ("claim", None, {"roles": "Reader"}, "TEAM_REQUIRED"),
        ("claim", "a", {"roles": "Reader"}, "TEAM_REQUIRED"),
        ("claim", None, {"groups": ["a"]}, "ALLOWED"),
        ("any", None, {"roles": "Reader"}, "TEAM_REQUIRED"),
        ("any", "a", {"roles": "Reader"}, "ALLOWED"),
        ("any", "unknown", {"roles": "Reader"}, "TEAM_REQUIRED"),
        ("any", "a", {}, "NOT_ENTITLED"),
        ("none", "a", {}, "NOT_ENTITLED"),
    ],
)
def test_a_default_team_is_no_entry(required: str, default: str | None, claims: dict[str, object], reason: str) -> None:
    world = World(policy=policy(teams=replace(RULES, required=required, default=default)), teams=(A,))

    assert world.reason(claims=claims) == reason


def test_a_default_team_gives_limits_and_no_models() -> None:
    team = replace(B, limit=Limit(rpm=5))
    world = World(policy=policy(teams=replace(RULES, default="b")), teams=(team,))

    decision = world.ask(claims={"roles": "Reader"})

    assert team_of(decision) == ("ALLOWED", "b")
    assert decision.verdict.limits is not None
    assert decision.verdict.limits.team == Limit(rpm=5, models=("o1",))
    assert world.reason(claims={"roles": "Reader"}, model="o1") == "MODEL_NOT_GRANTED"


def test_a_blocked_team_is_denied_and_another_is_not_taken_instead() -> None:
    world = World(teams=(replace(A, blocked=True), C))

    assert team_of(world.ask(claims={"groups": ["a", "c"]})) == ("TEAM_BLOCKED", "a")


@pytest.mark.parametrize(
    "claims", [{"groups": ["a"]}, {"groups": ["a"], "scope": "admin"}, {"groups": ["a"], "roles": "Reader"}]
)
def test_nobody_acts_while_blocked(claims: dict[str, object]) -> None:
    team = replace(A, organization="acme")
    acme, alice, customer = Organization(id="acme"), User(id="alice"), EndUser(id="customer-1")

    def reason(**changes: object) -> str:
        rows: dict[str, object] = {
            "teams": (team,),
            "organizations": (acme,),
            "users": (alice,),
            "end_users": (customer,),
        }
        return World(**(rows | changes)).reason(claims=claims, end_user_id="customer-1")  # type: ignore[arg-type]

    assert reason() == "ALLOWED"
    assert reason(users=(replace(alice, blocked=True),)) == "USER_BLOCKED"
    assert reason(teams=(replace(team, blocked=True),)) == "TEAM_BLOCKED"
    assert reason(organizations=(replace(acme, blocked=True),)) == "ORGANIZATION_BLOCKED"
    assert reason(end_users=(replace(customer, blocked=True),)) == "END_USER_BLOCKED"


def test_the_tokens_end_user_cannot_be_talked_away() -> None:
    world = World(end_users=(EndUser(id="bad", blocked=True),))
    claims = {"roles": "Reader", "customer": "bad"}

    assert world.reason(claims=claims, end_user_id="good") == "END_USER_BLOCKED"
    assert world.reason(claims={"roles": "Reader"}, end_user_id="new") == "ALLOWED"


@pytest.mark.parametrize("end_user", ["x\n", "x" * 257, "\u202eevil"])
def test_an_end_user_has_an_id_that_one_can_have(end_user: str) -> None:
    assert World().reason(claims={"roles": "Reader"}, end_user_id=end_user) == "END_USER_INVALID"


@pytest.mark.parametrize(
    ("team_org", "token_org", "asked_org", "reason"),
    [
        ("acme", None, "", "ALLOWED"),
        ("acme", "acme", "", "ALLOWED"),
        ("acme", "other", "", "ORGANIZATION_MISMATCH"),
        ("", "acme", "", "ALLOWED"),
        ("", "nowhere", "", "ORGANIZATION_MISMATCH"),
        ("acme", None, "acme", "ALLOWED"),
        ("acme", None, "other", "ORGANIZATION_MISMATCH"),
        ("", None, "acme", "ORGANIZATION_MISMATCH"),
        ("nowhere", None, "", "ORGANIZATION_MISMATCH"),
    ],
)
def test_token_team_and_question_agree_on_the_organization(
    team_org: str, token_org: str | None, asked_org: str, reason: str
) -> None:
    world = World(
        teams=(replace(A, organization=team_org),), organizations=(Organization(id="acme"), Organization(id="other"))
    )
    claims = {"groups": ["a"], "org": token_org}

    assert world.reason(claims=claims, organization_id=asked_org) == reason


def test_limits_of_team_user_and_member_are_reported_and_spend_is_not() -> None:
    team = replace(A, limit=Limit(tpm=1000), members={"u1": Membership(max_budget_micro_usd=5)})
    user = User(id="u1", identities=(("idp", "alice"),), limit=Limit(rpm=3), models=("gpt-4o",))

    limits = World(teams=(team,), users=(user,)).ask(claims={"groups": ["a"]}).verdict.limits

    assert limits is not None
    assert limits.team == Limit(tpm=1000, models=("gpt-4o",))
    assert limits.user == Limit(rpm=3, models=("gpt-4o",))
    assert limits.member == Limit(max_budget_micro_usd=5)


def test_the_organization_that_a_request_acts_on_must_exist_and_not_be_blocked() -> None:
    world = World(
        users=(User(id="alice", models=("*",), organizations=("acme", "gone", "shut")),),
        organizations=(Organization(id="acme"), Organization(id="shut", blocked=True)),
    )

    def reason(asked: str, **claims: object) -> str:
        return world.reason(claims=claims, organization_id=asked)

    assert [reason(asked) for asked in ("acme", "gone", "shut", "other")] == [
        "ALLOWED",
        "ORGANIZATION_MISMATCH",
        "ORGANIZATION_BLOCKED",
        "ORGANIZATION_MISMATCH",
    ]
    assert [reason(asked, scope="admin") for asked in ("acme", "shut", "x\x00")] == [
        "ALLOWED",
        "ORGANIZATION_BLOCKED",
        "ORGANIZATION_MISMATCH",
    ]


def test_an_id_that_nobody_can_have_is_not_repeated_in_the_answer() -> None:
    for asked in ({"end_user_id": "x" * 5000}, {"team_alias": "x" * 5000}):
        decision = World().ask(claims={"roles": "Reader"}, **asked)

        assert decision.verdict.reason.name in ("END_USER_INVALID", "TEAM_NOT_ALLOWED")
        assert "x" * 300 not in repr(decision.verdict)


def test_a_team_whose_id_looks_like_an_alias_is_a_dependency_of_its_own() -> None:
    teams = (Team(id="alias:R", models=("*",)), Team(id="r", alias="R", models=("*",)))
    world = World(teams=teams)

    decision = world.ask(claims={"groups": ["alias:R"], "team_alias": "R"})

    named = [each.id for each in decision.verdict.depends_on if each.kind.name == "TEAM"]
    assert named == ["alias:idp/R", "idp/alias:R"]


@pytest.mark.parametrize(
    ("team_org", "alias", "reason"),
    [
        ("", "Acme", "ALLOWED"),
        ("acme", "Acme", "ALLOWED"),
        ("other", "Acme", "ORGANIZATION_MISMATCH"),
        ("", "Nobody", "ORGANIZATION_MISMATCH"),
        ("acme", "Nobody", "ORGANIZATION_MISMATCH"),
        ("acme", "Twice", "ORGANIZATION_MISMATCH"),
    ],
)
def test_an_organizations_alias_names_one_organization_which_is_the_teams(
    team_org: str, alias: str, reason: str
) -> None:
    world = World(
        teams=(replace(A, organization=team_org),),
        organizations=(
            Organization(id="acme", alias="Acme"),
            Organization(id="other", alias="Twice"),
            Organization(id="third", alias="Twice"),
        ),
    )
    decision = world.ask(claims={"groups": ["a"], "org_alias": alias})

    assert decision.verdict.reason.name == reason
    if reason == "ALLOWED":
        assert decision.verdict.principal is not None
        assert decision.verdict.principal.organization_id == "acme"


@pytest.mark.parametrize("path", [{"org": "acme"}, {"org_alias": "Acme"}])
def test_an_organization_that_the_issuer_may_not_grant_is_refused_by_either_word(path: dict[str, str]) -> None:
    tight = policy(issuers=(replace(issuer(), may_grant=MayGrant(organizations=frozenset({"other"}))),))
    world = World(policy=tight, teams=(A,), organizations=(Organization(id="acme", alias="Acme"),))

    assert world.reason(claims={"groups": ["a"], **path}) == "ORGANIZATION_MISMATCH"


OWN = User(id="alice", teams=("b", "c"))


@pytest.mark.parametrize(
    ("value", "teams", "claims", "expected"),
    [
        ("never", ("b",), {}, ("ROUTE_NOT_GRANTED", "")),
        ("single", ("b",), {}, ("ALLOWED", "b")),
        ("single", ("b", "c"), {}, ("ROUTE_NOT_GRANTED", "")),
        ("all", ("c", "b"), {}, ("ALLOWED", "b")),
        ("all", ("c", "b"), {"groups": ["a"]}, ("MODEL_NOT_GRANTED", "a")),
        ("all", (), {}, ("ROUTE_NOT_GRANTED", "")),
        ("all", ("gone",), {}, ("ROUTE_NOT_GRANTED", "")),
        ("all", ("b",), {"sub": "stranger"}, ("NOT_ENTITLED", "")),
    ],
)
def test_a_token_without_teams_acts_for_the_users_own_where_the_policy_says_so(
    value: str, teams: tuple[str, ...], claims: dict[str, object], expected: tuple[str, str]
) -> None:
    rules = replace(RULES, from_directory=value)
    world = World(policy=policy(teams=rules, users=UserRules()), teams=(A, B, C), users=(replace(OWN, teams=teams),))

    assert team_of(world.ask(claims=claims, model="o1")) == expected


@pytest.mark.parametrize(
    ("falls_back", "claims", "expected"),
    [
        (True, {"groups": ["gone"]}, ("ALLOWED", "b")),
        (True, {"groups": ["gone", "a"]}, ("MODEL_NOT_GRANTED", "a")),
        (False, {"groups": ["gone"]}, ("ROUTE_NOT_GRANTED", "")),
        (True, {"team": "gone"}, ("ALLOWED", "b")),
    ],
)
@pytest.mark.parametrize("choice", ["route_and_model", "reference"])
def test_teams_that_the_directory_lacks_count_as_not_named_where_the_policy_says_so(
    choice: str, falls_back: bool, claims: dict[str, object], expected: tuple[str, str]
) -> None:
    rules = replace(RULES, from_directory="all", unknown_falls_back=falls_back)
    chosen = policy(teams=rules, users=UserRules(), options=with_values(STRICT, {"team.choice": choice}))

    assert team_of(World(policy=chosen, teams=(A, B, C), users=(OWN,)).ask(claims=claims, model="o1")) == expected


@pytest.mark.parametrize("choice", ["route_and_model", "reference"])
def test_a_team_of_the_directory_is_as_good_as_one_that_the_token_names_where_a_claim_is_required(choice: str) -> None:
    rules = replace(RULES, from_directory="all", unknown_falls_back=True, required="claim")
    chosen = policy(teams=rules, options=with_values(STRICT, {"team.choice": choice}))

    for claims in ({}, {"team": "gone"}):
        assert team_of(World(policy=chosen, teams=(B,), users=(OWN,)).ask(claims=claims, model="o1")) == (
            "ALLOWED",
            "b",
        )


def test_the_issuer_decides_which_of_the_users_own_teams_its_tokens_may_act_for() -> None:
    tight = policy(
        issuers=(replace(issuer(), may_grant=MayGrant(teams=frozenset({"c"}))),),
        teams=replace(RULES, from_directory="all", priority=("c",)),
    )

    assert team_of(World(policy=tight, teams=(A, B, C), users=(OWN,)).ask(model="o1")) == ("ALLOWED", "c")


def test_priority_orders_the_users_own_teams_too_and_a_wish_comes_first() -> None:
    world = World(
        policy=policy(teams=replace(RULES, from_directory="all", priority=("c",))), teams=(A, B, C), users=(OWN,)
    )

    assert team_of(world.ask(model="o1")) == ("ALLOWED", "c")
    assert team_of(world.ask(model="o1", team_id="b")) == ("ALLOWED", "b")
    assert team_of(world.ask(model="o1", team_id="a"))[0] == "TEAM_NOT_ALLOWED"
