"""Under the preset litellm, a file may say what the reference's may: any text is an id, a scope, a model, a route."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from config_files import ISSUER, problems, settings
from usherd.config.route_groups import built_in_texts
from usherd.options import LITELLM

ANY_ISSUER = """\
issuers:
  - name: any
    issuer: "*"
    keys: {jwks_url: https://idp.example/keys}
    may_grant: {admin: true}
"""
FILE = "preset: litellm\nroutes: {version: reference}\n" + ANY_ISSUER


def test_a_set_up_without_issuer_and_audience_loads(tmp_path: Path) -> None:
    (issuer,) = settings(tmp_path, FILE).policy.issuers

    assert issuer.token.issuer == "*"
    assert issuer.token.audiences is None
    assert issuer.token.max_lifetime is None
    assert issuer.token.algorithms == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def test_lifetimes_are_bounded_again_where_expiry_is_required(tmp_path: Path) -> None:
    closed = settings(tmp_path, FILE + "access: {token.require_expiry: true}\n").policy
    given = settings(tmp_path, FILE + "token: {max_lifetime: 1h}\n").policy

    assert closed.issuers[0].token.max_lifetime == 86400.0
    assert given.issuers[0].token.max_lifetime == 3600.0


def test_an_issuer_of_every_token_stands_alone_and_has_no_address(tmp_path: Path) -> None:
    other = "  - {name: idp, issuer: https://idp.example, keys: {discovery: true}}\n"
    alone = problems(tmp_path, FILE.replace("    may_grant", "    may_grant", 1) + other)
    address = problems(tmp_path, FILE.replace("jwks_url: https://idp.example/keys", "discovery: true"))

    assert alone == [
        "usherd.yaml:5: issuers[0].issuer: '*' takes tokens of every issuer; expected no other issuer beside it"
    ]
    assert address == [
        "usherd.yaml:6: issuers[0].keys.discovery: '*' has no address to ask; expected the URL of a discovery document"
    ]


def test_leeway_stays_bounded(tmp_path: Path) -> None:
    found = problems(tmp_path, FILE + "    leeway: 301s\n")

    assert found == ["usherd.yaml:8: issuers[0].leeway: is out of bounds; expected 0s to 5m"]


def test_entries_of_routes_are_texts_and_names_of_groups(tmp_path: Path) -> None:
    entries = "['/v1/*', nowhere, '', 'a b', openai_routes]"

    policy = settings(tmp_path, FILE + f"admin: {{scopes: [a], routes: {entries}}}\n").policy

    group = built_in_texts("reference")["openai_routes"]
    assert policy.admin[0].routes == ("/v1/*", "nowhere", "", "a b", "openai_routes", *group)
    assert "/realtime?{model}" in group
    assert "/realtime" not in group


def test_routes_can_be_read_as_templates_under_litellm_and_as_texts_under_strict(tmp_path: Path) -> None:
    rule = "users: {routes: [nowhere]}\n"

    templates = problems(tmp_path, FILE + rule + "access: {route.match: templates}\n")
    literal = settings(tmp_path, ISSUER + rule + "access: {route.match: literal}\n").policy

    assert [problem.split(": ")[1] for problem in templates] == ["users.routes[0]"]
    assert literal.users.routes == ("nowhere",)


def test_entries_of_models_are_any_text(tmp_path: Path) -> None:
    text = (
        "roles: [{name: r, when: {a: b}, grants: {models: ['gpt 4', '', access-group/none, fast]}}]\n"
        "models: [{name: 'a b', groups: [fast]}, {name: 'openai/*', aliases: [x]}]\n"
        "model_aliases: {'a b': x, x: y}\n"
    )

    policy = settings(tmp_path, FILE + text).policy

    assert policy.roles[0].grants.models == ("gpt 4", "", "access-group/none", "fast")
    assert [model.name for model in policy.models] == ["a b", "openai/*"]
    assert policy.model_aliases == {"a b": "x", "x": "y"}


def test_scopes_and_roles_are_any_text(tmp_path: Path) -> None:
    text = (
        "    claims: {roles: realm.roles}\n"
        "admin: {scopes: ['', 'a b']}\n"
        "role_mappings: [{role: '', internal_role: proxy_admin}]\n"
        "scopes: {enforce: true, mappings: [{scope: 'a\\tb', models: [x]}]}\n"
    )

    policy = settings(tmp_path, FILE + text.replace("'a\\tb'", '"a\\tb"')).policy

    assert policy.admin[0].scopes == {"", "a b"}
    assert [mapping.role for mapping in policy.internal_roles.mappings] == [""]
    assert [mapping.scope for mapping in policy.scopes.mappings] == ["a\tb"]


def test_of_two_permissions_for_a_role_the_first_is_kept_first(tmp_path: Path) -> None:
    text = "role_permissions: [{role: team, models: []}, {role: team, routes: []}]\n"

    permissions = settings(tmp_path, FILE + text).policy.internal_roles.permissions

    assert [(each.models, each.routes) for each in permissions] == [((), None), (None, ())]


def test_a_directory_may_name_what_is_not_there(tmp_path: Path) -> None:
    directory = """\
    teams: [{id: "", organization: gone, members: [{user: nobody}], models: ["any text"], model_aliases: {x: y, y: x}}]
    users: [{id: "a\\tb", teams: [gone], organizations: [gone, {id: lost, role: org_admin}], email: ""}]
    """
    text = FILE + "directory: {seed: directory.yaml}\nteams: {default: missing, priority: [lost]}\n"

    made = settings(tmp_path, text, directory=directory)

    assert made.directory.teams[0].organization == "gone"
    assert made.directory.users[0].id == "a\tb"
    assert made.directory.users[0].administers == ("lost",)
    assert made.policy.teams.default == "missing"


@pytest.mark.parametrize("text", ["x" * 257, "ä" * 129])
def test_texts_are_bounded(tmp_path: Path, text: str) -> None:
    found = problems(tmp_path, FILE + f"model_aliases: {{{text}: y}}\n")

    assert len(found) == 1
    assert found[0].endswith("is too long; expected at most 256 bytes")


def test_provision_needs_no_condition(tmp_path: Path) -> None:
    text = "users: {provision: {when: {always: true}}}\nteams: {provision: {when: {always: true}}}\n"

    policy = settings(tmp_path, FILE + text).policy

    assert policy.options == LITELLM
    assert policy.users.provision is not None
    assert policy.users.provision.always
    assert policy.teams.provision is not None
    assert policy.teams.provision.always


def test_sessions_last_as_long_as_tokens_may(tmp_path: Path) -> None:
    text = FILE + "insecure: {session_master_key: env:KEY}\n"

    unbounded = settings(tmp_path, text, environment={"KEY": "k" * 32}).policy.session
    bounded = settings(tmp_path, text + "token: {max_lifetime: 2h}\n", environment={"KEY": "k" * 32}).policy.session

    assert unbounded is not None
    assert bounded is not None
    assert (unbounded.max_lifetime, bounded.max_lifetime) == (math.inf, 7200.0)
