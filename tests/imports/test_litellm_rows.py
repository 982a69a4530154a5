"""What becomes of LiteLLM's organizations, teams, users and end users."""

from __future__ import annotations

import json

import pytest

from imports.litellm_world import budget, organization, row, said, team, translated, user
from usherd.domain import Limit
from usherd.facts import EndUser, Organization, Team, User
from usherd.imports.litellm_read import Choices

LIMITS = {"max_budget": 12.5, "tpm_limit": 1000, "rpm_limit": 10, "budget_duration": "30d"}
AS_LIMIT = Limit(tpm=1000, rpm=10, max_budget_micro_usd=12_500_000, budget_reset_seconds=2_592_000)


def test_a_team_keeps_its_models_limits_aliases_and_block() -> None:
    found = translated(
        budgets=[budget()],
        organizations=[organization()],
        models=[{"id": 7, "aliases": json.dumps({"fast": "gpt-4o-mini"})}],
        teams=[team(team_alias="Red", organization_id="acme", blocked=True, model_id=7, **LIMITS)],
    )
    assert row(found, Team) == Team(
        id="red",
        alias="Red",
        organization="acme",
        models=("gpt-4o",),
        blocked=True,
        limit=AS_LIMIT,
        model_aliases={"fast": "gpt-4o-mini"},
    )
    assert not found.notes.left
    assert not found.notes.skipped


def test_an_organization_and_an_end_user_have_the_limits_of_their_budgets() -> None:
    found = translated(
        budgets=[budget(**LIMITS)],
        organizations=[organization(models=["gpt-4o"])],
        end_users=[{"user_id": "customer", "budget_id": "small", "blocked": True}],
    )
    assert row(found, Organization) == Organization(id="acme", alias="Acme", models=("gpt-4o",), limit=AS_LIMIT)
    assert row(found, EndUser) == EndUser(id="customer", blocked=True, limit=AS_LIMIT)


def test_a_user_keeps_all_by_which_it_is_known_and_where_it_administers() -> None:
    found = translated(
        budgets=[budget()],
        organizations=[organization("acme"), organization("beta")],
        users=[
            user(sso_user_id="s-1", user_email="ann@acme.example", user_role="proxy_admin", models=["o3"], **LIMITS)
        ],
        organization_places=[
            {"user_id": "ann", "organization_id": "acme", "user_role": "org_admin"},
            {"user_id": "ann", "organization_id": "beta", "user_role": "internal_user"},
        ],
    )
    assert row(found, User) == User(
        id="ann",
        sso_ids=("s-1",),
        email="ann@acme.example",
        role="proxy_admin",
        models=("o3",),
        organizations=("acme", "beta"),
        administers=("acme",),
        limit=AS_LIMIT,
    )


def test_no_models_are_no_ceiling_for_organizations_and_users() -> None:
    found = translated(budgets=[budget()], organizations=[organization(models=None)], users=[user(models=[])])
    assert row(found, Organization).models is None
    assert row(found, User).models is None


def test_a_team_without_models_is_granted_none_unless_that_is_asked_for() -> None:
    found = translated(teams=[team(models=[])])
    assert row(found, Team).models == ()
    asked = translated(Choices(empty_is_all=True), teams=[team(models=[])])
    assert row(asked, Team).models == ("*",)
    for each in (found, asked):
        assert [note.ids for note in each.notes.left] == [("red",)]


def test_whom_scim_deactivated_is_blocked() -> None:
    assert row(translated(users=[user(metadata='{"scim_active": false}')]), User).blocked
    assert not row(translated(users=[user(metadata='{"scim_active": true}')]), User).blocked


def test_a_team_that_must_leave_guardrails_alone_still_must() -> None:
    locked = team(metadata='{"guardrails": {"modify_guardrails": false}}')
    assert not row(translated(teams=[locked]), Team).guardrails_modifiable
    assert row(translated(teams=[team()]), Team).guardrails_modifiable


def test_metadata_in_a_text_is_read_as_what_the_text_holds() -> None:
    text = json.dumps(json.dumps({"guardrails": {"modify_guardrails": False}}))
    assert not row(translated(teams=[team(metadata=text)]), Team).guardrails_modifiable


@pytest.mark.parametrize("team_id", ["", "a\nb", "x" * 257, "\u202ered"])
def test_a_text_that_is_no_id_is_no_row(team_id: str) -> None:
    found = translated(teams=[team(team_id)])
    assert found.rows == ()
    assert said(found.notes.skipped) == {("team", "its id is not 1 to 256 printable characters"): (team_id,)}


def test_a_team_does_not_come_without_the_organization_that_limits_it() -> None:
    found = translated(
        budgets=[budget()],
        organizations=[organization("a\nb")],
        teams=[team(organization_id="a\nb"), team("blue", organization_id="gone")],
    )
    assert found.rows == ()
    assert said(found.notes.skipped)["team", "its organization is not imported"] == ("red", "blue")


def test_what_restricts_and_cannot_be_expressed_is_noted() -> None:
    found = translated(
        budgets=[budget(model_max_budget='{"o3": 1}', tpd_limit=0)],
        organizations=[organization(object_permission_id="p")],
        teams=[team(tpd_limit=5, policies=["p"], metadata='{"model_rpm_limit": {"o3": 1}, "cost_center": 7}')],
        users=[user(user_role="app_owner", max_parallel_requests=0, organization_id="acme", policies=[])],
        end_users=[{"user_id": "customer", "budget_id": "gone", "models": ["o3"], "allowed_model_region": "eu"}],
    )
    assert set(said(found.notes.left)) == {
        ("organization", "object_permission_id"),
        ("organization", "model_max_budget of its budget"),
        ("organization", "tpd_limit of its budget"),
        ("team", "tpd_limit"),
        ("team", "policies"),
        ("team", "metadata.model_rpm_limit"),
        ("user", "max_parallel_requests"),
        ("user", "user_role: app_owner is no directory role of usherd"),
        ("user", "organization_id: LiteLLM has no membership for it"),
        ("end user", "models"),
        ("end user", "allowed_model_region"),
        ("end user", "budget_id: there is no such budget"),
    }


def test_a_list_of_models_never_becomes_empty_by_what_cannot_be_in_it() -> None:
    found = translated(teams=[team(models=["a\nb"]), team("blue", models=["a\nb", "o3"])], users=[user(models=["\n"])])
    assert [(each.id, each.models) for each in found.rows if isinstance(each, Team)] == [("blue", ("o3",))]
    assert not [each for each in found.rows if isinstance(each, User)]
    many = translated(teams=[team(models=[f"m{number}" for number in range(1001)])])
    assert said(many.notes.skipped) == {("team", "it has more than 1000 models"): ("red",)}


def test_broken_json_is_noted_and_harms_no_other_row() -> None:
    found = translated(
        models=[{"id": 1, "aliases": "[1]"}, {"id": 2, "aliases": '{"a": 1, "b": "o3"}'}],
        teams=[team(metadata="{", members_with_roles="{", model_id=1), team("blue", metadata="[]", model_id=2)],
    )
    assert [each.id for each in found.rows] == ["red", "blue"]
    assert {(note.text, note.ids) for note in found.notes.left} == {
        ("metadata: it is no mapping in JSON", ("red",)),
        ("members_with_roles: it is no list in JSON", ("red",)),
        ("model_aliases: they are no mapping in JSON", ("red",)),
        ("model_aliases: those that are no pairs of names", ("blue",)),
    }


def test_who_has_spent_is_counted() -> None:
    found = translated(teams=[team(spend=0.5), team("blue", spend=0.0)], users=[user(spend=None)])
    assert found.spend == (("team", 1),)
