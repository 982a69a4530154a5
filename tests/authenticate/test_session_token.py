"""Sessions of the user interface in LiteLLM's form: what LiteLLM does is done, except where it is unsafe."""

from __future__ import annotations

import re
from typing import Any

import pytest

import keyring
from keyring import NOW
from usherd.authenticate.claims import Validity
from usherd.authenticate.compact import take_apart
from usherd.authenticate.session_token import CLOCK_DIFFERENCE, SessionVerifier
from usherd.authenticate.verifier import Verifier
from usherd.domain import SESSION_ISSUER
from usherd.policy import Policy, SessionRules
from usherd.reasons import Reason

SECRET = b"sk-master"
PAIR = keyring.key_pair("P-256")

SEED = {
    "user_id": "u1",
    "user_email": None,
    "user_role": "proxy_admin",
    "login_method": "sso",
    "premium_user": False,
    "auth_header_name": "Authorization",
    "disabled_non_admin_personal_key_creation": False,
    "scope": ["litellm_proxy_admin"],
    "ui_session_id": "s1",
    "iss": "litellm-proxy",
    "aud": "litellm-ui",
    "exp": int(NOW) + 86400,
}
"""The claims that LiteLLM mints, 24 hours long."""


def seed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (SEED | changes).items() if value is not ...}


def session(payload: object = None, secret: bytes = SECRET, header: object = None) -> str:
    return keyring.session_token(seed() if payload is None else payload, secret, header)


RULES = SessionRules(secret=SECRET, digest="s")


def verifier(now: float = NOW, rules: SessionRules | None = RULES) -> Verifier:
    base = keyring.policy()
    policy = Policy(issuers=base.issuers, session=rules, digest=base.digest)
    return Verifier(policy, keyring.StaticKeys.of(idp=[PAIR]), lambda: now)


async def reason_of(token: str, now: float = NOW, **options: Any) -> Reason | None:
    return await keyring.reason_of(verifier(now, **options), token)


async def test_a_session_of_the_seed_gives_its_claims() -> None:
    token = await verifier().verify(session(), patience=0)

    assert dict(token.claims) == SEED
    assert (token.issuer, token.iss, token.key) == (SESSION_ISSUER, "litellm-proxy", None)
    assert (token.expires_at, token.not_before, token.leeway) == (SEED["exp"], 0, 0)


@pytest.mark.parametrize(("changes", "beginning"), [({"nbf": NOW - 5}, NOW - 5), ({"iat": NOW - 7}, NOW - 7)])
async def test_a_session_that_says_when_it_began_is_believed(changes: dict[str, Any], beginning: float) -> None:
    token = await verifier().verify(session(seed(**changes)), patience=0)

    assert token.not_before == beginning


async def test_a_session_has_an_id_like_every_token() -> None:
    token, replica = await verifier().verify(session(), patience=0), await verifier().verify(session(), patience=0)
    other = await verifier().verify(session(seed(ui_session_id="s2")), patience=0)

    assert re.fullmatch("[0-9a-f]{32}", token.token_id)
    assert token.token_id == replica.token_id != other.token_id


def test_a_session_hangs_on_no_key_and_tells_how_long_it_is_valid() -> None:
    cached = SessionVerifier(RULES).verify(take_apart(session().encode()), NOW)

    assert cached.names_key is False
    assert cached.validity == Validity(
        expires_at=NOW + 86400, not_before=0, valid_from=NOW - CLOCK_DIFFERENCE, valid_until=NOW + 86400
    )


async def test_an_expired_session_is_expired() -> None:
    # LiteLLM has no leeway for sessions: it ends at the very second.
    assert await reason_of(session(), now=NOW + 86399.9) is None
    assert await reason_of(session(), now=NOW + 86400) == Reason.TOKEN_EXPIRED


