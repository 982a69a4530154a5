"""What keys of LiteLLM mean is what usherd's configuration says, and it loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_files import KEYS, imported, litellm, loaded
from usherd.config.litellm import LATEST, REFERENCE, VERSIONS, Version, import_litellm

MEANINGS = yaml.safe_load((Path(__file__).parent / "meanings.yaml").read_text("utf-8"))


def meanings(section: str) -> pytest.MarkDecorator:
    """A test for each meaning of a section."""
    return pytest.mark.parametrize("meaning", MEANINGS[section].values(), ids=MEANINGS[section].keys())


def _at(value: Any, place: str) -> Any:
    """What stands at a place; a dot within a key is written ⋅."""
    for step in place.split("."):
        if isinstance(value, list):
            value = value[int(step)]
        else:
            value = None if value is None else value.get(step.replace("⋅", "."))
    return value


def _check(meaning: dict[str, Any], version: Version) -> None:
    environment = {name: value for name, value in (KEYS | meaning.get("env", {})).items() if value is not None}
    config = litellm(meaning.get("jwtauth"), **meaning.get("general", {}))
    config |= {"litellm_settings": meaning.get("settings", {}), **meaning.get("file", {})}

    found = imported(config, environment, version=version)

    assert {place: _at(found.document, place) for place in meaning["gives"]} == meaning["gives"]
    assert loaded(found, environment).policy.preset == "litellm"


@meanings("both")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_means_the_same_under_every_version(meaning: dict[str, Any], version: Version) -> None:
    _check(meaning, version)


@meanings("reference")
def test_a_key_means_what_1_63_makes_of_it(meaning: dict[str, Any]) -> None:
    _check(meaning, REFERENCE)


@meanings("latest")
def test_a_key_means_what_later_versions_make_of_it(meaning: dict[str, Any]) -> None:
    _check(meaning, LATEST)


KEY_DOCUMENTS = {
    "a key set": ({"keys": [{"kty": "RSA"}], "more": 1}, [{"kty": "RSA"}]),
    "a list of keys": ([{"kty": "RSA"}], [{"kty": "RSA"}]),
    "one key": ({"kty": "RSA"}, []),
    "an error": ({"error": "no"}, []),
    "keys that are no list": ({"keys": {"a": {}}}, []),
}


@pytest.mark.parametrize(("document", "keys"), KEY_DOCUMENTS.values(), ids=KEY_DOCUMENTS.keys())
def test_a_key_document_that_is_given_is_read_as_one_that_is_fetched(document: object, keys: object) -> None:
    found = import_litellm(litellm(), {}, keys=document)

    assert found.document["issuers"][0]["keys"] == {"jwks": {"keys": keys}}


NOTES = {
    "a secret": ({"master_key": "sk-1"}, {}, "general_settings.master_key: a secret is not copied"),
    "a bound": ({"user_api_key_cache_ttl": 10**6}, {}, "general_settings.user_api_key_cache_ttl: 1h, which is as far"),
    "a route that is none": ({"public_routes": ["x"]}, {}, "general_settings.public_routes[0]: 'x' is left out"),
    "endpoints": ({"pass_through_endpoints": [{}]}, {}, "general_settings.pass_through_endpoints: usherd judges"),
    "models elsewhere": ({"store_model_in_db": True}, {}, "general_settings.store_model_in_db: models in LiteLLM's"),
    "guardrails": ({}, {"guardrails": [{}]}, "guardrails: they go on running in LiteLLM"),
    "callbacks": ({}, {"litellm_settings": {"callbacks": ["otel"]}}, "litellm_settings.callbacks: they go on running"),
    "roles without a place": (
        {"litellm_jwtauth": {"roles_jwt_field": ""}},
        {},
        "general_settings.litellm_jwtauth.roles_jwt_field: '' names no claim",
    ),
    "roles that nothing sets": (
        {"litellm_jwtauth": {"jwt_litellm_role_map": [{"jwt_role": "a", "litellm_role": "internal_user"}]}},
        {},
        "general_settings.litellm_jwtauth.jwt_litellm_role_map: left out",
    ),
    "a budget of all": (
        {},
        {"litellm_settings": {"max_budget": 1}},
        "litellm_settings.max_budget: usherd cannot be told yet what is spent, so this budget denies nothing",
    ),
    "a budget of new users": (
        {"litellm_jwtauth": {"user_id_upsert": True}},
        {"litellm_settings": {"default_internal_user_params": {"max_budget": 1}}},
        "litellm_settings.default_internal_user_params.max_budget: usherd cannot be told yet",
    ),
    "a budget of new users within a team": (
        {"litellm_jwtauth": {"user_id_upsert": True}},
        {"litellm_settings": {"default_internal_user_params": {"teams": [{"team_id": "a", "max_budget_in_team": 0}]}}},
        "litellm_settings.default_internal_user_params.teams[0].max_budget_in_team: left out",
    ),
    "a budget of other new users": (
        {"litellm_jwtauth": {"user_id_upsert": True}},
        {"litellm_settings": {"max_internal_user_budget": 1}},
        "litellm_settings.max_internal_user_budget: usherd cannot be told yet",
    ),
    "a budget of new teams": (
        {"litellm_jwtauth": {"team_id_upsert": True}},
        {"litellm_settings": {"default_team_params": {"max_budget": 1}}},
        "litellm_settings.default_team_params.max_budget: usherd cannot be told yet",
    ),
    "issuers": (
        {
            "litellm_jwtauth": {
                "issuers": [
                    {"issuer": "https://a.example", "audience": "x"},
                    {"issuer": "https://b.example", "audience": "x"},
                ]
            }
        },
        {},
        "issuers: with more than one, rows of the directory name theirs",
    ),
    "a variable without a value": (
        {},
        {"environment_variables": {"A B": "os.environ/NOT_SET"}},
        "environment_variables.'A B': has no value",
    ),
    "tokens that are none": (
        {"litellm_jwtauth": {"oidc_userinfo_enabled": True}},
        {},
        "general_settings.litellm_jwtauth.oidc_userinfo_enabled: usherd takes tokens that are JWTs only",
    ),
}


@pytest.mark.parametrize(("general", "file", "says"), NOTES.values(), ids=NOTES.keys())
def test_what_is_left_out_or_goes_on_elsewhere_is_noted(
    general: dict[str, object], file: dict[str, object], says: str
) -> None:
    config = {"general_settings": {"enable_jwt_auth": True, **general}, **file}

    environment = {} if says.startswith("issuers") else KEYS
    assert [note for note in imported(config, environment).notes if note.startswith(says)] != []


def test_what_is_ignored_is_noted_and_not_in_the_configuration() -> None:
    found = imported(litellm(None, allowed_ips=["10.0.0.1"]), ignore=["allowed_ips"])

    assert found.notes == ("general_settings.allowed_ips: left out, as --ignore says; only some addresses may call",)
    assert found.document == imported(litellm()).document


def test_a_budget_of_nothing_denies_and_needs_no_note() -> None:
    settings = {"max_budget": 0, "default_internal_user_params": {"max_budget": 0}}

    found = imported(litellm({"user_id_upsert": True}) | {"litellm_settings": settings})

    assert found.document["users"]["provision"]["defaults"] == {"max_budget": 0}
    assert found.notes == ()


def test_nothing_needs_a_note() -> None:
    assert imported(litellm()).notes == ()
