"""The whole way from a token's text to verified claims: the order of its steps, its memory, and its faults."""

from __future__ import annotations

import asyncio
import functools
import logging
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keyring
from examples import examples
from keyring import ISSUER, ISSUER_NAME, NOW, StaticKeys, recalled
from usherd.authenticate.token_id import TokenIds
from usherd.authenticate.verifier import MAX_KEY_PATIENCE, Verifier
from usherd.domain import VerifiedToken
from usherd.errors import KeysUnavailable, Refusal
from usherd.policy import IssuerPolicy, Policy, TokenRules
from usherd.reasons import Reason

KINDS = ["RSA", "P-256", "P-384", "P-521", "Ed25519", "Ed448"]
PAIR = keyring.key_pair("P-256")
OTHER = keyring.key_pair("P-256", "key-2")


class World:
    """A verifier whose keys and clock a test can change."""

    def __init__(self, *pairs: keyring.KeyPair, cache_size: int = 100, **rules: Any) -> None:
        self.now = NOW
        self.keys = StaticKeys.of(idp=pairs or (PAIR, OTHER))
        self.verifier = Verifier(keyring.policy(**rules), self.keys, lambda: self.now, cache_size)

    async def verify(self, token: str) -> VerifiedToken:
        return await self.verifier.verify(token, patience=1.0)

    async def reason_of(self, token: str) -> Reason | None:
        return await keyring.reason_of(self.verifier, token)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_genuine_token_gives_its_claims(kind: str) -> None:
    pair = keyring.key_pair(kind)
    claims = keyring.claims(nbf=NOW - 5, groups=["a"])

    token = await World(pair).verify(pair.token(claims))

    assert dict(token.claims) == claims
    assert token.key is not None
    assert (token.issuer, token.iss, token.key.kid) == (ISSUER_NAME, ISSUER, "key-1")
    assert (token.expires_at, token.not_before, token.leeway) == (NOW + 600, NOW, 30)


async def test_the_claims_cannot_be_changed() -> None:
    token = await World().verify(PAIR.token())

    with pytest.raises(TypeError):
        token.claims["sub"] = "mallory"  # type: ignore[index]


FIRST_FAULT = [
    # Each token has the fault named and all that come after it in this list.
    ("size", Reason.TOKEN_TOO_LARGE),
    ("form", Reason.TOKEN_MALFORMED),
    ("header", Reason.HEADER_NOT_ALLOWED),
    ("issuer", Reason.ISSUER_UNKNOWN),
    ("algorithm", Reason.ALGORITHM_NOT_ALLOWED),
    ("kid", Reason.UNKNOWN_KEY),
    ("key algorithm", Reason.ALGORITHM_KEY_MISMATCH),
    ("signature", Reason.SIGNATURE_INVALID),
    ("type", Reason.TOKEN_TYPE_NOT_ALLOWED),
    ("audience", Reason.AUDIENCE_MISMATCH),
]


@pytest.mark.parametrize("fault", range(len(FIRST_FAULT)))
async def test_the_first_fault_on_the_way_is_the_reason(fault: int) -> None:
    left = {name for name, _ in FIRST_FAULT[fault:]}
    header: dict[str, Any] = PAIR.header(typ="kb+jwt" if "type" in left else "JWT")
    payload: dict[str, Any] = keyring.claims(aud="other", exp=0)
    if "header" in left:
        header["crit"] = []
    if "issuer" in left:
        payload["iss"] = ISSUER + "/"
    if "key algorithm" in left:
        header["alg"] = "ES384"
    if "algorithm" in left:
        header["alg"] = "HS256"
    if "kid" in left:
        header["kid"] = "unknown"
    token = keyring.compact(header, payload, b"bad" if "signature" in left else PAIR.sign)
    token += "=" * ("form" in left) + "x" * 8192 * ("size" in left)

    reason = await World().reason_of(token)

    assert reason == FIRST_FAULT[fault][1]


async def test_a_stranger_causes_no_look_up() -> None:
    class NoKeys(StaticKeys):
        def find(self, issuer: str, kid: str | None) -> Any:
            raise AssertionError

    judge = Verifier(keyring.policy(), NoKeys({}), lambda: NOW)

    for iss in ("https://evil.example", "", None, 7, [ISSUER], ISSUER + "/", ISSUER.upper(), ...):
        assert await keyring.reason_of(judge, PAIR.token(keyring.claims(iss=iss))) == Reason.ISSUER_UNKNOWN


async def test_issuers_never_share_keys() -> None:
    mine, theirs = keyring.key_pair("P-256", "same"), keyring.key_pair("Ed25519", "same")
    rules = {"audiences": frozenset({keyring.AUDIENCE}), "algorithms": keyring.ALGORITHMS}
    issuers = tuple(
        IssuerPolicy(name=name, token=TokenRules(issuer=iss, **rules))  # type: ignore[arg-type]
        for name, iss in (("mine", "https://mine.example"), ("theirs", "https://theirs.example"))
    )
    judge = Verifier(Policy(issuers=issuers), StaticKeys.of(mine=[mine], theirs=[theirs]), lambda: NOW)

    crossed = theirs.token(keyring.claims(iss="https://mine.example"))

    assert await keyring.reason_of(judge, crossed) == Reason.ALGORITHM_KEY_MISMATCH
    token = await judge.verify(mine.token(keyring.claims(iss="https://mine.example")), patience=0)
    assert token.issuer == "mine"


