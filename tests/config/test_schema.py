"""The JSON schema describes every key, and what loads is what it describes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from usherd.config.json_schema import json_schema
from usherd.config.schema_options import value_text
from usherd.options import BY_NAME, OPTIONS


def _mappings(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [("file", schema), *schema["$defs"].items()]


@pytest.mark.parametrize("directory", [False, True])
def test_every_key_is_described_and_no_other_is_allowed(directory: bool) -> None:
    schema = json_schema(directory=directory)

    for name, mapping in _mappings(schema):
        assert mapping["additionalProperties"] is False, name
        assert mapping["description"], name
        # What has no words of its own has those of the mapping that it refers to.
        undescribed = [key for key, value in mapping["properties"].items() if not {"description", "$ref"} & set(value)]
        assert undescribed == [], name


def test_a_role_is_held_by_the_kinds_that_for_names() -> None:
    schema = json_schema()

    assert "for" in schema["$defs"]["Role"]["properties"]
    assert "holders" not in schema["$defs"]["Role"]["properties"]


def test_one_admin_rule_needs_no_list() -> None:
    schema = json_schema()

    assert schema["properties"]["admin"]["anyOf"][0] == {"$ref": "#/$defs/Admin"}


@pytest.mark.parametrize("directory", [False, True])
def test_nothing_may_be_null_but_words_that_an_issuer_does_not_have_a_shadow_and_a_budget(directory: bool) -> None:
    schema = json_schema(directory=directory)

    nullable = {
        name if name == "Claims" else f"{name}.{key}"
        for name, mapping in _mappings(schema)
        for key, value in mapping["properties"].items()
        if {"type": "null"} in value.get("anyOf", [])
    }
    assert nullable == (set() if directory else {"Claims", "Access.shadow", "GlobalBudget.max"})


def test_every_option_is_described_with_both_its_values() -> None:
    properties = json_schema()["$defs"]["Access"]["properties"]

    for info in OPTIONS:
        described = properties[info.name]
        assert described["description"].startswith(info.meaning)
        allowed = described.get("enum") or [True, False]
        assert sorted(map(str, allowed)) == sorted(map(str, info.values))
        assert (info.name in json_schema()["$defs"]["Insecure"]["properties"]) is info.guard


UNLESS = {
    "Routes.admin_only": {"user.routes"},
    "ScopeMapping.routes": {"access.scope_routes"},
    "Users.routes": {"access.route_check"},
    "Users.email_domains": {"user.email_domain"},
    "Teams.required": {"team.choice"},
    "Teams.default": {"team.default_applies", "team.default_entitles"},
    "Teams.routes": {"access.route_check"},
    "OrganizationRow.models": {"organization.limits", "lists.empty"},
    "OrganizationRow.blocked": {"organization.limits"},
    "MemberRow.max_budget": {"member.budget"},
    "TeamRow.models": {"lists.empty"},
    "UserRow.email": {"user.email_adoption"},
    "UserRow.role": {"user.directory_role"},
    "UserRow.models": {"lists.empty", "user.limits_with_team"},
    "UserRow.blocked": {"user.blocked"},
    "EndUserRow.blocked": {"end_user.blocked"},
}


def test_what_an_option_changes_is_said_where_strict_is_described() -> None:
    said: dict[str, set[str]] = {}
    for directory in (False, True):
        for name, mapping in _mappings(json_schema(directory=directory)):
            for key, value in mapping["properties"].items():
                for option, other in re.findall(r"unless ([a-z_]+\.[a-z_]+) is (\w+)", value.get("description", "")):
                    assert other == value_text(BY_NAME[option].litellm)
                    said.setdefault(f"{name}.{key}", set()).add(option)

    assert said == UNLESS
