"""What each option of tokens changes, and that it changes nothing else."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

import keyring
from keyring import AUDIENCE, ISSUER, ISSUER_NAME, NOW, StaticKeys, recalled
from usherd.authenticate.claims import LATEST_DATE, MAX_IDENTIFIER, Validity, check_claims
from usherd.authenticate.verifier import Verifier
from usherd.domain import VerifiedToken
from usherd.errors import Refusal
from usherd.options import LITELLM, STRICT, Options
from usherd.policy import ANY_ISSUER, IssuerPolicy, Policy
from usherd.reasons import Reason

PAIR = keyring.key_pair("RSA", "a")
INVALID, TYPE = Reason.CLAIM_INVALID, Reason.TOKEN_TYPE_NOT_ALLOWED
REFERENCE: dict[str, Any] = {
    "issuer": ANY_ISSUER,
    "audiences": None,
    "leeway": 0.0,
    "max_lifetime": None,
    "require_expiry": False,
    "other_kinds_refused": False,
}
"""The token rules of the preset `litellm`."""


def checked(claims: dict[str, Any], header_type: str | None = None, now: float = NOW, **rules: Any) -> Validity:
    return check_claims(claims, header_type, keyring.policy(**rules).issuers[0].token, now)


def reason_of(claims: dict[str, Any], header_type: str | None = None, **rules: Any) -> Reason | None:
    try:
        checked(claims, header_type, **rules)
    except Refusal as refusal:
        return refusal.reason
    return None


def verifier(options: Options = STRICT, **rules: Any) -> Verifier:
    policy = replace(keyring.policy(**rules), options=options)
    return Verifier(policy, StaticKeys.of(idp=[PAIR]), lambda: NOW)


def reference() -> Verifier:
    return verifier(LITELLM, **REFERENCE)


async def verified(judge: Verifier, **changes: Any) -> VerifiedToken:
    return await judge.verify(PAIR.token(keyring.claims(**changes)), patience=0)


class TestExpiry:
    def test_a_token_without_expiry_never_ends_where_no_lifetime_is_too_long(self) -> None:
        validity = checked(keyring.claims(exp=...), require_expiry=False, max_lifetime=None)
        undated = checked(keyring.claims(exp=..., iat=...), require_expiry=False, max_lifetime=None)

        assert (validity.expires_at, validity.valid_until, validity.valid_from) == (math.inf, math.inf, NOW - 30)
        assert (undated.expires_at, undated.valid_until, undated.valid_from) == (math.inf, math.inf, -30)

    def test_the_longest_lifetime_ends_a_token_without_expiry(self) -> None:
        claims = keyring.claims(exp=..., iat=NOW - 90)
        rules: dict[str, Any] = {"require_expiry": False, "max_lifetime": 100.0, "leeway": 5.0}
        validity = checked(claims, **rules)

        assert (validity.expires_at, validity.valid_until) == (NOW + 10, NOW + 15)
        assert reason_of(claims, now=NOW + 14.9, **rules) is None
        assert reason_of(claims, now=NOW + 15, **rules) == Reason.TOKEN_EXPIRED

    def test_a_token_that_says_neither_its_beginning_nor_its_end_lives_too_long(self) -> None:
        rules: dict[str, Any] = {"require_expiry": False, "max_lifetime": 86400.0}

        assert reason_of(keyring.claims(exp=..., iat=...), **rules) == Reason.TOKEN_LIFETIME_TOO_LONG

    @pytest.mark.parametrize("iat", [NOW - 86400, ...])
    def test_without_a_longest_lifetime_any_is_short_enough(self, iat: object) -> None:
        claims = keyring.claims(iat=iat, exp=LATEST_DATE - 1)

        assert reason_of(claims, max_lifetime=None) is None
        assert reason_of(claims) == Reason.TOKEN_LIFETIME_TOO_LONG

    @pytest.mark.parametrize("exp", [None, "4102444800", True, -1, LATEST_DATE])
    def test_an_expiry_that_is_there_is_a_date(self, exp: object) -> None:
        assert reason_of(keyring.claims(exp=exp), **REFERENCE) == INVALID

    def test_an_expiry_that_is_there_counts(self) -> None:
        assert reason_of(keyring.claims(exp=NOW), **REFERENCE) == Reason.TOKEN_EXPIRED
        assert reason_of(keyring.claims(exp=NOW + 1), **REFERENCE) is None

    def test_a_token_without_expiry_still_has_a_beginning(self) -> None:
        assert reason_of(keyring.claims(exp=..., iat=NOW + 1), **REFERENCE) == Reason.TOKEN_NOT_YET_VALID
        assert reason_of(keyring.claims(exp=..., nbf=NOW + 1), **REFERENCE) == Reason.TOKEN_NOT_YET_VALID

    async def test_a_token_without_expiry_is_remembered_for_ever_and_falls_with_its_key(self) -> None:
        now, keys = [NOW], StaticKeys.of(idp=[PAIR])
        judge = Verifier(replace(keyring.policy(**REFERENCE), options=LITELLM), keys, lambda: now[0])
        token = PAIR.token(keyring.claims(exp=...))
        first = await judge.verify(token, patience=0)

        now[0] = NOW + 1e10
        later = recalled(judge, token)
        keys.sets[ISSUER_NAME] = []

        assert first.expires_at == math.inf
        assert later is first
        assert recalled(judge, token) is None
        assert await keyring.reason_of(judge, token) == Reason.UNKNOWN_KEY


class TestAudience:
    @pytest.mark.parametrize("aud", [..., None, "", "other", [], [7], {}, 7, True])
    def test_without_audiences_it_is_not_looked_at(self, aud: object) -> None:
        assert reason_of(keyring.claims(aud=aud), audiences=None) is None

    @pytest.mark.parametrize("aud", [..., None, "", [], [""], ["", "x"], "other"])
    def test_an_empty_audience_is_nobody(self, aud: object) -> None:
        assert reason_of(keyring.claims(aud=aud), audiences=frozenset({""})) == Reason.AUDIENCE_MISMATCH

    def test_an_empty_one_beside_the_right_one_does_no_harm(self) -> None:
        assert reason_of(keyring.claims(aud=["", AUDIENCE])) is None


class TestKinds:
    @pytest.mark.parametrize("header_type", ["", "JOSE", "logout+jwt", "dpop+jwt"])
    def test_unchecked_a_header_may_name_any(self, header_type: str) -> None:
        assert reason_of(keyring.claims(), header_type, other_kinds_refused=False) is None
        assert reason_of(keyring.claims(), header_type) == TYPE

    @pytest.mark.parametrize(
        "claim", [{"typ": "ID"}, {"typ": 7}, {"nonce": "n"}, {"events": {}}, {"cnf": {"jkt": "x"}}]
    )
    def test_unchecked_the_claims_of_other_kinds_say_nothing(self, claim: dict[str, Any]) -> None:
        assert reason_of(keyring.claims(**claim), other_kinds_refused=False) is None

    @pytest.mark.parametrize("value", [None, 7, [], {}])
    async def test_unchecked_a_type_that_is_no_text_is_none(self, value: object) -> None:
        token = PAIR.token(header=PAIR.header(typ=value))

        assert await keyring.reason_of(reference(), token) is None
        assert await keyring.reason_of(verifier(), token) == Reason.TOKEN_MALFORMED

    async def test_rules_that_look_at_the_type_refuse_one_that_is_no_text(self) -> None:
        judge = verifier(LITELLM, **(REFERENCE | {"other_kinds_refused": True}))

        assert await keyring.reason_of(judge, PAIR.token(header=PAIR.header(typ=7))) == TYPE

    @pytest.mark.parametrize("member", ["crit", "b64", "zip", "enc", "cty"])
    async def test_what_is_never_done_is_never_done(self, member: str) -> None:
        token = PAIR.token(header=PAIR.header(**{member: []}))

        assert await keyring.reason_of(reference(), token) == Reason.HEADER_NOT_ALLOWED


class TestAnyIssuer:
    @pytest.mark.parametrize("iss", [ISSUER, "https://elsewhere.example", "", ANY_ISSUER])
    async def test_every_issuer_will_do_and_is_told(self, iss: str) -> None:
        token = await verified(reference(), iss=iss)

        assert (token.issuer, token.iss) == (ISSUER_NAME, iss)

    async def test_none_will_do(self) -> None:
        token = await verified(reference(), iss=...)

        assert (token.issuer, token.iss) == (ISSUER_NAME, "")

    @pytest.mark.parametrize("iss", [None, 7, [ISSUER], {}, "a\nb", "x" * (MAX_IDENTIFIER + 1)])
    async def test_what_cannot_be_an_issuer_is_refused_after_its_signature(self, iss: object) -> None:
        token = PAIR.token(keyring.claims(iss=iss))
        forged = token.rpartition(".")[0] + "." + keyring.encode(bytes(256))

        assert await keyring.reason_of(reference(), token) == INVALID
        assert await keyring.reason_of(reference(), forged) == Reason.SIGNATURE_INVALID

    async def test_a_named_issuer_comes_first(self) -> None:
        (named,) = keyring.policy().issuers
        anyone = IssuerPolicy(name="any", token=keyring.policy(**REFERENCE).issuers[0].token)
        other = keyring.key_pair("RSA", "b")
        judge = Verifier(Policy(issuers=(anyone, named)), StaticKeys.of(idp=[PAIR], any=[other]), lambda: NOW)

        token = await judge.verify(PAIR.token(), patience=0)
        stranger = await judge.verify(other.token(keyring.claims(iss="https://elsewhere.example")), patience=0)

        assert (token.issuer, token.iss) == (ISSUER_NAME, ISSUER)
        assert (stranger.issuer, stranger.iss) == ("any", "https://elsewhere.example")
        assert await keyring.reason_of(judge, other.token()) == Reason.UNKNOWN_KEY

    async def test_a_refusal_names_whose_rules_refused(self) -> None:
        with pytest.raises(Refusal) as refused:
            await verified(reference(), iss=..., exp=0)

        assert (refused.value.reason, refused.value.issuer) == (Reason.TOKEN_EXPIRED, ISSUER_NAME)


class TestIdentifiers:
    @pytest.mark.parametrize("name", ["sub", "jti"])
    async def test_an_empty_one_is_passed_over_where_the_reference_does_so(self, name: str) -> None:
        token = PAIR.token(keyring.claims(**{name: ""}))

        assert await keyring.reason_of(reference(), token) is None
        assert await keyring.reason_of(verifier(), token) == INVALID

    @pytest.mark.parametrize("name", ["sub", "jti"])
    @pytest.mark.parametrize("value", [None, 7, ["alice"], {}, True, "a\x00", "x" * (MAX_IDENTIFIER + 1)])
    async def test_one_that_is_no_plain_text_is_refused_everywhere(self, name: str, value: object) -> None:
        assert await keyring.reason_of(reference(), PAIR.token(keyring.claims(**{name: value}))) == INVALID


async def test_an_empty_key_id_is_one_where_metadata_is_ignored() -> None:
    token = PAIR.token(header=PAIR.header(kid=""))

    assert await keyring.reason_of(reference(), token) == Reason.UNKNOWN_KEY
    assert await keyring.reason_of(verifier(), token) == Reason.TOKEN_MALFORMED
