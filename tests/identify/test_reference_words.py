"""Words as the reference reads them: what is no text is passed over, taken by its keys, or refuses the token."""

from __future__ import annotations

from typing import Any

import pytest

from usherd.domain import VerifiedClaims
from usherd.errors import Refusal
from usherd.identify.address import Address, address, refuse_unverified
from usherd.identify.words import Listed, first, is_missing, is_named, listed, scopes
from usherd.options import LITELLM, STRICT, with_values
from usherd.policy import ClaimPaths
from usherd.reasons import Reason

REFERENCE = with_values(STRICT, {"claims.wrong_type": "reference"})
NO_VALUE = with_values(STRICT, {"claims.wrong_type": "reference", "claims.string_list": "no_value"})
DENY_NO_VALUE = with_values(STRICT, {"claims.string_list": "no_value"})
REFUSED = Reason.CLAIM_INVALID
NOTHING = Listed((), False)


def claims(value: object = ..., **others: object) -> VerifiedClaims:
    """Claims with the value as `c`, and as a member of `o`; the value `...` is left out."""
    return VerifiedClaims({**({} if value is ... else {"c": value, "o": {"c": value}}), **others})


def outcome(call: Any) -> object:
    """What the call gives; the reason when it refuses the token."""
    try:
        return call()
    except Refusal as refusal:
        return refusal.reason


@pytest.mark.parametrize(
    ("value", "named", "missing"),
    [(..., False, True), (None, False, False), ("", True, False), (0, True, False), ("x", True, False)],
)
@pytest.mark.parametrize("path", [("c",), ("o", "c")])
def test_null_names_nothing_and_is_not_missing(path: Any, value: object, named: bool, missing: bool) -> None:
    assert is_named(claims(value), path) is named
    assert is_missing(claims(value), path) is missing


def test_what_is_missing_in_an_object_is_missing_whatever_is_beside_it() -> None:
    assert is_missing(claims(c="beside", o={}), ("o", "c"))
    assert not is_missing(claims(o={"c": None}), ("o", "c"))


@pytest.mark.parametrize(
    ("path", "missing"), [(None, True), (("l", 0), False), (("l", 1), True), (("t", "c"), True), (("l", "c"), True)]
)
def test_what_cannot_be_reached_is_missing(path: Any, missing: bool) -> None:
    assert is_missing(claims(l=["x"], t="c"), path) is missing
    assert is_named(claims(l=["x"], t="c"), path) is not missing


def test_the_first_of_several_claims_with_a_text_counts() -> None:
    found = claims(a="", b=None, d="fourth", e="fifth")

    assert first(found, (("a",), ("b",), ("c",), ("d",), ("e",))) == "fourth"
    assert first(found, (("a",), ("c",))) == ""
    assert first(found, ()) == ""


@pytest.mark.parametrize(
    ("value", "strict", "as_list", "as_set"),
    [
        (..., NOTHING, NOTHING, NOTHING),
        (None, NOTHING, NOTHING, NOTHING),
        ("red", Listed(("red",), True), Listed(("red",), True), Listed(("red",), True)),
        ("", NOTHING, NOTHING, NOTHING),
        ([], NOTHING, NOTHING, NOTHING),
        ([""], NOTHING, Listed(("",), True), Listed(("",), True)),
        (["red", "blue"], *[Listed(("red", "blue"), True)] * 3),
        # What is no text is passed over, and the claim names something all the same.
        (["red", 7], REFUSED, Listed(("red",), True), Listed(("red",), True)),
        ([7], REFUSED, Listed((), True), Listed((), True)),
        # A set cannot hold lists and objects.
        (["red", ["blue"]], REFUSED, Listed(("red",), True), REFUSED),
        (["red", {"blue": 1}], REFUSED, Listed(("red",), True), REFUSED),
        # An object stands for its keys.
        ({"red": 1, "blue": [2]}, REFUSED, Listed(("red", "blue"), True), Listed(("red", "blue"), True)),
        ({}, REFUSED, NOTHING, NOTHING),
        (7, REFUSED, REFUSED, REFUSED),
        (True, REFUSED, REFUSED, REFUSED),
    ],
)
def test_a_list_is_read_as_the_options_say(value: object, strict: object, as_list: object, as_set: object) -> None:
    assert outcome(lambda: listed(claims(value), ("c",), STRICT, as_set=True)) == strict
    assert outcome(lambda: listed(claims(value), ("c",), STRICT, as_set=False)) == strict
    assert outcome(lambda: listed(claims(value), ("c",), REFERENCE, as_set=False)) == as_list
    assert outcome(lambda: listed(claims(value), ("c",), REFERENCE, as_set=True)) == as_set
    assert listed(claims(value), None, STRICT, as_set=True) == NOTHING


@pytest.mark.parametrize(
    ("value", "read"), [("red", Listed((), True)), ("", NOTHING), (["red"], Listed(("red",), True))]
)
def test_a_text_in_place_of_a_list_may_be_no_value_and_names_something(value: object, read: Listed) -> None:
    assert listed(claims(value), ("c",), NO_VALUE, as_set=True) == read
    assert listed(claims(value), ("c",), DENY_NO_VALUE, as_set=True) == read


