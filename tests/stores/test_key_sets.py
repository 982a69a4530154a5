"""What `ports.Keys` promises, kept by key sets that are fetched from a real server."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from keyring import key_pair
from stores.support import Events, Hands, RunKeySets, issuer_keys
from tools.key_server import Fault, KeyServer
from usherd.errors import KeysUnavailable
from usherd.stores.documents import Cause
from usherd.stores.key_sources import KeySetUrls
from usherd.stores.refreshed_keys import KeyEvent

A, B, C = key_pair("P-256", "a"), key_pair("P-256", "b"), key_pair("Ed25519", "c")
OTHER_A = key_pair("Ed25519", "a")


async def test_a_published_key_is_found_by_its_id(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk(), B.jwk())

    async with run(issuer_keys(server.keys_url)) as keys:
        found = keys.find("idp", "b")
        unknown = keys.find("idp", "c")

    assert found is not None
    assert (found.issuer, found.kid, found.algorithms) == ("idp", "b", {"ES256"})
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
            assert keys.usable_for(issuer) == 0

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


async def test_a_new_key_is_usable_at_once(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        server.publish(A.jwk(), B.jwk())
        before = keys.find("idp", "b")
        fresh = await keys.find_fresh("idp", "b", 30)

    assert before is None
    assert fresh is not None
    assert fresh.kid == "b"


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


async def test_ten_thousand_unknown_key_ids_force_one_refresh_per_cooldown(
    server: KeyServer, run: RunKeySets, stopwatch: Hands, events: Events
) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url, refresh={"unknown_kid_cooldown": 30})) as keys:
        first = server.count()
        for _ in range(100):
            kids = [secrets.token_hex(8) for _ in range(100)]
            found = await asyncio.gather(*(keys.find_fresh("idp", kid, 30) for kid in kids))
            assert found == [None] * 100
            stopwatch.move(0.9)

    forced = server.count() - first
    assert forced <= 1 + 90 / 30
    assert forced == len(events.of(KeyEvent.FORCED))


async def test_fifty_followers_share_the_fetch_of_a_cancelled_leader(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        server.publish(A.jwk(), B.jwk())
        server.gate.clear()
        leader = asyncio.create_task(keys.find_fresh("idp", "b", 30))
        followers = [asyncio.create_task(keys.find_fresh("idp", "b", 30)) for _ in range(50)]
        await asyncio.sleep(0.05)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        server.gate.set()
        found = await asyncio.gather(*followers)

    assert {key.kid for key in found if key is not None} == {"b"}
    assert None not in found
    assert server.count() == 2


async def test_followers_share_a_failure(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        await server.fail(Fault.STATUS_500)
        found = await asyncio.gather(*(keys.find_fresh("idp", "b", 30) for _ in range(50)))

    assert found == [None] * 50
    assert server.count() == 2


async def test_patience_ends_the_wait_and_not_the_fetch(server: KeyServer, run: RunKeySets, events: Events) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        server.publish(A.jwk(), B.jwk())
        server.gate.clear()
        impatient = await keys.find_fresh("idp", "b", 0.01)
        server.gate.set()
        await events.reach(KeyEvent.LOADED, 2)
        later = keys.find("idp", "b")

    assert impatient is None
    assert later is not None
    assert server.count() == 2


async def test_an_unchanged_set_is_not_sent_again(
    server: KeyServer, run: RunKeySets, stopwatch: Hands, events: Events
) -> None:
    server.etags = True
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        stopwatch.move(4000)
        await keys.find_fresh("idp", "unknown", 30)
        (status,) = keys.status()
        server.publish(A.jwk(), B.jwk())
        stopwatch.move(30)
        changed = await keys.find_fresh("idp", "b", 30)

    assert server.statuses == [200, 304, 200]
    assert (status.age, status.last_error) == (0.0, None)
    assert changed is not None
    assert [fields["added"] for fields in events.of(KeyEvent.LOADED)] == [1, 1]


async def test_the_start_waits_for_slow_issuers_only_so_long(server: KeyServer, run: RunKeySets) -> None:
    async with KeyServer() as slow:
        await slow.fail(Fault.HANG)
        server.publish(A.jwk())
        async with run(
            issuer_keys(slow.keys_url, "slow"), issuer_keys(server.keys_url, "fast"), first_loads_patience=0.2
        ) as keys:
            statuses = {status.issuer: status for status in keys.status()}
            found = keys.find("fast", "a")
            with pytest.raises(KeysUnavailable):
                keys.find("slow", "a")

    assert found is not None
    assert statuses["fast"].attempted
    assert not statuses["slow"].attempted


async def test_sets_are_refreshed_on_their_own_and_never_after_the_block(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url, refresh={"every": 0.02})) as keys:
        server.publish(B.jwk())
        async with asyncio.timeout(10):
            while keys.find("idp", "b") is None:
                await asyncio.sleep(0.01)
    count = server.count()
    await asyncio.sleep(0.1)

    assert server.count() == count
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_after_the_block_no_refresh_can_be_forced(server: KeyServer, run: RunKeySets, stopwatch: Hands) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        pass
    found = await keys.find_fresh("idp", "b", 30)

    assert found is None
    assert server.count() == 1


async def test_errors_of_the_block_come_out_as_they_are(server: KeyServer, run: RunKeySets) -> None:
    with pytest.raises(ZeroDivisionError):
        async with run(issuer_keys(server.keys_url)):
            raise ZeroDivisionError


async def test_a_start_that_is_cancelled_leaves_no_task_behind(server: KeyServer, run: RunKeySets) -> None:
    server.gate.clear()

    async def start() -> None:
        async with run(issuer_keys(server.keys_url)):
            raise AssertionError("the first load cannot be over")

    starting = asyncio.create_task(start())
    await asyncio.sleep(0.05)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert not [task for task in asyncio.all_tasks() if task.get_name() == "key sets"]


async def test_events_and_statuses_name_no_key_id_and_no_url(
    server: KeyServer, run: RunKeySets, events: Events, stopwatch: Hands
) -> None:
    server.publish(key_pair("P-256", "canary-kid").jwk())
    url = server.keys_url + "?canary-secret"
    server.documents["/keys?canary-secret"] = server.documents["/keys"]
    async with run(issuer_keys(url)) as keys:
        await keys.find_fresh("idp", "canary-kid-2", 30)
        await server.fail(Fault.STATUS_500, "/keys?canary-secret")
        stopwatch.move(60)
        await keys.find_fresh("idp", "canary-kid-3", 30)
        told = repr(events.heard) + repr(keys.status()) + repr(vars(keys))

    assert {event for event, _ in events.heard} == set(KeyEvent)
    assert "canary" not in told


async def test_a_listener_that_fails_harms_nothing(server: KeyServer, run: RunKeySets, events: Events) -> None:
    def fail(event: object, fields: object) -> None:
        raise ZeroDivisionError

    server.publish(A.jwk())
    events.heard = type("Deaf", (list,), {"append": fail})()
    async with run(issuer_keys(server.keys_url)) as keys:
        (status,) = keys.status()

    assert (status.keys, status.last_error) == (1, None)


class TestSeveralUrls:
    async def test_a_key_of_any_of_them_is_found(self, run: RunKeySets) -> None:
        async with KeyServer() as first, KeyServer() as second:
            first.publish(A.jwk(), B.jwk())
            second.publish(B.jwk(), C.jwk())
            async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
                found = [keys.find("idp", kid) for kid in ("a", "b", "c")]
                unknown = keys.find("idp", "d")
                assert all(key is not None and keys.trusts(key) for key in found)

        assert unknown is None

    async def test_an_id_that_means_two_keys_means_none(self, run: RunKeySets) -> None:
        async with KeyServer() as first, KeyServer() as second:
            first.publish(A.jwk(), B.jwk())
            second.publish(OTHER_A.jwk())
            async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
                doubled, single = keys.find("idp", "a"), keys.find("idp", "b")

        assert doubled is None
        assert single is not None

    async def test_without_an_id_only_a_key_that_is_alone_in_all_of_them_is_found(self, run: RunKeySets) -> None:
        async with KeyServer() as first, KeyServer() as second:
            first.publish(A.jwk())
            second.publish(A.jwk())
            async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
                alone = keys.find("idp", None)
                second.publish(B.jwk())
                one_of_two = await keys.find_fresh("idp", None, 30)

        assert alone is not None
        assert one_of_two is None

    async def test_one_that_is_down_leaves_the_others_working_and_is_no_denial(
        self, run: RunKeySets, stopwatch: Hands
    ) -> None:
        async with KeyServer() as first, KeyServer() as second:
            first.publish(A.jwk())
            second.publish(B.jwk())
            await first.fail(Fault.DOWN)
            async with run(issuer_keys(KeySetUrls(urls=(first.keys_url, second.keys_url)))) as keys:
                found = keys.find("idp", "b")
                for kid in ("a", None):
                    with pytest.raises(KeysUnavailable):
                        keys.find("idp", kid)
                left = keys.usable_for("idp")
                causes = [status.last_error for status in keys.status()]

        assert found is not None
        assert left == 4200
        assert causes == [Cause.CONNECT, None]
