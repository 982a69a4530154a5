"""What an operator reads about a refused token or an unusable document: one plain sentence, the same for all tokens."""

from __future__ import annotations

from typing import Any

import pytest

import keyring
from keyring import NOW
from usherd.authenticate.compact import MAX_CLAIMS, MAX_HEADER_MEMBERS, MAX_LIST_LENGTH
from usherd.authenticate.keys import MAX_KEYS, KeySetError, load_key_set, load_pem
from usherd.authenticate.verifier import Verifier
from usherd.claim_paths import parse
from usherd.errors import Refusal
from usherd.options import LITELLM
from usherd.policy import ANY_ISSUER, Policy, SessionRules
from usherd.reasons import Reason

PAIR = keyring.key_pair("P-256")
GOOD = PAIR.token()
MANY: dict[str, Any] = {str(number): 1 for number in range(MAX_CLAIMS)}
SLASH = "`iss` differs from an issuer of the configuration by the slash at its end"
REQUIRED = (("realm.azp", parse("realm.azp"), frozenset({"app"})),)


def named(value: object) -> str:
    """Test ids without tokens: these are signed anew in each process."""
    return "token" if isinstance(value, str) and ("." in value or not value.isascii()) else str(value)


def with_header(**changes: Any) -> str:
    return PAIR.token(header=PAIR.header(**changes))


def with_claims(**changes: Any) -> str:
    return PAIR.token(keyring.claims(**changes))


async def refusal_of(token: str, *, session: SessionRules | None = None, **rules: Any) -> Refusal:
    policy = Policy(issuers=keyring.policy(**rules).issuers, session=session, digest="d")
    with pytest.raises(Refusal) as refused:
        await Verifier(policy, keyring.StaticKeys.of(idp=[PAIR]), lambda: NOW).verify(token, patience=0)
    return refused.value


@pytest.mark.parametrize(
    ("token", "note"),
    [
        ("ä", "the token is not ASCII"),
        ("Bearer " + GOOD, "the token is not three base64url parts"),
        (GOOD.rpartition(".")[0] + ".A", "a part of the token is not base64url"),
        (GOOD.rpartition(".")[0] + ".AB", "a part of the token is not canonical base64url"),
        (PAIR.token(b"{"), "a part of the token is not strict JSON"),
        (PAIR.token(b"[]"), "a part of the token is not a JSON object"),
        (with_header(kid=7), "`kid` is not a string"),
        (with_header(typ=7), "`typ` is not a string"),
        (with_header(alg=7), "`alg` is not a string"),
        (with_header(kid=""), "`kid` does not have 1 to 256 characters"),
    ],
    ids=named,
)
async def test_what_is_wrong_with_the_form_is_said(token: str, note: str) -> None:
    refusal = await refusal_of(token)

    assert (refusal.reason, refusal.note) == (Reason.TOKEN_MALFORMED, note)


