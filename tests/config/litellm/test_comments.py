"""An imported file says where strict would answer otherwise, and says nothing that is not so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_files import KEYS, imported, litellm, loaded
from usherd.config.litellm import REFERENCE, VERSIONS, Imported, Version
from usherd.config.litellm.comments import _OF_FILE, _OF_ISSUER
from usherd.config.schema_options import value_text
from usherd.options import BY_NAME, OPTIONS, STRICT

JWTAUTH: tuple[Mapping[str, object], ...] = (
    {"user_id_jwt_field": "sub"},
    {"user_email_jwt_field": "email", "user_allowed_email_domain": "co.com"},
    {"team_ids_jwt_field": "groups"},
    {"org_id_jwt_field": "org"},
    {"end_user_id_jwt_field": "end"},
    {"roles_jwt_field": "roles", "role_mappings": [{"role": "a", "internal_role": "team"}], "object_id_jwt_field": "o"},
    {"user_roles_jwt_field": "roles", "user_allowed_roles": ["b"]},
    {"enforce_scope_based_access": True, "scope_mappings": [{"scope": "s"}]},
    {"team_id_default": "everyone"},
    {"user_id_upsert": True},
    {"team_id_upsert": True},
    {"custom_validate": "usherd.parity.oracle_fixtures.allow_all"},
)
GENERAL: tuple[Mapping[str, object], ...] = (
    {"role_permissions": [{"role": "team"}]},
    {"admin_only_routes": ["/a"]},
    {"enforce_user_param": True},
    {"apply_user_budget_to_team_keys": True},
)
FILE: tuple[Mapping[str, object], ...] = (
    {"litellm_settings": {"max_budget": 1, "model_alias_map": {"a": "b"}}},
    {"model_list": [{"model_name": "m", "litellm_params": {}}]},
)
VARIABLES: tuple[Mapping[str, str], ...] = (
    {"JWT_AUDIENCE": "api"},
    {"JWT_ISSUER": "https://idp.example"},
    {"LITELLM_MASTER_KEY": "k" * 32},
)
ISSUERS = [{"issuer": f"https://{name}.example", "audience": "x"} for name in ("one", "two")]


def merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


def some(parts: tuple[Mapping[str, Any], ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.sets(st.sampled_from(range(len(parts)))).map(lambda chosen: merged(parts[place] for place in chosen))


EVERYTHING = litellm(merged(JWTAUTH), **merged(GENERAL[:3])) | merged(FILE)
ENVIRONMENT = KEYS | {"LITELLM_MASTER_KEY": "k" * 32}


def names_in(found: Imported) -> list[str]:
    """The options that the comments name: those behind a sentence, and those that are listed."""
    return [
        name
        for text in found.comments.values()
        for either in re.findall(r"\(([a-z_.]+)\)\.|^- ([a-z_.]+) \(", text, re.MULTILINE)
        for name in either
        if name
    ]


def differing(found: Imported, environment: Mapping[str, str]) -> list[str]:
    options = loaded(found, environment).policy.options
    return [info.name for info in OPTIONS if getattr(options, info.attribute) != info.strict]


@given(some(JWTAUTH), some(GENERAL), some(FILE), some(VARIABLES), st.sampled_from(VERSIONS), st.booleans())
def test_each_option_that_differs_from_strict_is_named_once_and_no_other(
    jwtauth: dict[str, Any],
    general: dict[str, Any],
    file: dict[str, Any],
    variables: dict[str, str],
    version: Version,
    several: bool,
) -> None:
    environment = KEYS | variables
    if several and version != REFERENCE:
        jwtauth, environment = {**jwtauth, "issuers": ISSUERS}, variables
        environment.pop("JWT_ISSUER", None)

    found = imported(litellm(jwtauth, **general) | file, environment, version=version)

    assert sorted(names_in(found)) == sorted(differing(found, environment))


def test_what_belongs_to_no_place_is_listed_with_both_values_and_its_meaning() -> None:
    found = imported(litellm(), version=REFERENCE)

    listed = [line for line in found.comments[("preset",)].splitlines() if line.startswith("- ")]
    info = BY_NAME["user.blocked"]
    assert f"- user.blocked (ignored; strict: enforced): {info.meaning}" in listed
    assert all(value_text(BY_NAME[line[2:].partition(" ")[0]].strict) in line for line in listed)


def test_a_second_place_of_an_option_refers_to_the_first() -> None:
    found = imported(litellm({"user_id_upsert": True, "team_id_upsert": True}), version=REFERENCE)

    assert found.comments[("users", "provision")].endswith("(user.provision).")
    assert found.comments[("teams", "provision")].endswith("(as users.provision).")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_comment_stands_at_a_place_of_the_file_and_names_options_that_differ(version: Version) -> None:
    found = imported(EVERYTHING, ENVIRONMENT, version=version)

    assert len(names_in(found)) > 10
    assert set(names_in(found)) <= set(differing(found, ENVIRONMENT))
    for path in found.comments:
        value: object = found.document
        for step in path:
            value = value[step]  # type: ignore[index]


def test_no_comment_is_out_of_place() -> None:
    found = imported(EVERYTHING, ENVIRONMENT, version=REFERENCE)

    text = " ".join(found.comments.values())
    missing = [option for _, option, sentence in (*_OF_ISSUER, *_OF_FILE) if f"{sentence} (" not in text]
    assert missing == []
    assert "(token.require_audience)" in text


def test_what_strict_does_alike_has_no_comment() -> None:
    found = imported(litellm(), KEYS | {"JWT_AUDIENCE": "api", "JWT_ISSUER": "https://idp.example"})

    text = " ".join(found.comments.values())
    assert loaded(found).policy.options.require_issuer == STRICT.require_issuer
    assert "token.require_issuer" not in text
    assert "token.require_audience" not in text
    assert "access.unentitled" in text
