"""Each named difference holds just where it says, and never where an administrator or a public route decides."""

from __future__ import annotations

from typing import Any

import pytest

from keyring import key_pair
from usherd.parity.differences import difference_of
from usherd.parity.predicates import NO_SUCH_TEAM, without_letters

from .support import KEYS, case, part

SIGNATURE = part(b"x" * 256)
HEADER = part({"alg": "RS256", "kid": "key-1"})


def name_of(subject: Any, document: object = KEYS) -> str | None:
    found = difference_of(subject, document)
    return None if found is None else found.name


def of_token(header: str = HEADER, payload: object = b'{"sub":"u-1"}', signature: str = SIGNATURE) -> str | None:
    return name_of(case(token=f"{header}.{part(payload)}.{signature}"))


def test_an_ordinary_question_has_no_difference() -> None:
    assert name_of(case()) is None


@pytest.mark.parametrize("seconds", [0, 300, 301])
def test_a_leeway_beyond_the_bound_does_not_load(seconds: int) -> None:
    assert name_of(case(config={"leeway": seconds})) == (None if seconds <= 300 else "leeway")


@pytest.mark.parametrize("behaviour", [{"error": "connect"}, {"error": "timeout"}, {"body": "<html>"}])
def test_keys_that_cannot_be_had_are_a_fault(behaviour: dict[str, Any]) -> None:
    assert name_of(case(jwks_http=behaviour)) == "fault"


def test_keys_in_an_error_response_are_none() -> None:
    assert name_of(case(jwks_http={"status": 404})) == "key-hygiene"
    assert name_of(case(jwks_http={"status": 200})) is None


@pytest.mark.parametrize("kind", ["RSA", "RSA-1024"])
def test_a_short_key_verifies_nothing(kind: str) -> None:
    pair = key_pair(kind)

    assert name_of(case(token=pair.token({"sub": "u-1"})), {"keys": [pair.jwk()]}) == (
        "key-hygiene" if kind == "RSA-1024" else None
    )


@pytest.mark.parametrize("changes", [{"d": "AQAB"}, {"e": "Aw"}])
def test_a_key_with_private_parts_or_a_small_exponent_verifies_nothing(changes: dict[str, str]) -> None:
    pair = key_pair("RSA")

    assert name_of(case(), {"keys": [pair.jwk(**changes)]}) == "key-hygiene"
    assert name_of(case(), [pair.jwk(**changes)]) == "key-hygiene"
    # The key that counts is the last of its id.
    assert name_of(case(), {"keys": [pair.jwk(**changes), pair.jwk()]}) is None


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub":"u-1","sub":"u-2"}',
        b'\xef\xbb\xbf{"sub":"u-1"}',
        '{"sub":"u-1"}'.encode("utf-16"),
        b'{"sub":"u-1","exp":true}',
        b'{"sub":"u-1","nbf":"1"}',
        b'{"sub":"u-1","iat":-1}',
        b'{"sub":"u-1","exp":7258118400}',
        b'{"sub":"u-1","iss":null}',
        b'{"sub":"u-1","x":NaN}',
        b'{"sub":"u-1","x":1e999}',
        b'{"sub":"u-1","x":' + b"1" * 65 + b"}",
        b'{"sub":"u-1","x":' + b"[" * 21 + b"]" * 21 + b"}",
        b'{"sub":"u-1","x":[' + b"0," * 1000 + b"0]}",
        b'{"sub":"u-1","x":"\\ud800"}',
        b'{"sub":"u-1","x":"' + b"x" * 8192 + b'"}',
    ],
)
def test_claims_that_two_parsers_may_read_differently_are_token_form(payload: bytes) -> None:
    assert of_token(payload=payload) == "token-form"


def test_claims_of_ordinary_form_are_not() -> None:
    assert of_token(payload=b' {"sub":"u-1","exp":4102444800.5,"iat":0,"x":[{"y":"\\ud83d\\ude00"}]}') is None


@pytest.mark.parametrize("member", ["crit", "b64", "zip"])
def test_headers_that_ask_for_what_is_never_done_are_token_form(member: str) -> None:
    assert of_token(header=part({"alg": "RS256", member: True})) == "token-form"


@pytest.mark.parametrize("signature", [SIGNATURE + "=", SIGNATURE[:-1] + "5", SIGNATURE + "+/"])
def test_base64_that_is_not_canonical_is_token_form(signature: str) -> None:
    assert of_token(signature=signature) == "token-form"


@pytest.mark.parametrize("claims", [{"sub": 5}, {"sub": None}, {"jti": []}, {"sub": "x" * 257}, {"sub": "a\x00"}])
def test_identifiers_that_are_no_texts_are_the_librarys(claims: dict[str, Any]) -> None:
    assert of_token(payload=claims) == "library"


@pytest.mark.parametrize("value", [5, 0, ["t"], {"id": "t"}, "x" * 300])
@pytest.mark.parametrize(
    "field", ["team_id_jwt_field", "user_id_jwt_field", "org_id_jwt_field", "end_user_id_jwt_field"]
)
def test_an_id_that_is_no_id_is_id_type(field: str, value: object) -> None:
    assert name_of(case({field: "id"}, {"id": value})) == "id-type"