@pytest.mark.parametrize(
    ("token", "reason", "note"),
    [
        (with_claims(**MANY), Reason.TOKEN_TOO_LARGE, "the token has too many claims"),
        (with_claims(groups=[0] * (MAX_LIST_LENGTH + 1)), Reason.TOKEN_TOO_LARGE, "a list in the token is too long"),
        (
            with_header(**dict(list(MANY.items())[:MAX_HEADER_MEMBERS])),
            Reason.TOKEN_TOO_LARGE,
            "the header has too many members",
        ),
        (with_header(alg=...), Reason.ALGORITHM_NOT_ALLOWED, "the header has no `alg`"),
        (
            with_header(typ="kb+jwt"),
            Reason.TOKEN_TYPE_NOT_ALLOWED,
            "the header's `typ` is not one that the issuer's rules accept",
        ),
        (with_claims(typ="ID"), Reason.TOKEN_TYPE_NOT_ALLOWED, "the claim `typ` names another kind of token"),
        (
            with_claims(nonce="n"),
            Reason.TOKEN_TYPE_NOT_ALLOWED,
            "the token has a claim that only other kinds of tokens have",
        ),
        (with_claims(exp=...), Reason.CLAIM_INVALID, "`exp` is missing"),
        (with_claims(exp="soon"), Reason.CLAIM_INVALID, "`exp` is not a date between 1970 and 2200"),
        (with_claims(nbf="soon"), Reason.CLAIM_INVALID, "`nbf` is not a date between 1970 and 2200"),
        (with_claims(iat="soon"), Reason.CLAIM_INVALID, "`iat` is not a date between 1970 and 2200"),
        (with_claims(sub=7), Reason.CLAIM_INVALID, "`sub` is not a string of 1 to 256 characters"),
        (with_claims(jti=7), Reason.CLAIM_INVALID, "`jti` is not a string of 1 to 256 characters"),
        (with_claims(scope=7), Reason.CLAIM_INVALID, "`scope` is neither a string nor a list"),
        (with_claims(aud="other"), Reason.AUDIENCE_MISMATCH, "`aud` has none of the issuer's `audiences`"),
        (with_claims(iss=...), Reason.ISSUER_UNKNOWN, "`iss` is missing or not a string"),
        (with_claims(iss=7), Reason.ISSUER_UNKNOWN, "`iss` is missing or not a string"),
        (with_claims(iss="x"), Reason.ISSUER_UNKNOWN, "`iss` is that of no issuer of the configuration"),
        (with_claims(iss=keyring.ISSUER + "/"), Reason.ISSUER_UNKNOWN, SLASH),
    ],
    ids=named,
)
async def test_which_rule_a_token_breaks_is_said(token: str, reason: Reason, note: str) -> None:
    refusal = await refusal_of(token)

    assert (refusal.reason, refusal.note) == (reason, note)


async def test_which_required_claim_is_missing_is_said() -> None:
    refusal = await refusal_of(GOOD, required_claims=REQUIRED)

    assert refusal.note == "the required claim `realm.azp` is missing or has another value"


async def test_a_slash_that_is_missing_is_named_as_well() -> None:
    refusal = await refusal_of(GOOD, issuer=keyring.ISSUER + "/")

    assert (refusal.reason, refusal.note) == (Reason.ISSUER_UNKNOWN, SLASH)


async def test_an_issuer_that_cannot_be_one_is_named_as_the_claim_that_is_wrong() -> None:
    refusal = await refusal_of(with_claims(iss=7), issuer=ANY_ISSUER)

    assert refusal.note == "`iss` is not a string of 1 to 256 characters"


@pytest.mark.parametrize(
    ("exp", "note"),
    [
        (..., "the session's dates are missing or invalid"),
        ("soon", "the session's dates are missing or invalid"),
        (NOW + 2 * 86400, "the session is from the future, or lives too long"),
    ],
)
async def test_what_is_wrong_with_a_sessions_dates_is_said(exp: object, note: str) -> None:
    claims = keyring.claims(iss="litellm-proxy", aud="litellm-ui", iat=..., exp=exp)

    refusal = await refusal_of(keyring.session_token(claims, b"s"), session=SessionRules(secret=b"s"))

    assert (refusal.reason, refusal.note) == (Reason.SESSION_INVALID, note)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"{", "not strict JSON, or too large"),
        ({"error": "x"}, "not a key set"),
        ([None] * (MAX_KEYS + 1), "too many keys"),
        ({str(number): "-----BEGIN PUBLIC KEY-----" for number in range(MAX_KEYS + 1)}, "too many keys"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_wrong_with_a_key_document_is_said(document: object, text: str) -> None:
    with pytest.raises(KeySetError) as refused:
        load_key_set(document, issuer="idp", algorithms=keyring.ALGORITHMS)

    assert refused.value.args == (text,)


def test_what_is_wrong_with_pem_is_said() -> None:
    with pytest.raises(KeySetError) as no_key:
        load_pem(b"text", issuer="idp", algorithms=keyring.ALGORITHMS)
    with pytest.raises(KeySetError) as not_read:
        load_pem(b"text", issuer="idp", algorithms=keyring.ALGORITHMS, options=LITELLM)

    assert no_key.value.args == ("neither a PEM public key nor a certificate",)
    assert not_read.value.args == ("PEM is not read",)
