"""What a configuration means is shown in full, without secrets; two of them differ where they mean something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from config_files import ISSUER, settings
from usherd.config.settings import Settings
from usherd.config.shown import HIDDEN, Change, as_yaml, changes, shown
from usherd.options import OPTIONS

ROLES = """\
roles:
  - name: reader
    when: {roles: [Reader, Writer], tenant.id: "7"}
    grants: {routes: [/v1/a, GET /v1/b], models: [gpt-4o, o1]}
"""
SECRET = "k" * 40


def made(tmp_path: Path, text: str, directory: str = "") -> Settings:
    if directory:
        (tmp_path / "directory.yaml").write_text(directory)
        text += "directory: {seed: directory.yaml}\n"
    return settings(tmp_path, text)


def changed(tmp_path: Path, old: str, new: str) -> list[Change]:
    teams = "teams: [{id: a, models: [o1]}, {id: b, models: [o1]}, {id: c, models: [o1]}]\n"
    return changes(made(tmp_path, ISSUER + old, teams), made(tmp_path, ISSUER + new, teams))


def test_every_option_is_named_and_every_default_filled_in(tmp_path: Path) -> None:
    found = shown(made(tmp_path, ISSUER + ROLES))

    assert found["options"] == {info.name: info.strict for info in OPTIONS}
    policy = found["policy"]
    assert isinstance(policy, dict)
    assert policy["roles"] == {
        "reader": {
            "issuer": "idp",
            "when": {"roles": ["Reader", "Writer"], "tenant.id": ["7"]},
            "kinds": ["service", "user"],
            "grants": {"routes": ["/v1/a", "GET /v1/b"], "models": ["gpt-4o", "o1"]},
            "deny": {"routes": [], "models": []},
        }
    }


def test_claims_are_written_as_the_file_writes_them(tmp_path: Path) -> None:
    claims = r"claims: {user: oid, email: null, organization: 'a\.b[0].c', scopes: [scp, x.y]}"
    policy = shown(made(tmp_path, ISSUER.rstrip() + f"\n    {claims}\n"))["policy"]
    assert isinstance(policy, dict)

    read = policy["issuers"]["idp"]["claims"]  # type: ignore[index,call-overload]
    assert (read["user"], read["email"], read["organization"]) == ("oid", None, r"a\.b[0].c")  # type: ignore[index,call-overload]
    assert read["scopes"] == ["scp", "x.y"]  # type: ignore[index,call-overload]


def test_what_is_shown_is_yaml_and_json(tmp_path: Path) -> None:
    found = shown(made(tmp_path, ISSUER + ROLES))

    assert yaml.safe_load(as_yaml(found)) == found
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_secret_is_hidden_and_another_one_is_a_change(tmp_path: Path) -> None:
    session = ISSUER + "insecure: {session_master_key: env:KEY}\n"
    one = settings(tmp_path, session, environment={"KEY": SECRET})
    other = settings(tmp_path, session, environment={"KEY": SECRET + "2"})

    assert SECRET not in as_yaml(shown(one))
    assert shown(one)["policy"]["session"]["secret"] == HIDDEN  # type: ignore[index,call-overload]
    assert changes(one, other) == [Change("policy.session.secret", (HIDDEN,), (HIDDEN,))]
    assert changes(one, one) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "access: {user.unknown: refused}\n", [("options.user.unknown", ("unless_entitled",), ("refused",))]),
        (ROLES, ROLES.replace(", o1", ""), [("policy.roles.reader.grants.models", ("o1",), ())]),
        (ROLES, ROLES.replace("[Reader, ", "["), [("policy.roles.reader.when.roles", ("Reader",), ())]),
        (
            "teams: {priority: [a, b]}\n",
            "teams: {priority: [b, a]}\n",
            [("policy.teams.priority", ("a", "b"), ("b", "a"))],
        ),
        ("teams: {default: a}\n", "", [("policy.teams.default", ("a",), (None,))]),
        ("cache: {tokens: 5}\n", "cache: {tokens: 6}\n", [("cached_tokens", (5,), (6,))]),
        (
            "role_permissions: [{role: team, models: [o1]}, {role: internal_user, models: [o1]}]\n",
            "role_permissions: [{role: internal_user, models: [o1]}, {role: team, models: [o1]}]\n",
            [("policy.internal_roles.permissions (order)", ("team", "internal_user"), ("internal_user", "team"))],
        ),
        (
            "teams: {priority: [a, b]}\n",
            "teams: {priority: [b, c, a]}\n",
            [("policy.teams.priority", (), ("c",)), ("policy.teams.priority (order)", ("a", "b"), ("b", "a"))],
        ),
        ("teams: {priority: [a, b]}\n", "teams: {priority: [c, a, b]}\n", [("policy.teams.priority", (), ("c",))]),
    ],
)
def test_a_change_is_told_by_its_key_and_what_comes_and_goes(
    tmp_path: Path, old: str, new: str, expected: list[tuple[str, object, object]]
) -> None:
    assert changed(tmp_path, old, new) == [Change(*each) for each in expected]  # type: ignore[arg-type]


FIRST, SECOND, ANOTHER, GONE = (
    {"role": "all-*", "directory_role": "internal_user_viewer"},
    {"role": "all-staff", "directory_role": "internal_user"},
    {"role": "boss", "directory_role": "proxy_admin"},
    {"role": "old", "directory_role": "internal_user"},
)


def test_rules_in_another_order_are_told_also_where_some_come_and_go(tmp_path: Path) -> None:
    claims = ISSUER.rstrip() + "\n    claims: {roles: roles}\n"
    old = settings(tmp_path, claims + f"users: {{role_map: {json.dumps([FIRST, GONE, SECOND])}}}\n")
    new = settings(tmp_path, claims + f"users: {{role_map: {json.dumps([SECOND, ANOTHER, FIRST])}}}\n")

    before, after = (
        list(map(list, (FIRST.values(), SECOND.values()))),
        list(map(list, (SECOND.values(), FIRST.values()))),
    )
    assert changes(old, new) == [
        Change("policy.users.role_map", (list(GONE.values()),), (list(ANOTHER.values()),)),
        Change("policy.users.role_map (order)", tuple(before), tuple(after)),
    ]


def test_permissions_in_another_order_are_told_also_where_one_comes(tmp_path: Path) -> None:
    team, user, admin = ({"role": role, "models": ["o1"]} for role in ("team", "internal_user", "proxy_admin"))
    old, new = (
        settings(tmp_path, ISSUER + f"role_permissions: {json.dumps(rules)}\n")
        for rules in ([team, user], [user, admin, team])
    )

    assert changes(old, new)[-1] == Change(
        "policy.internal_roles.permissions (order)", ("team", "internal_user"), ("internal_user", "team")
    )


def test_another_way_to_write_the_same_is_no_change(tmp_path: Path) -> None:
    assert changed(tmp_path, ROLES, "# a remark\n" + ROLES.replace('tenant.id: "7"', "tenant.id: ['7']")) == []


def test_a_role_that_comes_is_told_key_by_key(tmp_path: Path) -> None:
    keys = [change.key for change in changed(tmp_path, "", ROLES)]

    assert "policy.roles.reader.grants.routes" in keys
    assert all(key.startswith("policy.roles") for key in keys)


def test_names_with_dots_hide_no_change(tmp_path: Path) -> None:
    # Joined with dots, the models of one and the routes of the other have one key.
    tricky = ROLES + ROLES.split("\n", 1)[1].replace("name: reader", "name: reader.grants")

    found = changed(tmp_path, tricky, tricky.replace("models: [gpt-4o, o1]", "models: [o1]"))

    assert [change.key for change in found] == [
        "policy.roles.reader.grants.models",
        "policy.roles.reader.grants.grants.models",
    ]


def test_rows_of_the_directory_are_compared_by_id(tmp_path: Path) -> None:
    old = made(tmp_path, ISSUER, "teams: [{id: red, models: [o1]}, {id: blue, models: [o1]}]\n")
    new = made(tmp_path, ISSUER, "teams: [{id: blue, models: [o1]}, {id: red, models: [o1], blocked: true}]\n")

    assert changes(old, new) == [Change("directory.teams.red.blocked", (False,), (True,))]
