"""A session's token is verified by usherd's own keys alone, and these verify nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keyring
from examples import examples
from stores.support import Hands
from tools.session_world import PAIR, RULES, Replica, replica, session_policy
from usherd.authenticate.own_keys import KeysWithOwn, OwnKey, OwnKeys
from usherd.authenticate.own_session import OwnSessionVerifier
from usherd.authenticate.signing_key import SigningKey
from usherd.authenticate.verifier import Verifier
from usherd.domain import SESSION_ISSUER
from usherd.errors import Refusal
from usherd.policy import SessionRules
from usherd.reasons import Reason
from usherd.sessions import LoginMethod, Session, claims_of
from usherd.stores.sql.database import opened_database
from worlds import SESSION_SECRET, finished

NOW = keyring.NOW
KEY, OTHER = SigningKey.new(), SigningKey.new()
TYPE = "usherd-session+jwt"
SESSION = Session(
    id="0" * 32,
    user_id="alice",
    email="",
    role="internal_user",
    login_method=LoginMethod.SSO,
    created_at=NOW,
    expires_at=NOW + 600,
)
CLAIMS = claims_of(
    SESSION,
    issuer="usherd",
    audience="usherd-ui",
    premium=False,
    auth_header_name="Authorization",
    personal_keys_disabled=False,
)


def own(now: Callable[[], float] = lambda: NOW) -> OwnKeys:
    keys = OwnKeys(now)
    dates = {"created_at": NOW - 9000, "signs_until": NOW + 9000, "verifies_until": NOW + 99_000}
    keys.take([OwnKey(key=KEY, **dates)], frozenset(), NOW)
    return keys


def verifier(**changes: Any) -> Verifier:
    chosen = session_policy(**changes)
    keys = KeysWithOwn(keyring.StaticKeys.of(**{each.name: [PAIR] for each in chosen.issuers}), own())
    return Verifier(chosen, keys, lambda: NOW)


def reason_of(token: str, **changes: Any) -> Reason | None:
    """None: it is genuine."""
    try:
        finished(verifier(**changes).verify(token, patience=0.0))
    except Refusal as refusal:
        return refusal.reason
    return None


def signed(claims: Any = None, key: SigningKey = KEY, **header: Any) -> str:
    """By that key, whatever the header says."""
    fields = {"alg": "EdDSA", "kid": KEY.kid, "typ": TYPE} | header
    fields = {name: value for name, value in fields.items() if value is not ...}
    return keyring.compact(fields, CLAIMS if claims is None else claims, key._private.sign)


def changed(**claims: Any) -> dict[str, Any]:
    return {name: value for name, value in (CLAIMS | claims).items() if value is not ...}


def test_a_genuine_session_is_one() -> None:
    token = finished(verifier().verify(signed(), patience=0.0))
    assert (token.issuer, token.iss, token.is_own_session) == (SESSION_ISSUER, "usherd", True)
    assert token.key is not None
    assert (token.key.issuer, token.expires_at) == (SESSION_ISSUER, NOW + 600)


def test_its_signature_is_by_the_key_that_it_names_and_by_no_other() -> None:
    assert reason_of(signed(key=OTHER)) is Reason.SESSION_INVALID
    assert reason_of(signed(key=OTHER, kid=OTHER.kid)) is Reason.SESSION_INVALID
    assert reason_of(signed(kid="k1")) is Reason.SESSION_INVALID
    assert reason_of(signed(kid=...)) is Reason.SESSION_INVALID


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256", "ES256", "Ed25519", "eddsa", "ES256K"])
def test_its_algorithm_is_the_one(algorithm: str) -> None:
    assert reason_of(signed(alg=algorithm)) is Reason.SESSION_INVALID
    bare = keyring.compact({"alg": algorithm, "kid": KEY.kid, "typ": TYPE}, CLAIMS, b"")
    assert reason_of(bare) is Reason.SESSION_INVALID


def test_the_public_key_is_no_shared_secret() -> None:
    public = base64.urlsafe_b64decode(KEY.public_jwk["x"] + "=")
    for secret in (public, json.dumps(dict(KEY.public_jwk)).encode(), KEY.public_jwk["x"].encode()):
        token = keyring.compact({"alg": "HS256", "kid": KEY.kid, "typ": TYPE}, CLAIMS, keyring_hmac(secret))
        assert reason_of(token) is Reason.SESSION_INVALID
        assert reason_of(token, session=SessionRules(secret=SESSION_SECRET)) is Reason.SESSION_INVALID


def keyring_hmac(secret: bytes) -> Callable[[bytes], bytes]:
    import hashlib
    import hmac

    return lambda data: hmac.digest(secret, data, hashlib.sha256)


@pytest.mark.parametrize("header_type", ["JWT", "at+jwt", "", "usherd-session", "USHERD-SESSION+JWT", ...])
def test_its_type_is_its_own(header_type: Any) -> None:
    assert reason_of(signed(typ=header_type)) is Reason.SESSION_INVALID


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "elsewhere"}, Reason.SESSION_INVALID),
        ({"aud": ["usherd-ui"]}, Reason.SESSION_INVALID),
        ({"aud": ...}, Reason.SESSION_INVALID),
        ({"exp": int(NOW)}, Reason.TOKEN_EXPIRED),
        ({"exp": ...}, Reason.SESSION_INVALID),
        ({"exp": "1"}, Reason.SESSION_INVALID),
        ({"iat": ...}, Reason.SESSION_INVALID),
        ({"iat": int(NOW) + 31}, Reason.SESSION_INVALID),
        ({"iat": int(NOW) + 30}, None),
        ({"jti": ...}, Reason.SESSION_INVALID),
        ({"jti": 7}, Reason.SESSION_INVALID),
        ({"user_id": ""}, Reason.SESSION_INVALID),
        ({"user_id": ["alice"]}, Reason.SESSION_INVALID),
        ({"iss": "https://idp.example"}, Reason.UNKNOWN_KEY),
        ({"iss": ["usherd"]}, Reason.ISSUER_UNKNOWN),
        ({"iss": ...}, Reason.ISSUER_UNKNOWN),
    ],
)
def test_its_claims_are_those_that_usherd_makes(claims: dict[str, Any], reason: Reason | None) -> None:
    assert reason_of(signed(changed(**claims))) is reason


def test_a_providers_token_is_tried_against_providers_keys_and_a_sessions_against_its_own() -> None:
    claims = {
        "iss": "https://idp.example",
        "aud": "api://gateway",
        "sub": "alice",
        "iat": int(NOW),
        "exp": int(NOW) + 9,
    }
    # Signed by the other side's key each, with everything else right.
    assert reason_of(keyring.compact({"alg": "EdDSA", "kid": KEY.kid}, claims, KEY._private.sign)) is Reason.UNKNOWN_KEY
    assert reason_of(PAIR.token(CLAIMS)) is Reason.SESSION_INVALID
    foreign = keyring.compact({"alg": "EdDSA", "kid": PAIR.kid, "typ": TYPE}, CLAIMS, PAIR.sign)
    assert reason_of(foreign) is Reason.SESSION_INVALID


def test_where_no_sessions_are_made_nobodys_token_is_one() -> None:
    assert reason_of(signed(), own_sessions=None) is Reason.ISSUER_UNKNOWN


def test_sessions_in_litellms_form_are_taken_as_before_beside_them() -> None:
    claims = {"iss": "litellm-proxy", "aud": "litellm-ui", "user_id": "alice", "exp": int(NOW) + 9}
    token = keyring.compact({"alg": "HS256"}, claims, keyring_hmac(SESSION_SECRET))
    assert reason_of(token, session=SessionRules(secret=SESSION_SECRET)) is None
    assert reason_of(token) is Reason.ISSUER_UNKNOWN
    verified = finished(verifier(session=SessionRules(secret=SESSION_SECRET)).verify(token, patience=0.0))
    assert not verified.is_own_session


@examples(300, deadline=None)
@given(place=st.integers(0, 10_000), letter=st.sampled_from("ABCDEFGHabcdefgh0123456789-_."))
def test_no_change_of_one_character_leaves_it_genuine(place: int, letter: str) -> None:
    good = signed()
    place %= len(good)
    changed = good[:place] + letter + good[place + 1 :]
    assert (reason_of(changed) is None) == (changed == good)


def test_what_was_verified_is_verified_no_more_when_its_key_is_over() -> None:
    now = NOW
    keys = own(lambda: now)
    chosen = session_policy()
    made = Verifier(chosen, KeysWithOwn(keyring.StaticKeys.of(), keys), lambda: NOW)
    token = finished(made.verify(signed(), patience=0.0))
    assert made.recall(made.digest(signed())) is token
    keys.take([], frozenset(), now)
    assert made.recall(made.digest(signed())) is None
    with pytest.raises(Refusal):
        finished(made.verify(signed(), patience=0.0))


def test_replicas_give_a_token_one_id() -> None:
    key = b"k" * 32
    made = [OwnSessionVerifier(replace(RULES, digest=digest), own(), key) for digest in ("one", "another")]  # type: ignore[arg-type]
    assert made[0]._ids.of(b"x") == made[1]._ids.of(b"x")


@pytest.fixture(name="here")
async def _here(clock: Hands) -> AsyncIterator[Replica]:
    async with opened_database("sqlite:///:memory:", upgrade=True, clock=clock) as database, replica(database) as here:
        yield here


async def test_a_session_that_is_known_costs_no_look_up_and_no_signature(here: Replica) -> None:
    made = await here.made("alice")
    assert await here.reason(made.token) == "ALLOWED"
    question = (await here.ask(made.token)).verdict
    here.database.reading = None  # type: ignore[assignment, method-assign]
    assert (await here.ask(made.token)).verdict == question


async def test_a_token_says_no_role_that_the_user_has_not(here: Replica) -> None:
    for name in ("looker", "watcher", "alice", "nobody"):
        made = await here.made(name)
        claims = jwt.decode(made.token, options={"verify_signature": False})
        assert "admin" not in claims.get("scope", "")
        assert claims["user_role"] != "proxy_admin"
