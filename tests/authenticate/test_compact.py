"""The gate: one canonical form of a token, and nothing in its header that is never done."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keyring
from usherd.authenticate.compact import MAX_CLAIMS, MAX_HEADER_MEMBERS, MAX_LIST_LENGTH, check_size, take_apart
from usherd.errors import Refusal
from usherd.options import STRICT, with_values
from usherd.reasons import Reason

GOOD = keyring.compact({"alg": "RS256", "kid": "k", "typ": "JWT"}, {"iss": "i", "n": [1]}, b"signature")


def reason_of(token: str, max_size: int = 8192) -> Reason | None:
    try:
        take_apart(check_size(token, max_size))
    except Refusal as refusal:
        return refusal.reason
    return None


def with_header(**members: Any) -> str:
    return keyring.compact({"alg": "RS256"} | members, {"iss": "i"}, b"signature")


def with_claims(payload: object) -> str:
    return keyring.compact({"alg": "RS256"}, payload, b"signature")


def test_a_canonical_token_comes_apart() -> None:
    compact = take_apart(GOOD.encode())

    assert (compact.header.algorithm, compact.header.kid, compact.header.type) == ("RS256", "k", "JWT")
    assert compact.claims == {"iss": "i", "n": [1]}
    assert compact.signature == b"signature"
    assert compact.signing_input == GOOD.rpartition(".")[0].encode()


def test_nothing_of_a_token_is_in_its_repr() -> None:
    assert "RS256" not in repr(take_apart(GOOD.encode()))
    assert "iss" not in repr(take_apart(GOOD.encode()))


@pytest.mark.parametrize(
    "token",
    [
        ".",
        "..",
        "a.b",
        GOOD + ".",
        GOOD + "." + "a",
        GOOD + "=",
        GOOD + "\n",
        " " + GOOD,
        "Bearer " + GOOD,
        GOOD + "," + GOOD,
        "\ufeff" + GOOD,
        GOOD.replace(".", "%2e"),
        GOOD.replace("e", "е", 1),  # noqa: RUF001 (the letter is Cyrillic)
        GOOD.replace(".", ".\x00", 1),
        GOOD[:-1],
        GOOD + "A",
        json.dumps({"payload": "e30", "protected": "e30", "signature": "AA"}),
    ],
)
def test_every_other_form_is_malformed(token: str) -> None:
    assert reason_of(token) == Reason.TOKEN_MALFORMED


def test_unused_bits_are_not_free_to_choose() -> None:
    header, payload, _ = GOOD.split(".")

    # AA and AB decode to the same byte for a lenient reader.
    assert reason_of(f"{header}.{payload}.AA") is None
    assert reason_of(f"{header}.{payload}.AB") == Reason.TOKEN_MALFORMED


def test_size_is_judged_before_anything_else() -> None:
    assert reason_of("ä" * 513, 512) == Reason.TOKEN_TOO_LARGE
    assert reason_of("." * 8193) == Reason.TOKEN_TOO_LARGE
    assert reason_of(GOOD, len(GOOD)) is None
    assert reason_of(GOOD, len(GOOD) - 1) == Reason.TOKEN_TOO_LARGE


def test_an_empty_token_is_a_missing_one() -> None:
    assert reason_of("") == Reason.TOKEN_MISSING


@pytest.mark.parametrize("member", ["crit", "b64", "zip", "enc", "cty"])
@pytest.mark.parametrize("value", [None, [], ["alg"], ["exp"], False, True, "DEF", "JWT"])
def test_what_is_never_done_may_not_be_asked_for(member: str, value: object) -> None:
    assert reason_of(with_header(**{member: value})) == Reason.HEADER_NOT_ALLOWED


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "url", "nonce", "ALG"])
def test_other_members_are_ignored(member: str) -> None:
    assert reason_of(with_header(**{member: "https://evil.example"})) is None


@pytest.mark.parametrize("kid", [None, 7, True, [], ["k"], {}, "", "k" * 257])
def test_a_key_id_is_a_string_of_sane_length(kid: object) -> None:
    assert reason_of(with_header(kid=kid)) == Reason.TOKEN_MALFORMED


def test_a_key_id_may_be_as_long_as_one_of_a_key_document() -> None:
    assert take_apart(with_header(kid="k" * 256).encode()).header.kid == "k" * 256


@pytest.mark.parametrize("value", [None, 7, [], {}])
def test_where_types_are_unchecked_one_that_is_no_string_is_empty(value: object) -> None:
    options = with_values(STRICT, {"token.typ": "unchecked"})

    assert take_apart(with_header(typ=value).encode(), options).header.type == ""
    assert take_apart(with_header().encode(), options).header.type is None


@pytest.mark.parametrize("value", [None, 7, [], {}])
def test_a_type_is_a_string(value: object) -> None:
    assert reason_of(with_header(typ=value)) == Reason.TOKEN_MALFORMED


def test_without_an_algorithm_none_is_allowed() -> None:
    assert reason_of(with_header(alg=None)) == Reason.ALGORITHM_NOT_ALLOWED
    assert reason_of(keyring.compact({}, {}, b"s")) == Reason.ALGORITHM_NOT_ALLOWED
    assert reason_of(with_header(alg=["RS256"])) == Reason.TOKEN_MALFORMED


@pytest.mark.parametrize("payload", [b"[]", b'"text"', b"null", b"1", b"", b"{", b'{"a":1}{"b":2}', b'{"a":NaN}'])
def test_a_payload_is_one_strict_json_object(payload: bytes) -> None:
    assert reason_of(with_claims(payload)) == Reason.TOKEN_MALFORMED


def test_doubled_members_are_malformed_anywhere() -> None:
    header = b'{"alg":"RS256","alg":"none"}'

    assert reason_of(keyring.compact(header, {}, b"s")) == Reason.TOKEN_MALFORMED
    assert reason_of(with_claims(b'{"sub":"user","s\\u0075b":"admin"}')) == Reason.TOKEN_MALFORMED


def test_counts_are_bounded() -> None:
    many = {str(number): 1 for number in range(MAX_CLAIMS)}
    members = {str(number): 1 for number in range(MAX_HEADER_MEMBERS - 1)}
    groups = [0] * MAX_LIST_LENGTH

    assert reason_of(with_claims(many)) is None
    assert reason_of(with_claims(many | {"x": 1})) == Reason.TOKEN_TOO_LARGE
    assert reason_of(with_header(**members)) is None
    assert reason_of(with_header(x=1, **members)) == Reason.TOKEN_TOO_LARGE
    assert reason_of(with_claims({"groups": groups})) is None
    assert reason_of(with_claims({"groups": [*groups, 0]})) == Reason.TOKEN_TOO_LARGE
    assert reason_of(with_claims({"a": {"b": [{"c": [*groups, 0]}]}})) == Reason.TOKEN_TOO_LARGE
    assert reason_of(with_claims({"a": groups, "b": groups})) is None


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_any_text_comes_apart_or_is_refused(text: str) -> None:
    reason = reason_of(text, 512)

    assert reason is None or reason in {
        Reason.TOKEN_MISSING,
        Reason.TOKEN_MALFORMED,
        Reason.TOKEN_TOO_LARGE,
        Reason.HEADER_NOT_ALLOWED,
        Reason.ALGORITHM_NOT_ALLOWED,
    }