@pytest.mark.parametrize(
    ("value", "strict", "reference"),
    [
        (..., (), ()),
        # To the reference, null is there and is no list of scopes.
        (None, (), REFUSED),
        ("b  a b", ("a", "b"), ("a", "b")),
        pytest.param("a\tb\nc", ("a\tb\nc",), ("a", "b", "c"), id="other white space"),
        (["b c", "a"], ("a", "b c"), ("a", "b c")),
        (["a", 7, None], REFUSED, ("a",)),
        ({"a": 1}, REFUSED, REFUSED),
        (7, REFUSED, REFUSED),
    ],
)
def test_scopes_are_read_as_the_options_say(value: object, strict: object, reference: object) -> None:
    assert outcome(lambda: scopes(claims(value), (("c",),), STRICT)) == strict
    assert outcome(lambda: scopes(claims(value), (("c",),), REFERENCE)) == reference


@pytest.mark.parametrize("options", [STRICT, REFERENCE])
def test_scopes_of_several_claims_add_up(options: Any) -> None:
    assert scopes(claims("b", d=["c"], e="a"), (("d",), ("missing",), ("e",), ("c",)), options) == ("a", "b", "c")


WORDS = ClaimPaths()
CORP = frozenset({"corp.example"})


@pytest.mark.parametrize(
    ("email", "user", "domains", "options", "read"),
    [
        ("a@corp.example", "u", CORP, STRICT, Address("a@corp.example", "corp.example", True, False)),
        ("a@evil.example", "u", CORP, STRICT, Address("a@evil.example", "evil.example", False, False)),
        ("corp.example", "u", CORP, STRICT, Address("corp.example", "", False, False)),
        ("a@corp.example@corp.example", "u", CORP, STRICT, Address("a@corp.example@corp.example", "", False, False)),
        ("@corp.example", "u", CORP, STRICT, Address("@corp.example", "", False, False)),
        # The reference looks at the end alone.
        ("a@evil.example", "u", CORP, LITELLM, Address("a@evil.example", "evil.example", False, False)),
        ("corp.example", "u", CORP, LITELLM, Address("corp.example", "", True, False)),
        ("a@evil@corp.example", "u", CORP, LITELLM, Address("a@evil@corp.example", "", True, False)),
        (..., "u", CORP, LITELLM, Address("", "", False, False)),
        (..., "u", CORP, STRICT, Address("", "", False, False)),
        (..., "u", frozenset(), STRICT, Address("", "", True, False)),
        (7, "u", frozenset(), STRICT, REFUSED),
        ("", "u", frozenset(), STRICT, Address("", "", True, False)),
        ("a@x", "u", frozenset(), REFERENCE, Address("a@x", "x", True, False)),
        # Where it decides nothing, the reference hands it on unread.
        (7, "u", frozenset(), REFERENCE, Address("", "", True, False)),
        (..., "u", frozenset(), REFERENCE, Address("", "", True, False)),
        (7, "u", CORP, REFERENCE, REFUSED),
        (7, ..., frozenset(), REFERENCE, REFUSED),
    ],
)
def test_an_address_is_a_text_where_it_decides_something(
    email: object, user: object, domains: frozenset[str], options: Any, read: object
) -> None:
    given = VerifiedClaims({name: value for name, value in (("email", email), ("sub", user)) if value is not ...})

    assert outcome(lambda: address(given, WORDS, domains, options)) == read


def test_an_address_that_is_read_nowhere_is_none() -> None:
    given = VerifiedClaims({"email": "a@corp.example", "sub": "u"})

    for options in (STRICT, REFERENCE):
        assert address(given, ClaimPaths(email=None), frozenset(), options) == Address("", "", True, False)
    assert address(given, ClaimPaths(email=None), CORP, STRICT) == Address("", "", False, False)


@pytest.mark.parametrize(
    ("verified", "read"), [(True, True), (False, False), ("true", False), (None, False), (1, False)]
)
@pytest.mark.parametrize("email", ["a@corp.example", 7])
def test_an_address_is_verified_when_the_issuer_says_so(email: object, verified: object, read: bool) -> None:
    given = VerifiedClaims({"email": email, "sub": "u", "email_verified": verified})

    # Where it is handed on unread, nothing is said of it.
    assert address(given, WORDS, frozenset(), REFERENCE).verified is (read and isinstance(email, str))


@pytest.mark.parametrize(
    ("verified", "path", "rules", "refused"),
    [
        (False, ("email",), {("email",)}, True),
        (False, ("mail",), {("mail",)}, True),
        # Whatever else the policy calls an address, this one is what the issuer speaks of.
        (False, ("mail",), {("email",)}, True),
        (False, None, {("email",)}, True),
        (False, ("mail",), {("sub",)}, False),
        (False, None, set(), False),
        (True, ("email",), {("email",)}, False),
        (..., ("email",), {("email",)}, False),
        (None, ("email",), {("email",)}, True),
    ],
)
def test_an_address_that_a_rule_reads_must_not_be_unverified(
    verified: object, path: Any, rules: set[Any], refused: bool
) -> None:
    given = VerifiedClaims({} if verified is ... else {"email_verified": verified})

    assert outcome(lambda: refuse_unverified(given, path, frozenset(rules))) == (REFUSED if refused else None)
