"""An issuer with several key sets: any of them has good keys, and none of them can undo a withdrawal."""

from __future__ import annotations

import pytest

from keyring import ALGORITHMS, key_pair
from stores.support import Hands, RunKeySets, issuer_keys
from tools.key_server import Fault, KeyServer
from usherd.errors import KeysUnavailable
from usherd.stores.documents import Cause
from usherd.stores.key_sources import KeySetUrls

A, B, C = key_pair("P-256", "a"), key_pair("P-256", "b"), key_pair("Ed25519", "c")
OTHER_A, RSA = key_pair("Ed25519", "a"), key_pair("RSA", "rsa")


async def test_a_key_of_any_of_them_is_found(run: RunKeySets) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(A.jwk(), B.jwk())
        second.publish(B.jwk(), C.jwk())
        async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
            found = [keys.find("idp", kid) for kid in ("a", "b", "c")]
            unknown = keys.find("idp", "d")
            assert all(key is not None and keys.trusts(key) for key in found)

    assert unknown is None


async def test_an_id_that_means_two_keys_means_none(run: RunKeySets) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(A.jwk(), B.jwk())
        second.publish(OTHER_A.jwk())
        async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
            doubled, single = keys.find("idp", "a"), keys.find("idp", "b")

    assert doubled is None
    assert single is not None


async def test_a_key_that_another_took_the_id_of_is_trusted_no_more(run: RunKeySets) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(A.jwk())
        second.publish(B.jwk())
        async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
            old = keys.find("idp", "a")
            first.publish(OTHER_A.jwk())
            new = await keys.find_fresh("idp", "a", 30)
            assert old is not None
            assert new is not None
            assert keys.trusts(new)
            assert not keys.trusts(old)


async def test_an_id_that_one_withdraws_is_not_found_in_another(run: RunKeySets, stopwatch: Hands) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(A.jwk(), C.jwk())
        second.publish(A.jwk(), B.jwk())
        async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
            old = keys.find("idp", "a")
            assert old is not None
            first.publish(A.jwk(d="AAAA"), C.jwk())
            while_published = await keys.find_fresh("idp", "a", 30)
            second.publish(B.jwk())
            stopwatch.move(40)
            within_its_grace = await keys.find_fresh("idp", "a", 30)
            first.publish(C.jwk())
            stopwatch.move(40)
            after_both_dropped_it = await keys.find_fresh("idp", "a", 30)

            assert (while_published, within_its_grace, after_both_dropped_it) == (None, None, None)
            assert not keys.trusts(old)
            assert keys.usable_for(old) == 0
            assert keys.find("idp", "b") is not None


async def test_a_withdrawn_id_stays_so_when_its_set_is_out_of_reach(run: RunKeySets, stopwatch: Hands) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(A.jwk(use="enc"))
        second.publish(A.jwk(), B.jwk())
        async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
            withdrawn, good = keys.find("idp", "a"), keys.find("idp", "b")
            stopwatch.move(4200)
            with pytest.raises(KeysUnavailable):
                keys.find("idp", "a")

    assert withdrawn is None
    assert good is not None


async def test_a_key_whose_algorithms_change_is_not_the_same_key(run: RunKeySets) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(RSA.jwk(alg=...))
        second.publish(B.jwk())
        source = KeySetUrls(urls=(first.keys_url, second.keys_url))
        async with run(issuer_keys(source, rsa_algorithms=ALGORITHMS)) as keys:
            wide = keys.find("idp", "rsa")
            assert wide is not None
            assert keys.trusts(wide)
            first.publish(RSA.jwk(alg="RS256"))
            narrow = await keys.find_fresh("idp", "rsa", 30)

            assert narrow is not None
            assert (narrow.thumbprint, narrow.algorithms) == (wide.thumbprint, {"RS256"})
            assert not keys.trusts(wide)
            assert keys.trusts(narrow)
            assert keys.usable_for(wide) == 0


async def test_without_an_id_only_a_key_that_is_alone_in_all_of_them_is_found(run: RunKeySets) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(A.jwk())
        second.publish(A.jwk())
        async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
            alone = keys.find("idp", None)
            second.publish(B.jwk())
            one_of_two = await keys.find_fresh("idp", None, 30)

    assert alone is not None
    assert one_of_two is None


async def test_one_that_is_down_leaves_the_others_working_and_is_no_denial(run: RunKeySets, stopwatch: Hands) -> None:
    async with KeyServer() as first, KeyServer() as second:
        first.publish(A.jwk())
        second.publish(B.jwk())
        await first.fail(Fault.DOWN)
        async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
            found = keys.find("idp", "b")
            for kid in ("a", None):
                with pytest.raises(KeysUnavailable):
                    keys.find("idp", kid)
            assert found is not None
            left = keys.usable_for(found)
            usable = keys.usable("idp")
            causes = [status.last_error for status in keys.status()]

    assert left == 4200
    assert usable
    assert causes == [Cause.CONNECT, None]