@pytest.mark.parametrize("patience", [0.0, 0.1, 5.0])
async def test_an_unknown_key_is_waited_for_a_little(patience: float) -> None:
    world = World(PAIR)

    with pytest.raises(Refusal) as refused:
        await world.verifier.verify(OTHER.token(), patience=patience)

    assert refused.value.reason == Reason.UNKNOWN_KEY
    assert world.keys.refreshes == [(ISSUER_NAME, "key-2", min(patience, MAX_KEY_PATIENCE))]


async def test_a_known_key_is_not_waited_for() -> None:
    world = World()
    await world.verify(PAIR.token())

    assert world.keys.refreshes == []


async def test_a_key_that_a_refresh_finds_verifies() -> None:
    world = World(PAIR)
    world.keys.arriving[ISSUER_NAME] = list(keyring.verification_keys(ISSUER_NAME, [OTHER.jwk()]))

    assert await world.reason_of(OTHER.token()) is None


async def test_without_a_key_id_the_only_key_verifies() -> None:
    token = PAIR.token(header=PAIR.header(kid=...))

    assert await World(PAIR).reason_of(token) is None
    assert await World(PAIR, OTHER).reason_of(token) == Reason.UNKNOWN_KEY


async def test_keys_out_of_reach_are_a_fault_and_no_refusal() -> None:
    world = World()
    world.keys.unavailable.add(ISSUER_NAME)

    with pytest.raises(KeysUnavailable):
        await world.verify(PAIR.token())


async def test_keys_out_of_reach_are_a_fault_for_a_remembered_token_too() -> None:
    world = World()
    token = PAIR.token()
    await world.verify(token)
    world.keys.unavailable.add(ISSUER_NAME)

    with pytest.raises(KeysUnavailable):
        await world.verify(token)
    with pytest.raises(KeysUnavailable):
        recalled(world.verifier, token)


async def test_a_token_id_is_alike_in_every_replica_and_unlike_for_every_token() -> None:
    claims = keyring.claims(jti="1")
    one, replica = World(), World()
    # ECDSA signs with a fresh nonce: the same header and payload under another signature is the same token.
    first, again = PAIR.token(claims), PAIR.token(claims)

    ids = [(await one.verify(first)).token_id, (await replica.verify(again)).token_id]
    other = (await one.verify(PAIR.token(keyring.claims(jti="2")))).token_id

    assert first != again
    assert ids[0] == ids[1] != other
    assert len(other) == 32
    assert set(other) <= set(string.hexdigits)


def test_a_token_id_is_the_same_in_every_version() -> None:
    # Lists of revoked tokens outlive an update. RFC 7693, keyed with the personalised hash of the digest.
    assert TokenIds("configuration").of(b"header.payload") == "7a0c47cdb46e9eeb5e4408c7f6de1ce1"


async def test_a_token_id_is_keyed_with_the_issuers_digest() -> None:
    base = keyring.policy()
    issuer = IssuerPolicy(name=ISSUER_NAME, token=base.issuers[0].token, digest="another")
    judge = Verifier(Policy(issuers=(issuer,)), StaticKeys.of(idp=[PAIR]), lambda: NOW)
    token = PAIR.token()

    assert (await judge.verify(token, patience=0)).token_id != (await World().verify(token)).token_id


async def test_nothing_of_a_token_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary-of-the-token"
    tokens = [
        PAIR.token(keyring.claims(sub=canary, iss=canary)),
        PAIR.token(keyring.claims(sub=canary, exp=canary)),
        PAIR.token(keyring.claims(sub=canary, aud=canary)),
        PAIR.token(header=PAIR.header(kid=canary)),
        PAIR.token(header=PAIR.header(alg=canary), algorithm="ES256"),
        PAIR.token(header=PAIR.header(typ=canary)),
        PAIR.token(f'{{"a": "{canary}", "a": 1}}'.encode()),
        PAIR.token(keyring.claims(sub=canary)),
    ]
    world = World()

    told = []
    for token in tokens:
        try:
            told.append(repr(await world.verify(token)))
        except Refusal as refusal:
            told += [str(refusal), refusal.note, repr(refusal)]

    assert canary not in " ".join(told) + caplog.text


@functools.cache
def valid_tokens() -> tuple[str, ...]:
    return tuple(keyring.key_pair(kind).token() for kind in KINDS)


@examples(1000)
@given(st.data())
def test_a_token_with_one_character_changed_never_verifies(data: st.DataObject) -> None:
    kind = data.draw(st.integers(0, len(KINDS) - 1))
    token = valid_tokens()[kind]
    place = data.draw(st.integers(0, len(token)))
    alphabet = st.sampled_from(string.ascii_letters + string.digits + "-_.=+/ \n") | st.characters()
    changed = data.draw(
        st.sampled_from(
            [
                token[:place] + data.draw(alphabet) + token[place + 1 :],
                token[:place] + data.draw(alphabet) + token[place:],
                token[:place] + token[place + 1 :],
            ]
        )
    )
    world = World(keyring.key_pair(KINDS[kind]))

    reason = asyncio.run(world.reason_of(changed))

    assert (reason is None) == (changed == token)
