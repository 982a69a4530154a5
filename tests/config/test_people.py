"""What the file says of internal roles, scopes, users, teams and budgets reaches the policy as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from config_files import ISSUER, TWO_ISSUERS, settings
from usherd.policy import (
    BudgetRules,
    CatalogueModel,
    InternalRoleRules,
    ProvisionRules,
    RoleMapping,
    RolePermission,
    ScopeMapping,
    ScopeRules,
)

PEOPLE = "teams: [{id: red}]\n"
FILE = (
    ISSUER
    + """\
    claims: {roles: realm_access.roles, user_roles: roles, object: oid, organization_alias: org, client: null}
roles: [{name: writer, when: {groups: eng}, grants: {routes: [/v1/models]}}]
role_mappings: [{role: svc.team, internal_role: team}, {role: root, internal_role: proxy_admin, issuer: idp}]
role_permissions:
  - {role: team, models: [gpt-4o], routes: [/v1/embeddings]}
  - {role: internal_user, models: []}
  - {role: proxy_admin}
scopes: {enforce: true, mappings: [{scope: models.read, models: [gpt-4o]}, {scope: files, routes: [/v1/files]}]}
users:
  routes: [/v1/models]
  allowed_roles: [ai-user]
  email_domains: [example.com]
  role_map: [{role: "ai-*", directory_role: internal_user}]
  sync_roles: true
  sync_teams: true
  provision:
    when: {roles: [writer], scopes: [join], teams: true, email_domains: [example.com]}
    defaults: {models: [gpt-4o], max_budget: 5, role: internal_user, teams: [red]}
    per_minute: 10
teams:
  from_directory: single
  unknown_falls_back: true
  provision: {when: {scopes: [join]}, defaults: {max_budget: 0.5}}