@pytest.mark.parametrize("secret", [b"", b"sk-maste", b"sk-master ", b"other"])
async def test_a_session_under_another_secret_is_invalid(secret: bytes) -> None:
    assert await reason_of(session(secret=secret)) == Reason.SESSION_INVALID
    assert await reason_of(session(seed(exp=1), secret=secret)) == Reason.SESSION_INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "litellm"},
        {"iss": "litellm-proxy "},
        {"iss": ["litellm-proxy"]},
        {"aud": "other"},
        # LiteLLM compares with a string: a list is not recognised, even of that one audience.
        {"aud": ["litellm-ui"]},
        {"aud": ...},
    ],
)
async def test_what_does_not_say_that_it_is_a_session_goes_the_ordinary_way(changes: dict[str, Any]) -> None:
    # Signed with the master key all the same: nothing but the two claims makes a session.
    assert await reason_of(session(seed(**changes))) == Reason.ISSUER_UNKNOWN


async def test_without_a_master_key_there_are_no_sessions() -> None:
    assert await reason_of(session(), rules=None) == Reason.ISSUER_UNKNOWN
    with pytest.raises(ValueError, match=r"^a session secret must not be empty$"):
        verifier(rules=SessionRules(secret=b""))


async def test_what_says_that_it_is_a_session_is_never_tried_against_an_issuer() -> None:
    keys = keyring.StaticKeys.of(idp=[PAIR])
    policy = Policy(issuers=keyring.policy().issuers, session=SessionRules(secret=SECRET), digest="d")
    judge = Verifier(policy, keys, lambda: NOW)

    reason = await keyring.reason_of(judge, PAIR.token(seed()))

    assert reason == Reason.SESSION_INVALID
    assert keys.refreshes == []


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none", "hs256", "RS256", "ES256", ""])
async def test_a_session_has_the_one_algorithm(algorithm: str) -> None:
    assert await reason_of(session(header={"alg": algorithm})) == Reason.SESSION_INVALID


@pytest.mark.parametrize("header_type", ["at+jwt", "logout+jwt", ""])
async def test_a_session_is_no_other_kind_of_token(header_type: str) -> None:
    assert await reason_of(session(header={"alg": "HS256", "typ": header_type})) == Reason.SESSION_INVALID
    assert await reason_of(session(header={"alg": "HS256"})) is None


@pytest.mark.parametrize(
    "changes",
    [
        # LiteLLM takes a session without end for ever; here it must say when it ends.
        {"exp": ...},
        {"exp": None},
        {"exp": str(SEED["exp"])},
        {"exp": True},
        {"exp": SEED["exp"] + 31},
        {"exp": 4102444800},
        {"nbf": NOW + 1},
        {"iat": NOW + 1},
        {"iat": "now"},
    ],
)
async def test_a_session_has_sane_dates(changes: dict[str, Any]) -> None:
    assert await reason_of(session(seed(**changes))) == Reason.SESSION_INVALID


async def test_the_minting_clock_may_be_a_little_ahead() -> None:
    assert await reason_of(session(seed(exp=SEED["exp"] + 30))) is None


async def test_a_session_that_cannot_be_read_is_malformed() -> None:
    good = session()

    assert await reason_of(session(b"[]")) == Reason.TOKEN_MALFORMED
    assert await reason_of(session(b"{")) == Reason.TOKEN_MALFORMED
    assert await reason_of("=" + good) == Reason.TOKEN_MALFORMED
    assert await reason_of(good[:-3]) == Reason.SESSION_INVALID
    assert await reason_of(session(header={"alg": "HS256", "crit": []})) == Reason.HEADER_NOT_ALLOWED


async def test_a_session_without_signature_is_invalid() -> None:
    assert await reason_of(keyring.compact({"alg": "HS256"}, seed(), b"")) == Reason.SESSION_INVALID
    assert await reason_of(keyring.compact({"alg": "none"}, seed(), b"")) == Reason.SESSION_INVALID


async def test_a_remembered_session_ends_too() -> None:
    now = NOW
    policy = Policy(issuers=keyring.policy().issuers, session=SessionRules(secret=SECRET), digest="d")
    judge = Verifier(policy, keyring.StaticKeys({}), lambda: now)
    token = session()
    first = await judge.verify(token, patience=0)

    now = NOW + 86399
    assert await judge.verify(token, patience=0) is first
    now = NOW + 86400
    assert await keyring.reason_of(judge, token) == Reason.TOKEN_EXPIRED


def test_the_secret_is_not_in_a_repr() -> None:
    assert "sk-master" not in repr(SessionRules(secret=SECRET))
    assert "sk-master" not in repr(verifier())
