"""Claim rules: each case is a change of a good token's claims, with the reason that it deserves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keyring
from keyring import AUDIENCE, NOW
from usherd.authenticate.claims import LATEST_DATE, MAX_IDENTIFIER, check_claims
from usherd.claim_paths import parse
from usherd.errors import Refusal
from usherd.policy import TokenRules
from usherd.reasons import Reason


def rules(**changes: Any) -> TokenRules:
    return keyring.policy(**changes).issuers[0].token


def reason_of(
    claims: dict[str, Any], header_type: str | None = "JWT", now: float = NOW, **changes: Any
) -> Reason | None:
    try:
        check_claims(claims, header_type, rules(**changes), now)
    except Refusal as refusal:
        return refusal.reason
    return None


INVALID, AUDIENCE_MISMATCH = Reason.CLAIM_INVALID, Reason.AUDIENCE_MISMATCH
EXPIRED, EARLY, LONG = Reason.TOKEN_EXPIRED, Reason.TOKEN_NOT_YET_VALID, Reason.TOKEN_LIFETIME_TOO_LONG
TYPE = Reason.TOKEN_TYPE_NOT_ALLOWED

CHANGES: list[tuple[dict[str, Any], Reason | None]] = [
    ({}, None),
    ({"aud": [AUDIENCE]}, None),
    ({"aud": ["other", AUDIENCE]}, None),
    ({"aud": ...}, AUDIENCE_MISMATCH),
    ({"aud": None}, AUDIENCE_MISMATCH),
    ({"aud": []}, AUDIENCE_MISMATCH),
    ({"aud": ""}, AUDIENCE_MISMATCH),
    ({"aud": AUDIENCE + "/"}, AUDIENCE_MISMATCH),
    ({"aud": AUDIENCE[:-1]}, AUDIENCE_MISMATCH),
    ({"aud": AUDIENCE.upper()}, AUDIENCE_MISMATCH),
    ({"aud": f"{AUDIENCE} other"}, AUDIENCE_MISMATCH),
    ({"aud": [[AUDIENCE]]}, AUDIENCE_MISMATCH),
    ({"aud": [AUDIENCE, 7]}, AUDIENCE_MISMATCH),
    ({"aud": {AUDIENCE: 1}}, AUDIENCE_MISMATCH),
    ({"exp": ...}, INVALID),
    ({"exp": None}, INVALID),
    ({"exp": str(int(NOW) + 60)}, INVALID),
    ({"exp": True}, INVALID),
    ({"exp": [NOW + 60]}, INVALID),
    ({"exp": {}}, INVALID),
    ({"exp": -1}, INVALID),
    ({"exp": LATEST_DATE}, INVALID),
    ({"exp": 10**60}, INVALID),
    ({"exp": 1e300}, INVALID),
    ({"exp": 0}, EXPIRED),
    ({"exp": False}, INVALID),
    ({"exp": NOW + 0.5}, None),
    ({"nbf": None}, INVALID),
    ({"nbf": "0"}, INVALID),
    ({"nbf": True}, INVALID),
    ({"nbf": 0}, None),
    ({"nbf": NOW + 60}, EARLY),
    ({"iat": None}, INVALID),
    ({"iat": "now"}, INVALID),
    ({"iat": True}, INVALID),
    ({"iat": NOW + 60}, EARLY),
    ({"iat": NOW - 86400, "exp": NOW}, None),
    ({"iat": NOW - 86400, "exp": NOW + 1}, LONG),
    ({"iat": ..., "exp": NOW + 86400}, None),
    ({"iat": ..., "exp": NOW + 86401}, LONG),
    ({"nbf": NOW, "iat": 0}, LONG),
    ({"typ": "Bearer"}, None),
    ({"typ": "ID"}, TYPE),
    ({"typ": "refresh"}, TYPE),
    ({"typ": "Offline"}, TYPE),
    ({"typ": "Logout"}, TYPE),
    ({"nonce": "n"}, TYPE),
    ({"at_hash": "h"}, TYPE),
    ({"c_hash": None}, TYPE),
    ({"s_hash": "h"}, TYPE),
    ({"events": {}}, TYPE),
    ({"cnf": {"jkt": "x"}}, Reason.PROOF_REQUIRED),
    ({"cnf": None}, Reason.PROOF_REQUIRED),
    ({"sub": ...}, None),
    ({"sub": "ünïcode"}, None),
    ({"sub": "x" * MAX_IDENTIFIER}, None),
    ({"sub": "x" * (MAX_IDENTIFIER + 1)}, INVALID),
    ({"sub": ""}, INVALID),
    ({"sub": None}, INVALID),
    ({"sub": 7}, INVALID),
    ({"sub": ["alice"]}, INVALID),
    ({"sub": "alice\n"}, INVALID),
    ({"sub": "a\x00"}, INVALID),
    ({"sub": "a\x7f"}, INVALID),
    ({"sub": "a\x85b"}, INVALID),
    ({"sub": "a\x9f"}, INVALID),
    ({"sub": "a\xa0b c"}, None),
    # It chose these rules, by equality.
    ({"iss": 7}, None),
    ({"jti": "id"}, None),
    ({"jti": 7}, INVALID),
    ({"jti": None}, INVALID),
    ({"scope": "a b"}, None),
    ({"scope": ["a"]}, None),
    ({"scope": {}}, INVALID),
    ({"scope": 7}, INVALID),
]


@pytest.mark.parametrize(("changes", "expected"), CHANGES, ids=lambda value: ascii(value).replace("\\", "/")[:40])
def test_each_claim_gets_its_reason(changes: dict[str, Any], expected: Reason | None) -> None:
    assert reason_of(keyring.claims(**changes)) == expected


@pytest.mark.parametrize(
    ("header_type", "expected"),
    [
        (None, None),
        ("JWT", None),
        ("jwt", None),
        ("at+jwt", None),
        ("AT+JWT", None),
        ("application/at+jwt", None),
        ("Application/JWT", None),
        ("", TYPE),
        ("application/", TYPE),
        ("application/application/jwt", TYPE),
        (" JWT", TYPE),
        ("JOSE", TYPE),
        ("dpop+jwt", TYPE),
        ("logout+jwt", TYPE),
        ("secevent+jwt", TYPE),
        ("application/kb+jwt", TYPE),
    ],
)
def test_the_header_says_that_it_is_an_access_token_or_nothing(
    header_type: str | None, expected: Reason | None
) -> None:
    assert reason_of(keyring.claims(), header_type) == expected


def test_an_absent_type_may_be_forbidden() -> None:
    types = frozenset({"at+jwt"})

    assert reason_of(keyring.claims(), None, types=types) == TYPE
    assert reason_of(keyring.claims(), "at+jwt", types=types) is None


@pytest.mark.parametrize(("offset", "expected"), [(-1, None), (0, None), (29.9, None), (30, EXPIRED), (31, EXPIRED)])
def test_a_token_ends_with_the_leeway(offset: float, expected: Reason | None) -> None:
    claims = keyring.claims(exp=NOW, iat=NOW - 60)

    assert reason_of(claims, now=NOW + offset) == expected


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(("offset", "expected"), [(-31, EARLY), (-30, None), (-29, None), (0, None), (1, None)])
def test_a_token_begins_with_the_leeway(name: str, offset: float, expected: Reason | None) -> None:
    claims = keyring.claims(**{"iat": ..., name: NOW})

    assert reason_of(claims, now=NOW + offset) == expected


def test_the_first_broken_rule_is_the_reason() -> None:
    broken: dict[str, Any] = {"aud": "x", "exp": 0, "nonce": "n", "cnf": {}, "sub": 7}
    order = []

    reason = reason_of(keyring.claims(**broken), "kb+jwt")
    while reason is not None and broken:
        order.append(reason)
        if reason is not TYPE or len(order) > 1:
            broken.pop(next(iter(broken)))
        reason = reason_of(keyring.claims(**broken))

    assert order == [TYPE, AUDIENCE_MISMATCH, EXPIRED, TYPE, Reason.PROOF_REQUIRED, INVALID]
    assert reason is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("app", None),
        (["x", "app"], None),
        ("other", INVALID),
        ("ap", INVALID),
        (["x"], INVALID),
        ([], INVALID),
        ([["app"]], INVALID),
        ({"app": 1}, INVALID),
        (7, INVALID),
        (None, INVALID),
        (..., INVALID),
    ],
)
def test_a_required_claim_has_an_accepted_value(value: object, expected: Reason | None) -> None:
    required = (("realm.azp", parse("realm.azp"), frozenset({"app", "api"})),)
    claims = keyring.claims(realm={} if value is ... else {"azp": value})

    assert reason_of(claims, required_claims=required) == expected
    assert reason_of(keyring.claims(realm=[]), required_claims=required) == INVALID


def test_validity_tells_when_the_token_is_valid() -> None:
    validity = check_claims(keyring.claims(nbf=NOW - 5, iat=NOW - 10, exp=NOW + 60.5), None, rules(), NOW)

    assert (validity.not_before, validity.expires_at) == (NOW - 5, NOW + 60.5)
    assert (validity.valid_from, validity.valid_until) == (NOW - 35, NOW + 90.5)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["aud", "exp", "nbf", "iat", "sub", "jti", "typ", "cnf", "nonce", "scope", "a"])


@given(st.dictionaries(names, json_values))
def test_any_claims_pass_or_are_refused(changes: dict[str, Any]) -> None:
    required = (("a.b", parse("a.b[0]"), frozenset({"x"})),)
    reason = reason_of(keyring.claims(**changes), required_claims=required)

    assert reason is not None or changes["a"]["b"][0] == "x"


@given(
    now=st.integers(0, 200),
    exp=st.integers(0, 200),
    nbf=st.none() | st.integers(0, 200),
    iat=st.none() | st.integers(0, 200),
)
def test_what_is_valid_at_an_instant_is_valid_in_its_validity(
    now: int, exp: int, nbf: int | None, iat: int | None
) -> None:
    dates = {"exp": exp, "nbf": ... if nbf is None else nbf, "iat": ... if iat is None else iat}
    options = {"leeway": 10.0, "max_lifetime": 50.0}
    claims = keyring.claims(**dates)
    if reason_of(claims, now=now, **options) is not None:
        return

    validity = check_claims(claims, None, rules(**options), now)

    for instant in range(250):
        inside = validity.valid_from <= instant < validity.valid_until
        assert (reason_of(claims, now=instant, **options) is None) == inside
