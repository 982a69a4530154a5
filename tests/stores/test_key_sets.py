"""What `ports.Keys` promises, kept by key sets that are fetched from a real server."""

from __future__ import annotations

import pytest

from keyring import key_pair
from stores.support import Events, Hands, RunKeySets, issuer_keys
from tools.key_server import KeyServer
from usherd.errors import KeysUnavailable
from usherd.stores.documents import Cause
from usherd.stores.refreshed_keys import KeyEvent

A, B, OTHER_A = key_pair("P-256", "a"), key_pair("P-256", "b"), key_pair("Ed25519", "a")


async def test_a_published_key_is_found_by_its_id(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk(), B.jwk())

    async with run(issuer_keys(server.keys_url)) as keys:
        found = keys.find("idp", "b")
        unknown = keys.find("idp", "c")

    assert found is not None
    assert (found.issuer, found.kid, found.algorithms) == ("idp", "b", frozenset({"ES256"}))
    assert unknown is None


async def test_without_an_id_only_a_lone_key_is_found(server: KeyServer, run: RunKeySets, stopwatch: Hands) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        alone = keys.find("idp", None)
        server.publish(A.jwk(), B.jwk())
        one_of_two = await keys.find_fresh("idp", None, 30)

    assert alone is not None
    assert alone.kid == "a"
    assert one_of_two is None


async def test_an_unknown_issuer_has_no_keys_and_causes_no_io(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk())

    async with run(issuer_keys(server.keys_url)) as keys:
        before = server.count()
        for issuer in ("other", "", "idp ", "https://idp.example"):
            with pytest.raises(KeysUnavailable):
                keys.find(issuer, "a")
            with pytest.raises(KeysUnavailable):
                await keys.find_fresh(issuer, "a", 30)
            assert not keys.usable(issuer)

    assert server.count() == before == 1


async def test_two_issuers_with_one_key_id_never_meet(run: RunKeySets) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(A.jwk())
        second.publish(OTHER_A.jwk())
        async with run(issuer_keys(first.keys_url, "one"), issuer_keys(second.keys_url, "two")) as keys:
            of_one, of_two = keys.find("one", "a"), keys.find("two", "a")

    assert of_one is not None
    assert of_two is not None
    assert (of_one.issuer, of_two.issuer) == ("one", "two")
    assert of_one.thumbprint != of_two.thumbprint


async def test_a_removed_key_stops_after_its_grace(server: KeyServer, run: RunKeySets, stopwatch: Hands) -> None:
    server.publish(A.jwk(), B.jwk())
    refresh = {"removed_grace": 1000.0, "every": 600, "stale_for": 3600}
    async with run(issuer_keys(server.keys_url, refresh=refresh)) as keys:
        removed = keys.find("idp", "a")
        assert removed is not None
        server.publish(B.jwk())
        stopwatch.move(999)
        await keys.find_fresh("idp", "unknown", 30)
        within = keys.trusts(removed)
        stopwatch.move(1)
        after = keys.trusts(removed)
        kept = keys.find("idp", "b")

    assert within
    assert not after
    assert kept is not None


async def test_a_key_is_usable_no_longer_than_its_set_is_fresh_and_its_grace_lasts(
    server: KeyServer, run: RunKeySets, stopwatch: Hands
) -> None:
    server.publish(A.jwk(), B.jwk())
    async with run(issuer_keys(server.keys_url, refresh={"removed_grace": 1000.0})) as keys:
        removed, kept = keys.find("idp", "a"), keys.find("idp", "b")
        assert removed is not None
        assert kept is not None
        server.publish(B.jwk())
        stopwatch.move(400)
        await keys.find_fresh("idp", "unknown", 30)

        assert (keys.usable_for(removed), keys.usable_for(kept)) == (600, 4200)
        stopwatch.move(600)
        assert (keys.usable_for(removed), keys.usable_for(kept)) == (0, 3600)
        stopwatch.move(3600)
        assert keys.usable_for(kept) == 0
        assert not keys.usable("idp")


@pytest.mark.parametrize("change", [{"d": "AAAA"}, {"use": "enc"}], ids=["private part", "for encryption"])
async def test_a_sole_key_that_is_withdrawn_is_trusted_no_more(
    change: dict[str, str], server: KeyServer, run: RunKeySets, stopwatch: Hands, events: Events
) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        old = keys.find("idp", "a")
        assert old is not None
        server.publish(A.jwk(**change))
        stopwatch.move(40)
        unknown = await keys.find_fresh("idp", "unknown", 30)
        (status,) = keys.status()

        assert unknown is None
        assert (keys.find("idp", "a"), keys.find("idp", None)) == (None, None)
        assert not keys.trusts(old)
        assert keys.usable_for(old) == 0
        assert (status.last_error, status.keys) == (Cause.NO_USABLE_KEY, 0)
        # Whoever relies on the key has to hear of it, although the set could not be loaded.
        assert [fields["removed"] for fields in events.of(KeyEvent.FAILED)] == [1]
        stopwatch.move(4200)
        with pytest.raises(KeysUnavailable):
            keys.find("idp", "a")


async def test_a_key_that_another_took_the_id_of_is_trusted_no_more(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        old = keys.find("idp", "a")
        server.publish(OTHER_A.jwk())
        new = await keys.find_fresh("idp", "a", 30)

        assert old is not None
        assert new is not None
        assert not keys.trusts(old)
        assert keys.trusts(new)


@pytest.mark.parametrize("by", ["kid", "thumbprint"])
async def test_a_denied_key_is_never_found(by: str, server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk(), B.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        key = keys.find("idp", "a")
        assert key is not None
        denied = frozenset({"a" if by == "kid" else key.thumbprint})

    async with run(issuer_keys(server.keys_url, denied=denied)) as keys:
        assert keys.find("idp", "a") is None
        assert keys.find("idp", "b") is not None
        assert not keys.trusts(key)
