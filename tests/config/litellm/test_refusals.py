"""What LiteLLM does not start with, and what usherd cannot mean, is refused by its key, with what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_files import KEYS, litellm, refusals
from usherd.config.litellm import LATEST, REFERENCE, VERSIONS, Version
from usherd.config.litellm.known_keys import (
    HANDLED,
    RESTRICTING,
    RESTRICTING_LITELLM,
    TOP_LEVEL,
    UNRESTRICTING,
)

MISTAKES = yaml.safe_load((Path(__file__).parent / "refusals.yaml").read_text("utf-8"))


def mistakes(section: str) -> pytest.MarkDecorator:
    """A test for each mistake of a section."""
    return pytest.mark.parametrize("mistake", MISTAKES[section].values(), ids=MISTAKES[section].keys())


def _found(mistake: dict[str, Any], version: Version) -> list[str]:
    config = litellm(mistake.get("jwtauth"), **mistake.get("general", {}))
    config |= {"litellm_settings": mistake.get("settings", {}), **mistake.get("file", {})}
    return refusals(config, version=version)


@mistakes("both")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_mistake_is_told_with_its_key_and_what_was_expected(mistake: dict[str, Any], version: Version) -> None:
    assert f"config.yaml: {mistake['says'].replace('{version}', version)}" in _found(mistake, version)


@mistakes("reference")
def test_what_only_later_versions_take_is_a_mistake_under_1_63(mistake: dict[str, Any]) -> None:
    assert f"config.yaml: {mistake['says']}" in _found(mistake, REFERENCE)


@mistakes("latest")
def test_a_mistake_in_keys_of_later_versions_is_told(mistake: dict[str, Any]) -> None:
    assert f"{mistake.get('file_of', 'config.yaml')}: {mistake['says']}" in _found(mistake, LATEST)


def test_every_mistake_is_told_at_once() -> None:
    found = refusals(litellm({"admin_jwt_scope": 5, "enforce_rbac": "maybe"}, allowed_ips=[]), {})

    assert [line.split(": ")[1] for line in found] == [
        "general_settings.allowed_ips",
        "general_settings.litellm_jwtauth.admin_jwt_scope",
        "general_settings.litellm_jwtauth.enforce_rbac",
        "JWT_PUBLIC_KEY_URL",
    ]


ENVIRONMENTS = {
    "no URL of keys": ({}, "JWT_PUBLIC_KEY_URL: is not set, and LiteLLM refuses every token then"),
    "a URL that is no text": (
        {"JWT_PUBLIC_KEY_URL": "https://idp.example/\udcff"},
        "JWT_PUBLIC_KEY_URL: is not set, and LiteLLM refuses every token then",
    ),
    "an empty URL": (
        {"JWT_PUBLIC_KEY_URL": ""},
        "JWT_PUBLIC_KEY_URL: is not set, and LiteLLM refuses every token then",
    ),
    "keys over http": ({"JWT_PUBLIC_KEY_URL": "http://idp.example/keys"}, "JWT_PUBLIC_KEY_URL: is not https"),
    "an audience that no token has": (KEYS | {"JWT_AUDIENCE": ""}, "JWT_AUDIENCE: is empty, and LiteLLM refuses every"),
    "an audience that is no text": (KEYS | {"JWT_AUDIENCE": "api\udcff"}, "JWT_AUDIENCE: is not UTF-8"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("environment", "says"), ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_an_environment_with_which_nobody_has_access_is_refused(
    environment: dict[str, str], says: str, version: Version
) -> None:
    (found,) = refusals(litellm(), environment, version=version)

    assert found.startswith(f"environment: {says}")


LATER_ENVIRONMENTS = {
    "an issuer that is no text": (KEYS | {"JWT_ISSUER": "https://idp.example\udcff"}, "JWT_ISSUER: is not UTF-8"),
    "an issuer that no token has": (KEYS | {"JWT_ISSUER": ""}, "JWT_ISSUER: is empty"),
    "a discovery document beside other URLs": (
        {"JWT_PUBLIC_KEY_URL": "https://a.example/keys,https://b.example/.well-known/openid-configuration"},
        "JWT_PUBLIC_KEY_URL: has a discovery document beside other URLs",
    ),
}


@pytest.mark.parametrize(("environment", "says"), LATER_ENVIRONMENTS.values(), ids=LATER_ENVIRONMENTS.keys())
def test_an_environment_of_later_versions_that_usherd_cannot_mean_is_refused(
    environment: dict[str, str], says: str
) -> None:
    (found,) = refusals(litellm(), environment)

    assert found.startswith(f"environment: {says}")


VALUES = {"custom_auth": "a.b", "custom_auth_settings": {"mode": "on"}, "enforced_params": ["user"]}


@pytest.mark.parametrize("key", sorted(RESTRICTING))
def test_a_key_that_restricts_is_refused_unless_it_is_to_be_ignored(key: str) -> None:
    config = litellm(None, **{key: VALUES.get(key, True)})

    assert any(line.startswith(f"config.yaml: general_settings.{key}: ") for line in refusals(config))
    assert refusals(config, ignore=[key]) == []
    assert refusals(config, ignore=[f"general_settings.{key}"]) == []


@pytest.mark.parametrize("key", sorted(RESTRICTING_LITELLM))
def test_a_setting_that_restricts_is_refused_unless_it_is_to_be_ignored(key: str) -> None:
    config = litellm() | {"litellm_settings": {key: 1}}

    assert any(line.startswith(f"config.yaml: litellm_settings.{key}: ") for line in refusals(config))
    assert refusals(config, ignore=[key]) == []


@pytest.mark.parametrize(
    "key", sorted(set(RESTRICTING) - {"allowed_ips", "mcp_allowed_clients", "mcp_internal_ip_ranges"})
)
def test_a_key_that_is_switched_off_restricts_nobody(key: str) -> None:
    off = None if key.startswith("max_") else False

    assert refusals(litellm(None, **{key: off})) == []


@pytest.mark.parametrize("key", sorted(UNRESTRICTING))
def test_a_key_that_keeps_nobody_out_is_passed_over(key: str) -> None:
    assert refusals(litellm(None, **{key: "anything"})) == []


def test_every_key_is_of_one_kind() -> None:
    kinds = [set(HANDLED), set(UNRESTRICTING), set(RESTRICTING)]

    assert sum(map(len, kinds)) == len(set.union(*kinds))
    assert {"general_settings", "litellm_settings", "model_list"} <= TOP_LEVEL


NOTHING_TO_IGNORE = {
    "a key that is not there": ("allowed_ips", {}),
    "a key that usherd implements": ("enforce_rbac", {"enforce_rbac": True}),
    "a key that LiteLLM does not take": ("team_jwt_scope", {"litellm_jwtauth": {"team_jwt_scope": "x"}}),
}


@pytest.mark.parametrize(("key", "general"), NOTHING_TO_IGNORE.values(), ids=NOTHING_TO_IGNORE.keys())
def test_what_cannot_be_ignored_is_told(key: str, general: dict[str, object]) -> None:
    found = refusals(
        litellm(None) if not general else {"general_settings": {"enable_jwt_auth": True, **general}}, ignore=[key]
    )

    assert f"config.yaml: --ignore {key}: the configuration has no such key that could be ignored" in found


def test_a_key_with_a_control_character_is_shown_escaped() -> None:
    found = refusals(litellm() | {"a\x7f\x1b[31mb": 1})

    assert len(found) == 1
    assert found[0].isprintable()
    assert found[0].endswith("--ignore 'a\\x7f\\x1b[31mb'")
