"""What the memory of verified tokens changes: the cost of an answer, and never the answer."""

from __future__ import annotations

import asyncio
import functools
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keyring
from examples import examples
from keyring import ISSUER_NAME, NOW, StaticKeys, recalled
from usherd.authenticate.digest_cache import DigestCache
from usherd.authenticate.verifier import Verifier
from usherd.domain import VerifiedToken
from usherd.errors import KeysUnavailable, Refusal
from usherd.reasons import Reason

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


async def test_a_remembered_token_is_the_same_without_suspending() -> None:
    world = World()
    token = PAIR.token()
    first = await world.verify(token)

    step = world.verifier.verify(token, patience=1.0)
    with pytest.raises(StopIteration) as done:
        step.send(None)

    assert done.value.value is first
    assert recalled(world.verifier, token) is first


async def test_a_remembered_token_expires() -> None:
    world = World()
    token = PAIR.token()
    await world.verify(token)

    world.now = NOW + 629.9
    assert await world.reason_of(token) is None
    world.now = NOW + 630
    assert recalled(world.verifier, token) is None
    assert await world.reason_of(token) == Reason.TOKEN_EXPIRED


async def test_a_remembered_token_falls_with_its_key() -> None:
    world = World()
    token = PAIR.token()
    await world.verify(token)

    world.keys.sets[ISSUER_NAME] = list(keyring.verification_keys(ISSUER_NAME, [OTHER.jwk()]))

    assert await world.reason_of(token) == Reason.UNKNOWN_KEY


async def test_a_remembered_token_falls_when_its_key_id_gets_another_key() -> None:
    world = World()
    token = PAIR.token()
    await world.verify(token)

    world.keys.sets[ISSUER_NAME] = list(keyring.verification_keys(ISSUER_NAME, [OTHER.jwk(kid="key-1")]))

    assert await world.reason_of(token) == Reason.SIGNATURE_INVALID


async def test_a_remembered_token_without_key_id_falls_when_its_key_is_no_longer_alone() -> None:
    world = World(PAIR)
    token = PAIR.token(header=PAIR.header(kid=...))
    await world.verify(token)

    world.keys.sets[ISSUER_NAME] += keyring.verification_keys(ISSUER_NAME, [OTHER.jwk()])

    assert await world.reason_of(token) == Reason.UNKNOWN_KEY


async def test_refused_tokens_are_not_remembered() -> None:
    world = World()

    for number in range(50):
        await world.reason_of(PAIR.token(keyring.claims(exp=number)))
        await world.reason_of(keyring.compact(PAIR.header(), keyring.claims(jti=str(number)), b"bad"))

    assert len(world.verifier._cache) == 0


async def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    world = World(cache_size=3)
    tokens = [PAIR.token(keyring.claims(jti=str(number))) for number in range(4)]

    for token in [*tokens[:3], tokens[0], tokens[3]]:
        await world.verify(token)

    assert [recalled(world.verifier, token) is not None for token in tokens] == [True, False, True, True]


async def test_without_memory_every_token_is_verified_anew() -> None:
    world = World(cache_size=0)
    token = PAIR.token()

    first, second = await world.verify(token), await world.verify(token)

    assert first is not second
    assert recalled(world.verifier, token) is None


def test_memory_is_bound_to_policy_and_process() -> None:
    one, other = DigestCache(1, "a"), DigestCache(1, "a")

    assert one.digest(b"token") == one.digest(b"token")
    assert one.digest(b"token") != other.digest(b"token")
    assert one.digest(b"token") != one.digest(b"token2")


def test_a_digest_is_keyed_with_a_long_secret_and_tells_binding_and_token_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(secrets, "token_bytes", lambda size: sizes.append(size) or bytes(size))

    told_apart = [("", b"abc"), ("a", b"bc"), ("ab", b"c"), ("b", b"bc")]
    digests = {DigestCache(1, binding).digest(token) for binding, token in told_apart}

    assert sizes == [32] * 4
    assert [len(digest) for digest in digests] == [32] * 4


async def test_what_is_no_longer_valid_takes_no_room() -> None:
    world = World()
    token = PAIR.token()
    await world.verify(token)

    world.now = NOW + 630
    assert recalled(world.verifier, token) is None
    assert len(world.verifier._cache) == 0


def test_forgetting_what_was_never_remembered_does_nothing() -> None:
    cache = DigestCache(1, "a")

    cache.forget(cache.digest(b"token"))

    assert len(cache) == 0


async def test_a_token_is_remembered_from_its_first_instant() -> None:
    world = World()
    token = PAIR.token(keyring.claims(iat=NOW + 30, exp=NOW + 60))
    first = await world.verify(token)

    assert recalled(world.verifier, token) is first


@examples(200)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 11), st.integers(-700, 700), st.sampled_from(["", "drop", "restore", "unavailable", "swap"])
        ),
        min_size=1,
        max_size=12,
    )
)
def test_a_memory_changes_no_answer(steps: list[tuple[int, int, str]]) -> None:
    tokens = mixed_tokens()
    with_memory, without = World(PAIR), World(PAIR, cache_size=0)
    original = list(with_memory.keys.sets[ISSUER_NAME])
    swapped = list(keyring.verification_keys(ISSUER_NAME, [OTHER.jwk(kid="key-1")]))

    for number, seconds, event in steps:
        answers = []
        for world in (with_memory, without):
            world.now = NOW + seconds
            world.keys.unavailable = {ISSUER_NAME} if event == "unavailable" else set()
            if event in ("drop", "swap", "restore"):
                world.keys.sets[ISSUER_NAME] = {"drop": [], "swap": swapped, "restore": original}[event]
            answers.append(asyncio.run(answer_of(world, tokens[number])))

        assert answers[0] == answers[1]


async def answer_of(world: World, token: str) -> object:
    try:
        verified = await world.verify(token)
    except Refusal as refusal:
        return refusal.reason
    except KeysUnavailable:
        return KeysUnavailable
    return dict(verified.claims), verified.token_id, verified.expires_at, verified.not_before


@functools.cache
def mixed_tokens() -> tuple[str, ...]:
    payloads: list[dict[str, Any]] = [
        keyring.claims(),
        keyring.claims(iat=..., exp=NOW + 86400),
        keyring.claims(iat=NOW + 100),
        keyring.claims(nbf=NOW + 20),
        keyring.claims(aud="other"),
        keyring.claims(sub="bob"),
    ]
    named = [PAIR.token(payload) for payload in payloads]
    return (*named, *(PAIR.token(payload, header=PAIR.header(kid=...)) for payload in payloads))
