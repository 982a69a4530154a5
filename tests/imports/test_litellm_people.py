"""Who LiteLLM's users are to issuers, and which places in teams they have."""

from __future__ import annotations

import json

import pytest

from imports.litellm_world import budget, places, said, team, translated, user
from usherd.facts import Membership, Team, User
from usherd.imports.litellm_read import Choices, Subject

USERS = [user("ann", sso_user_id="s-ann"), user("bob"), user("cy", sso_user_id="bob"), user("di", sso_user_id="di")]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("user-id", {"ann": ["ann"], "bob": ["bob"], "cy": ["cy"], "di": ["di"]}),
        ("sso-id", {"ann": ["s-ann"], "bob": ["bob"], "cy": [], "di": ["di"]}),
        ("both", {"ann": ["ann", "s-ann"], "bob": ["bob"], "cy": ["cy"], "di": ["di"]}),
    ],
)
def test_nobody_has_an_identity_that_is_anothers(subject: Subject, expected: dict[str, list[str]]) -> None:
    found = translated(Choices(issuer="idp", subject=subject), users=USERS)
    users = {each.id: each.identities for each in found.rows if isinstance(each, User)}
    assert users == {key: tuple(("idp", each) for each in subjects) for key, subjects in expected.items()}
    taken = [identity for identities in users.values() for identity in identities]
    assert len(set(taken)) == len(taken)
    clash = ("user", "sso_user_id: it is the id of another user, who is found by it")
    assert (clash in said(found.notes.left)) == (subject != "user-id")


def test_without_an_issuer_users_are_known_by_their_ids_and_teams_are_the_only_issuers() -> None:
    found = translated(users=USERS, teams=[team()])
    assert all(each.identities == () for each in found.rows if isinstance(each, User))
    assert all(each.issuer is None for each in found.rows if isinstance(each, Team))


def test_with_an_issuer_teams_are_that_issuers() -> None:
    found = translated(Choices(issuer="idp"), teams=[team()])
    assert [each.issuer for each in found.rows if isinstance(each, Team)] == ["idp"]


def test_a_place_has_the_teams_role_and_the_maximum_of_its_budget() -> None:
    members = [{"user_id": "ann", "role": "admin"}, {"user_id": "bob", "role": "user"}]
    found = translated(
        budgets=[budget(max_budget=2.5)],
        teams=[team(members_with_roles=json.dumps(members))],
        users=[user("ann", teams=["red"]), user("bob", teams=["red"])],
        places=[{"user_id": "bob", "team_id": "red", "budget_id": "small"}],
    )
    assert {key: each.place for key, each in places(found).items()} == {
        ("red", "ann"): Membership(role="admin"),
        ("red", "bob"): Membership(role="user", max_budget_micro_usd=2_500_000),
    }
    assert not found.notes.left


def test_limits_of_members_that_places_cannot_have_are_noted() -> None:
    found = translated(
        budgets=[budget(tpm_limit=0, rpm_limit=5, budget_duration="1d", allowed_models=["o3"], max_budget=-3.0)],
        teams=[team(members_with_roles='[{"user_id": "ann", "role": "user"}]')],
        users=[user("ann", teams=["red"])],
        places=[{"user_id": "ann", "team_id": "red", "budget_id": "small"}],
    )
    assert places(found)["red", "ann"].place.max_budget_micro_usd == 0
    assert {text for _, text in said(found.notes.left)} == {
        "tpm_limit of its budget",
        "rpm_limit of its budget",
        "budget_duration of its budget",
        "allowed_models of its budget",
        "max_budget: it is below 0, and is 0 here",
    }


def test_places_that_only_one_side_names_come_and_are_noted() -> None:
    found = translated(
        teams=[team(members_with_roles='[{"user_id": "ann", "role": "admin"}]')],
        users=[user("ann"), user("bob", teams=["red"])],
    )
    assert {key: each.place.role for key, each in places(found).items()} == {
        ("red", "ann"): "admin",
        ("red", "bob"): "user",
    }
    assert said(found.notes.left) == {
        ("membership", "the team names the user, and the user does not name the team"): ("ann in red",),
        ("membership", "the user names the team, and the team does not name the user"): ("bob in red",),
    }


def test_the_columns_of_old_versions_name_members_too() -> None:
    found = translated(
        teams=[team(members=["ann", "bob"], admins=["ann"], members_with_roles="{}")],
        users=[user("ann", teams=["red"]), user("bob", teams=["red"])],
    )
    assert {key: each.place.role for key, each in places(found).items()} == {
        ("red", "ann"): "admin",
        ("red", "bob"): "user",
    }


def test_who_has_left_and_who_is_not_there_has_no_place() -> None:
    found = translated(
        teams=[team(members_with_roles='[{"user_id": "ghost", "role": "user"}, {"user_email": "x@acme.example"}, 5]')],
        users=[user("ann", teams=["gone"]), user("bob")],
        places=[{"user_id": "bob", "team_id": "red", "budget_id": None}],
    )
    assert places(found) == {}
    assert said(found.notes.skipped) == {
        ("membership", "its user is not imported"): ("ghost in red",),
        ("membership", "its team is not imported"): ("ann in gone",),
        ("membership", "neither the team nor the user names it: the user has left"): ("bob in red",),
    }
    assert said(found.notes.left) == {("team", "members_with_roles: members without a user_id"): ("red", "red")}
