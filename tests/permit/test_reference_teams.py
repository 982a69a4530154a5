"""Teams as the reference chooses them: a single one as it is, of several the first with the model, a default one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from usherd.domain import DependencyKind, Limit
from usherd.facts import Team, User
from usherd.options import STRICT, with_values
from usherd.policy import TEAM, InternalRoleRules, ProvisionRules, RoleMapping, TeamRules
from worlds import CHAT, Recorder, World, issuer, policy, role

A = Team(id="a", alias="Alpha", models=("o1",), limit=Limit(rpm=1))
B = Team(id="b", models=("gpt-4o",))
STAR = Team(id="star", models=("*",))
WILD = Team(id="wild", models=("gpt-4o*",))
NONE = Team(id="none", models=())
OURS = Team(id="ours", models=("ours",), model_aliases={"ours": "gpt-4o"})
ALICE = User(id="alice", models=("o1",))
ROUTES = (CHAT, "/v1/models")
TEAMS = TeamRules(routes=ROUTES)
REFERENCE = {"team.choice": "reference"}
EXACT = {**REFERENCE, "team.model_rules": "exact"}
APART = issuer(claims=replace(issuer().claims, team=None))
"""An issuer whose tokens have no claim for a single team."""


def world(options: dict[str, Any], teams: TeamRules = TEAMS, **changes: Any) -> World:
    rows = {name: changes.pop(name) for name in list(changes) if name in ("users", "provisioning")}
    chosen = policy(options=with_values(STRICT, options), **({"teams": teams, "issuers": (issuer(),)} | changes))
    return World(policy=chosen, teams=(A, B, STAR, WILD, NONE, OURS), **rows)


def answer(asking: World, **asked: Any) -> tuple[str, str, str]:
    """Reason, and the id and alias of the team in the answer."""
    verdict = asking.ask(**asked).verdict
    assert verdict.principal is not None
    return verdict.reason.name, verdict.principal.team_id, verdict.principal.team_alias


@pytest.mark.parametrize(
    ("claims", "model", "expected"),
    [
        ({"team": "a"}, "o1", ("ALLOWED", "a", "Alpha")),
        ({"team": "a"}, "gpt-4o", ("MODEL_NOT_GRANTED", "a", "Alpha")),
        # The groups are hidden by it, even where they would do.
        ({"team": "a", "groups": ["b"]}, "gpt-4o", ("MODEL_NOT_GRANTED", "a", "Alpha")),
        # What a role grants counts with any team.
        ({"team": "a", "roles": "Reader"}, "gpt-4o", ("ALLOWED", "a", "Alpha")),
        ({"team": "nowhere", "roles": "Reader"}, "gpt-4o", ("TEAM_NOT_ALLOWED", "nowhere", "")),
    ],
)
def test_a_single_team_is_the_team_whatever_it_may_do(
    claims: dict[str, Any], model: str, expected: tuple[str, str, str]
) -> None:
    assert answer(world(REFERENCE), claims=claims, model=model) == expected


def test_a_single_teams_limits_and_aliases_are_the_requests() -> None:
    asking = world(REFERENCE)

    assert asking.ask(claims={"team": "a"}, model="o1").verdict.limits is not None
    assert asking.ask(claims={"team": "ours", "roles": "Reader"}, model="ours").verdict.resolved_model == "gpt-4o"


@pytest.mark.parametrize(
    ("empty", "claims", "model", "reason"),
    [
        ("all", {"team": "new"}, "o1", "ALLOWED"),
        ("nothing", {"team": "new"}, "o1", "MODEL_NOT_GRANTED"),
        ("nothing", {"team": "new", "roles": "Reader"}, "gpt-4o", "ALLOWED"),
        ("nothing", {"team": "new", "roles": "Reader"}, "o1", "MODEL_NOT_GRANTED"),
    ],
)
def test_a_single_team_that_is_to_be_created_has_no_list_of_models_yet(
    empty: str, claims: dict[str, Any], model: str, reason: str
) -> None:
    asking = world(
        {**REFERENCE, "lists.empty": empty, "access.sub_is_entitlement": True},
        replace(TEAMS, provision=ProvisionRules(always=True)),
        provisioning=Recorder(),
    )

    assert answer(asking, claims=claims, model=model) == (reason, "new", "")


@pytest.mark.parametrize(
    ("users", "claims", "model", "reason"),
    [
        # Without a row of their own they may do what nobody in particular may.
        ((), {}, "gpt-4o", "ALLOWED"),
        ((ALICE,), {}, "o1", "ALLOWED"),
        ((ALICE,), {}, "gpt-4o", "MODEL_NOT_GRANTED"),
        ((User(id="alice"),), {}, "gpt-4o", "MODEL_NOT_GRANTED"),
        ((User(id="alice"),), {"roles": "Reader"}, "gpt-4o", "ALLOWED"),
    ],
)
def test_a_team_that_is_not_looked_up_opens_and_closes_nothing(
    users: tuple[User, ...], claims: dict[str, Any], model: str, reason: str
) -> None:
    mapping = RoleMapping(issuer="idp", role="svc", internal_role=TEAM)
    asking = world(
        {**REFERENCE, "team.object_id_loads": False},
        internal_roles=InternalRoleRules(mappings=(mapping,)),
        roles=(role(claim="roles"),),
        users=users,
    )
    decision = asking.ask(claims={"approles": ["svc"], "oid": "a", **claims}, model=model)

    assert decision.verdict.reason.name == reason
    assert decision.verdict.principal is not None
    assert decision.verdict.principal.team_id == "a"
    assert not [each for each in decision.verdict.depends_on if each.kind is DependencyKind.TEAM]


@pytest.mark.parametrize(
    ("options", "groups", "model", "expected"),
    [
        (EXACT, ["a", "b"], "gpt-4o", ("ALLOWED", "b")),
        (EXACT, ["a", "b"], "o1", ("ALLOWED", "a")),
        (EXACT, ["a", "wild"], "gpt-4o-mini", ("MODEL_NOT_GRANTED", "a")),
        (EXACT, ["a", "star"], "gpt-4o-mini", ("ALLOWED", "star")),
        (EXACT, ["a", "none"], "gpt-4o", ("MODEL_NOT_GRANTED", "a")),
        ({**EXACT, "lists.empty": "all"}, ["a", "none"], "gpt-4o", ("MODEL_NOT_GRANTED", "a")),
        ({**REFERENCE, "lists.empty": "all"}, ["a", "none"], "gpt-4o", ("ALLOWED", "none")),
        (REFERENCE, ["a", "wild"], "gpt-4o-mini", ("ALLOWED", "wild")),
        # By name: the team's alias is in its list, and its model is not.
        (EXACT, ["a", "ours"], "ours", ("ALLOWED", "ours")),
        (REFERENCE, ["ours"], "ours", ("MODEL_NOT_GRANTED", "ours")),
    ],
)
def test_of_several_teams_the_first_that_has_the_model_is_taken(
    options: dict[str, Any], groups: list[str], model: str, expected: tuple[str, str]
) -> None:
    assert answer(world(options), claims={"groups": groups}, model=model)[:2] == expected


def test_roles_count_when_a_team_is_looked_for() -> None:
    assert answer(world(EXACT), claims={"groups": ["a"], "roles": "Reader"}, model="gpt-4o")[:2] == ("ALLOWED", "a")


def test_an_empty_name_is_no_model_while_a_team_is_looked_for_and_one_afterwards() -> None:
    asking = world({**EXACT, "model.form": "reference"})

    assert answer(asking, claims={"groups": ["b", "a"]}, model="")[:2] == ("MODEL_NOT_GRANTED", "a")
    assert answer(asking, claims={"groups": ["star"]}, model="")[:2] == ("ALLOWED", "star")


def test_where_route_and_model_decide_a_team_is_looked_for_by_all_that_it_grants() -> None:
    asking = world({"model.form": "reference", "access.route_check": "reference"})

    # An empty name is a model that only a list of everything has; and no team's routes are checked.
    assert answer(asking, claims={"groups": ["b", "star"]}, model="")[:2] == ("ALLOWED", "star")
    assert answer(asking, claims={"groups": ["b", "star"]}, route="/v1/embeddings")[:2] == ("ALLOWED", "b")


@pytest.mark.parametrize(
    ("checked", "claims", "method", "route", "reason"),
    [
        ("reference", {"groups": ["star"]}, "", "/v1/embeddings", "ROUTE_NOT_GRANTED"),
        ("reference", {"team": "star"}, "", "/v1/embeddings", "ALLOWED"),
        ("everyone", {"team": "star"}, "", "/v1/embeddings", "ROUTE_NOT_GRANTED"),
        ("reference", {"groups": ["star"]}, "POST", CHAT, "ALLOWED"),
        ("reference", {"groups": ["star"]}, "GET", CHAT, "ROUTE_NOT_GRANTED"),
    ],
)
def test_only_of_teams_found_by_groups_the_reference_checks_routes(
    checked: str, claims: dict[str, Any], method: str, route: str, reason: str
) -> None:
    asking = world({**EXACT, "access.route_check": checked}, TeamRules(routes=(f"POST {CHAT}",)))

    assert answer(asking, claims=claims, method=method, route=route)[0] == reason


@pytest.mark.parametrize(
    ("options", "claims", "model", "expected"),
    [
        ({}, {}, "o1", ("MODEL_NOT_GRANTED", "wild")),
        ({}, {}, "gpt-4o", ("ALLOWED", "wild")),
        ({}, {"groups": ["b"]}, "gpt-4o", ("ALLOWED", "b")),
        ({}, {"groups": ["nowhere"]}, "gpt-4o", ("ALLOWED", "wild")),
        ({"team.default_applies": "unconfigured"}, {"roles": "Reader"}, "gpt-4o", ("ALLOWED", "")),
        ({"team.default_entitles": False}, {"roles": "Reader"}, "gpt-4o", ("ALLOWED", "wild")),
        ({"team.default_entitles": False}, {}, "gpt-4o", ("NOT_ENTITLED", "wild")),
    ],
)
def test_a_default_team_opens_what_it_has_where_it_entitles(
    options: dict[str, Any], claims: dict[str, Any], model: str, expected: tuple[str, str]
) -> None:
    asking = world({"team.default_entitles": True, **options}, replace(TEAMS, default="wild"))

    assert answer(asking, claims=claims, model=model)[:2] == expected


def test_a_default_teams_limits_and_aliases_are_the_requests_where_it_entitles() -> None:
    asking = world({"team.default_entitles": True, "team.model_rules": "exact"}, replace(TEAMS, default="ours"))
    limited = world({"team.default_entitles": True}, replace(TEAMS, default="a"))

    verdict = asking.ask(model="ours").verdict
    limits = limited.ask(model="o1").verdict.limits

    assert (verdict.reason.name, verdict.resolved_model) == ("ALLOWED", "gpt-4o")
    assert limits is not None
    assert limits.team == Limit(rpm=1, models=("o1",))


def test_a_default_teams_alias_is_followed_where_lists_are_read_in_full() -> None:
    team = Team(id="mine", models=("gpt-4o",), model_aliases={"mine": "gpt-4o"})
    asking = replace(world({"team.default_entitles": True}, replace(TEAMS, default="mine")), teams=(team,))

    verdict = asking.ask(model="mine").verdict

    assert (verdict.reason.name, verdict.resolved_model) == ("ALLOWED", "gpt-4o")


def test_where_no_team_qualifies_no_model_is_granted_either() -> None:
    explanation = (
        world({"team.none_qualifies": "continue"}).ask(claims={"groups": ["a"]}, explain=True).verdict.explanation
    )

    assert explanation is not None
    outcomes = {each.check: each.outcome.name for each in explanation.checks}
    assert (outcomes["team"], outcomes["models"]) == ("DENIED", "DENIED")


def test_a_default_team_that_entitles_must_exist() -> None:
    decision = world({"team.default_entitles": True}, replace(TEAMS, default="nowhere")).ask(
        claims={"roles": "Reader"}, model="o1", explain=True
    )
    explanation = decision.verdict.explanation

    assert decision.verdict.principal is not None
    assert (decision.verdict.reason.name, decision.verdict.principal.team_id) == ("TEAM_NOT_ALLOWED", "nowhere")
    assert explanation is not None
    assert {each.check: each.outcome.name for each in explanation.checks}["models"] == "DENIED"


def test_a_default_team_is_not_for_administrators_who_are_answered_at_once() -> None:
    asking = world({"admin.loaded": False, "team.default_entitles": True}, replace(TEAMS, default="wild"))

    assert answer(asking, claims={"scope": "admin"}, route="/key/generate", model=None) == ("ALLOWED", "", "")


def test_whether_a_default_team_applies_is_each_issuers_own() -> None:
    asking = world(
        {"team.default_entitles": True, "team.default_applies": "unconfigured"},
        replace(TEAMS, default="wild"),
        issuers=(APART, issuer("other")),
    )
    asking = replace(asking, teams=(replace(WILD, issuer="idp"),))

    assert answer(asking, claims={}) == ("ALLOWED", "wild", "")
    assert answer(asking, by="other", claims={}) == ("NOT_ENTITLED", "", "")


@pytest.mark.parametrize(
    ("default", "users", "claims", "model", "reason"),
    [
        (None, (), {}, "o1", "ALLOWED"),
        (None, (ALICE,), {}, "o1", "ALLOWED"),
        (None, (ALICE,), {}, "gpt-4o", "MODEL_NOT_GRANTED"),
        ("wild", (), {}, "gpt-4o", "ALLOWED"),
        ("wild", (), {}, "o1", "MODEL_NOT_GRANTED"),
        ("wild", (ALICE,), {}, "gpt-4o", "MODEL_NOT_GRANTED"),
        ("wild", (), {"roles": "Of o1"}, "o1", "ALLOWED"),
        ("nowhere", (), {}, "gpt-4o", "ROUTE_NOT_GRANTED"),
        ("nowhere", (), {"roles": "Of o1"}, "o1", "ALLOWED"),
    ],
)
def test_nobody_in_particular_may_at_most_what_the_default_team_may_if_there_is_to_be_one(
    default: str | None, users: tuple[User, ...], claims: dict[str, Any], model: str, reason: str
) -> None:
    granting = role(value="Of o1", grants=replace(role().grants, models=("o1",)))
    asking = world({"access.unentitled": "allow"}, replace(TEAMS, default=default), users=users, roles=(granting,))

    assert answer(asking, claims=claims, model=model)[0] == reason


def test_an_administrator_is_not_nobody_in_particular() -> None:
    asking = world({"access.unentitled": "allow"})

    assert answer(asking, claims={"scope": "admin"}, route="/v1/models", model=None)[0] == "ROUTE_NOT_GRANTED"
    assert answer(asking, claims={}, route="/v1/models", model=None)[0] == "ALLOWED"


def test_without_a_default_team_no_team_is_looked_up() -> None:
    found = world({}).ask(claims={"roles": "Reader"}).verdict.depends_on

    assert not [each for each in found if each.kind is DependencyKind.TEAM]


@pytest.mark.parametrize(
    ("single", "claims", "reason", "status"),
    [
        (True, {"team": "star"}, "ALLOWED", None),
        (True, {"groups": ["star"]}, "TEAM_REQUIRED", 401),
        (True, {}, "TEAM_REQUIRED", 401),
        (False, {"groups": ["star"]}, "ALLOWED", None),
        # Naming a team has met the claim, whether or not there is such a team.
        (False, {"groups": ["nowhere"]}, "ALLOWED", None),
        (False, {}, "TEAM_REQUIRED", 403),
    ],
)
def test_which_claim_must_name_a_team_is_what_the_issuer_has(
    single: bool, claims: dict[str, Any], reason: str, status: int | None
) -> None:
    asking = world(
        {**REFERENCE, "http_status": "reference"},
        replace(TEAMS, required="claim"),
        issuers=(issuer() if single else APART,),
    )
    verdict = asking.ask(claims={"roles": "Reader", **claims}).verdict

    assert (verdict.reason.name, verdict.http_status) == (reason, status)


def test_which_claim_must_name_a_team_is_each_issuers_own() -> None:
    asking = world(
        {**REFERENCE, "http_status": "reference"},
        replace(TEAMS, required="claim"),
        issuers=(APART, issuer("other")),
        roles=(role(), role("theirs", issuer="other")),
    )

    def status(by: str) -> int | None:
        return asking.ask(by=by, claims={"roles": "Reader"}).verdict.http_status

    assert (status("idp"), status("other")) == (403, 401)


def test_a_request_without_a_model_goes_on_without_a_team_where_none_qualifies() -> None:
    asking = world({"team.none_qualifies": "continue"}, users=(ALICE,))

    assert answer(asking, claims={"groups": ["a"]}, route="/user/info", model=None) == ("ALLOWED", "", "")
    # The reference looks at the model first.
    assert answer(asking, claims={"groups": ["a"]}, model="gpt-4o") == ("MODEL_NOT_GRANTED", "", "")
    assert answer(asking, claims={"team": "a"}, model="gpt-4o") == ("MODEL_NOT_GRANTED", "", "")
    # Whoever names no team has none that could fail to qualify.
    assert answer(asking, claims={}, model="o1") == ("ALLOWED", "", "")


def test_where_aliases_are_ignored_a_teams_list_is_held_against_the_name_that_is_asked_for() -> None:
    asking = World(
        policy=policy(model_aliases={"gpt-4o": "o1"}, options=with_values(STRICT, {"team.model_rules": "exact"})),
        teams=(Team(id="a", models=("gpt-4o",)), Team(id="b", models=("o1",))),
    )

    reasons = [asking.reason(claims={"groups": [team]}, model="gpt-4o") for team in ("a", "b")]

    assert reasons == ["ALLOWED", "MODEL_NOT_GRANTED"]