@pytest.mark.parametrize("value", ["t", "", None])
def test_a_text_or_nothing_is_an_id(value: object) -> None:
    assert name_of(case({"team_id_jwt_field": "id"}, {"id": value}, model=None)) is None


def test_an_object_id_is_an_id_only_where_a_role_reads_it() -> None:
    claims = {"oid": 5, "uid": "u-1"}

    assert name_of(case({"object_id_jwt_field": "oid"}, claims)) is None
    assert name_of(case({"object_id_jwt_field": "oid", "user_id_jwt_field": "uid"}, claims)) == "id-type"


def team(*models: str, model: object = "gpt-4o", **changed: Any) -> Any:
    directory = {"teams": {"t": {"models": list(models)}}}
    return case({"team_id_jwt_field": "tid"}, {"tid": "t"}, directory=directory, model=model, **changed)


def user(*models: str, model: str = "gpt-4o", **changed: Any) -> Any:
    directory = {"users": {"u": {"models": list(models)}}}
    return case({"user_id_jwt_field": "sub"}, {"sub": "u"}, directory=directory, model=model, **changed)


@pytest.mark.parametrize("model", [5, True, ["gpt-4o"], {}])
def test_a_model_that_is_no_text_is_model_form(model: object) -> None:
    assert name_of(team(model=model)) == "model-form"


def test_a_star_in_a_model_is_a_difference_where_the_team_lacks_it() -> None:
    assert name_of(team("claude", model="gpt-*")) == "model-form"
    for had in ("*", "gpt-*", "all-proxy-models"):
        assert name_of(team(had, model="gpt-*")) is None
    assert name_of(team(model="gpt-*")) is None


def test_a_wildcard_is_no_regular_expression() -> None:
    assert name_of(team("gpt-4+*", model="gpt-44")) == "glob"
    assert name_of(team("gpt-(*", model="gpt-4o")) == "glob"
    assert name_of(user("gpt.4*", model="gpt-4o")) == "glob"
    assert name_of(team("gpt-4*", model="gpt-4o")) is None
    assert name_of(team("claude*", model="gpt-4o")) is None


def test_a_provider_is_what_the_catalogue_says() -> None:
    deployment = {"model_name": "gpt-4o", "litellm_params": {"model": "openai/gpt-4o"}}
    catalogue = {"model_list": [deployment]}

    assert name_of(team("openai/*")) == name_of(user("openai/*")) == "provider"
    assert name_of(team("openai/*", config=catalogue)) is None
    assert name_of(team("openai/*", model="openai/gpt-4o")) is None


def test_groups_and_aliases_of_the_catalogue_count() -> None:
    deployment = {
        "model_name": "gpt-4o",
        "litellm_params": {"model": "gpt-4o"},
        "model_info": {"access_groups": ["fast"]},
    }
    aliases = {"litellm_settings": {"model_alias_map": {"mine": "openai/x"}}}

    assert name_of(team("openai/*", "fast", config={"model_list": [deployment]})) is None
    assert name_of(user("openai/*", model="mine", config=aliases)) is None
    assert name_of(team("openai/*", model="mine", config=aliases)) == "provider"


def test_administrators_and_public_routes_ask_no_list() -> None:
    admin = case(
        {"team_id_jwt_field": "tid"},
        {"tid": "t", "scope": "openid litellm_proxy_admin"},
        directory={"teams": {"t": {"models": ["openai/*"]}}},
    )

    assert name_of(admin) is None
    assert name_of(team("openai/*", route="/health/liveness?x=1")) is None


def test_a_cache_key_finds_nobody_unless_a_user_has_that_id() -> None:
    claims = {"sub": "team_id:t"}
    config = {"user_id_jwt_field": "sub"}

    assert name_of(case(config, claims)) == "cache-key"
    assert name_of(case(config | {"user_id_upsert": True}, claims)) is None
    assert name_of(case(config, claims, directory={"users": {"team_id:t": {}}})) is None


@pytest.mark.parametrize("field", ["user_roles_jwt_field", "roles_jwt_field", "team_ids_jwt_field"])
def test_a_text_in_place_of_a_list_is_letters(field: str) -> None:
    assert name_of(case({field: "words"}, {"words": "abc"})) == "letters"
    assert name_of(case({field: "words"}, {"words": ["abc"]})) is None
    assert name_of(case({field: "words"}, {"words": ""})) is None


@pytest.mark.parametrize("name", ["scope", "sub", "mail"])
def test_a_claim_that_is_read_as_a_text_too_has_no_letters(name: str) -> None:
    config = {"team_ids_jwt_field": name, "user_email_jwt_field": "mail"}

    assert name_of(case(config, {name: "abc"})) is None


def test_without_letters_a_text_is_no_role_and_no_known_team() -> None:
    said = {"groups": "abc", "realm": {"roles": "u", "x": 1}, "roles": ["kept"]}
    config = {"team_ids_jwt_field": "groups", "user_roles_jwt_field": "realm.roles", "roles_jwt_field": "roles"}

    assert without_letters(case(config, said)) == {
        "groups": [NO_SUCH_TEAM],
        "realm": {"roles": [], "x": 1},
        "roles": ["kept"],
    }