routes: {end_user_required: true}
budgets: {enforce: false, global: {max: 100, period: 7d}}
models: [{name: gpt-4o, aliases: [default]}, {name: "openai/*", provider: openai, groups: [fast]}]
model_aliases: {mine: gpt-4o}
directory: {seed: directory.yaml}
"""
)


def test_internal_roles_and_scopes_are_as_written(tmp_path: Path) -> None:
    policy = settings(tmp_path, FILE, directory=PEOPLE).policy

    assert policy.internal_roles == InternalRoleRules(
        enforce=True,
        mappings=(
            RoleMapping(issuer="idp", role="svc.team", internal_role="team"),
            RoleMapping(issuer="idp", role="root", internal_role="proxy_admin"),
        ),
        permissions=(
            RolePermission(role="team", models=("gpt-4o",), routes=("/v1/embeddings",)),
            RolePermission(role="internal_user", models=(), routes=None),
            RolePermission(role="proxy_admin", models=None, routes=None),
        ),
    )
    assert policy.scopes == ScopeRules(
        enforce=True,
        mappings=(
            ScopeMapping(issuer="idp", scope="models.read", models=("gpt-4o",), routes=None),
            ScopeMapping(issuer="idp", scope="files", models=(), routes=("/v1/files",)),
        ),
    )


def test_users_and_teams_are_as_written(tmp_path: Path) -> None:
    policy = settings(tmp_path, FILE, directory=PEOPLE).policy

    users, teams = policy.users, policy.teams
    assert users.allowed_roles == {"ai-user"}
    assert users.email_domains == {"example.com"}
    assert users.role_map == (("ai-*", "internal_user"),)
    assert users.sync_roles
    assert users.sync_teams
    assert users.provision == ProvisionRules(
        roles=frozenset({"writer"}),
        scopes=frozenset({"join"}),
        teams=True,
        email_domains=frozenset({"example.com"}),
        defaults={
            "models": ("gpt-4o",),
            "max_budget_micro_usd": 5_000_000,
            "role": "internal_user",
            "teams": ("red",),
        },
        per_minute=10,
    )
    assert teams.from_directory == "single"
    assert teams.unknown_falls_back
    assert teams.provision == ProvisionRules(
        scopes=frozenset({"join"}), defaults={"max_budget_micro_usd": 500_000}, per_minute=600
    )


def test_words_budgets_and_models_are_as_written(tmp_path: Path) -> None:
    made = settings(tmp_path, FILE, directory=PEOPLE)

    policy = made.policy
    claims = policy.issuers[0].claims
    assert claims.roles == ("realm_access", "roles")
    assert (claims.user_roles, claims.object, claims.organization_alias) == (("roles",), ("oid",), ("org",))
    assert claims.client == ()
    assert policy.budgets == BudgetRules(enforce=False, global_max_micro_usd=100_000_000)
    assert made.budget_period == 7 * 86400.0
    assert policy.models == (
        CatalogueModel(name="gpt-4o", aliases=("default",)),
        CatalogueModel(name="openai/*", provider="openai", groups=("fast",)),
    )
    assert policy.model_aliases == {"mine": "gpt-4o"}
    assert policy.routes.end_user_required


def test_without_a_word_nobody_is_written_and_nothing_falls_back(tmp_path: Path) -> None:
    policy = settings(tmp_path, ISSUER).policy

    assert policy.users.provision is None
    assert policy.teams.provision is None
    assert policy.teams.from_directory == "never"
    assert policy.internal_roles == InternalRoleRules()
    assert policy.scopes == ScopeRules()
    assert policy.budgets == BudgetRules(enforce=True, global_max_micro_usd=None)


def test_with_several_issuers_each_rule_is_for_one(tmp_path: Path) -> None:
    text = TWO_ISSUERS + (
        "    claims: {roles: r}\n"
        "role_mappings: [{role: a, internal_role: team, issuer: other}]\n"
        "scopes: {enforce: true, mappings: [{scope: b, models: [x], issuer: idp}]}\n"
    )

    policy = settings(tmp_path, text).policy

    assert [mapping.issuer for mapping in policy.internal_roles.mappings] == ["other"]
    assert [mapping.issuer for mapping in policy.scopes.mappings] == ["idp"]


def test_a_directory_says_what_else_decides(tmp_path: Path) -> None:
    directory = """\
    organizations: [{id: acme, alias: Acme}, {id: other}]
    teams: [{id: red, metadata: {guardrails: {modify_guardrails: false}}}, {id: blue, metadata: {}}]
    users: [{id: alice, sso_ids: [s1], organizations: [acme, {id: other, role: org_admin}]}]
    """

    rows = settings(tmp_path, ISSUER + "directory: {seed: directory.yaml}", directory=directory).directory

    assert [organization.alias for organization in rows.organizations] == ["Acme", ""]
    assert [team.guardrails_modifiable for team in rows.teams] == [False, True]
    assert rows.users[0].sso_ids == ("s1",)
    assert rows.users[0].organizations == ("acme", "other")
    assert rows.users[0].administers == ("other",)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "role_permissions: [{role: team}]\naccess: {enforce_rbac: false}\n",
            "access.enforce_rbac: role_permissions is not enforced, so it restricts nobody",
        ),
        ("budgets: {enforce: false}\n", "budgets.enforce: exhausted budgets deny nothing"),
        (
            "preset: litellm\nscopes: {enforce: true}\n",
            "scopes.enforce: there are no mappings, so nothing is held to them",
        ),
        (
            "preset: litellm\nscopes: {mappings: [{scope: a}]}\n",
            "scopes.mappings: they are not enforced, so they restrict nothing",
        ),
    ],
)
def test_restrictions_that_do_not_restrict_are_warned_of(tmp_path: Path, text: str, warning: str) -> None:
    assert settings(tmp_path, ISSUER).policy.warnings == ()
    assert warning in settings(tmp_path, ISSUER + text).policy.warnings


def test_strangers_are_written_where_they_are_written_before_every_check(tmp_path: Path) -> None:
    text = "users: {provision: {when: {always: true}}}\ninsecure: {user.provision: before}\n"

    provision = settings(tmp_path, ISSUER + text).policy.users.provision

    assert provision is not None
    assert provision.always


def test_of_two_permissions_the_first_counts_where_the_first_role_does(tmp_path: Path) -> None:
    text = "role_permissions: [{role: team, models: []}, {role: team}]\naccess: {role_precedence: first}\n"

    permissions = settings(tmp_path, ISSUER + text).policy.internal_roles.permissions

    assert [permission.models for permission in permissions] == [(), None]


CHANGES = [
    ("internal_role: team", "internal_role: internal_user"),
    ("routes: [/v1/embeddings]", "routes: []"),
    ("mappings: [{scope", "mappings: [{scope: also}, {scope"),
    ("allowed_roles: [ai-user]", "allowed_roles: [ai]"),
    ("directory_role: internal_user}", "directory_role: internal_user_viewer}"),
    ("max_budget: 5,", "max_budget: 6,"),
    ("per_minute: 10", "per_minute: 11"),
    ("from_directory: single", "from_directory: all"),
    ("end_user_required: true", "end_user_required: false"),
    ("max: 100", "max: 101"),
    ("groups: [fast]", "groups: [slow]"),
    ("{mine: gpt-4o}", "{mine: other}"),
    ("object: oid", "object: sub"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES, ids=[new for _, new in CHANGES])
def test_every_change_is_another_policy(tmp_path: Path, old: str, new: str) -> None:
    assert old in FILE

    first = settings(tmp_path, FILE, directory=PEOPLE).policy
    second = settings(tmp_path, FILE.replace(old, new), directory=PEOPLE).policy

    assert first.digest != second.digest
