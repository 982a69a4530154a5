"""Key sets live as long as their block, and tell how they are without telling secrets."""

from __future__ import annotations

import asyncio

import pytest

from keyring import key_pair
from stores.support import Events, Hands, RunKeySets, issuer_keys
from tools.key_server import Fault, KeyServer
from usherd.errors import KeysUnavailable
from usherd.stores.refreshed_keys import KeyEvent

A, B = key_pair("P-256", "a"), key_pair("P-256", "b")


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


async def test_sets_are_refreshed_on_their_own_and_never_after_the_block(
    server: KeyServer, run: RunKeySets, events: Events
) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url, refresh={"every": 0.02})) as keys:
        server.publish(B.jwk())
        await events.reach(KeyEvent.LOADED, 2)
        assert keys.find("idp", "b") is not None
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


@pytest.mark.parametrize("steps", [*range(8), 1000])
async def test_a_start_that_is_cancelled_at_any_step_leaves_no_task_behind(
    steps: int, server: KeyServer, run: RunKeySets
) -> None:
    server.gate.clear()

    async def start() -> None:
        async with run(issuer_keys(server.keys_url, refresh={"timeout": 3600}), first_loads_patience=3600):
            raise AssertionError("the first load cannot be over")

    starting = asyncio.create_task(start())
    for _ in range(steps):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
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

    # What is learnt from another one has numbers alone, too; a test of both sees all of it.
    assert {event for event, _ in events.heard} == set(KeyEvent) - {KeyEvent.LEARNT}
    assert "canary" not in told


async def test_a_secret_that_is_published_is_told_even_if_the_keys_stay_the_same(
    server: KeyServer, run: RunKeySets, events: Events
) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        server.publish(A.jwk(), B.jwk(d="AAAA"))
        await keys.find_fresh("idp", "b", 30)
        loaded = events.of(KeyEvent.LOADED)

    assert loaded[0] == {"issuer": "idp", "part": 0, "keys": 1, "added": 1, "removed": 0}
    assert loaded[1:] == [{"issuer": "idp", "part": 0, "keys": 1, "added": 0, "removed": 0, "dropped_private": 1}]


async def test_while_it_shuts_down_no_refresh_is_forced(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:

        async def ask() -> object:
            return await keys.find_fresh("idp", "b", 30)

        # Its first step comes when the block is already being left.
        asking = asyncio.create_task(ask())

    assert await asking is None


async def test_a_listener_that_fails_harms_nothing(server: KeyServer, run: RunKeySets, events: Events) -> None:
    def fail(event: object, fields: object) -> None:
        raise ZeroDivisionError

    server.publish(A.jwk())
    events.heard = type("Deaf", (list,), {"append": fail})()
    async with run(issuer_keys(server.keys_url)) as keys:
        (status,) = keys.status()

    assert (status.keys, status.last_error) == (1, None)


async def test_a_refresh_that_changes_nothing_is_told_as_that(
    server: KeyServer, run: RunKeySets, events: Events, stopwatch: Hands
) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        before = events.of(KeyEvent.UNCHANGED)
        stopwatch.move(60)
        await keys.find_fresh("idp", "b", 30)

    assert before == []
    assert events.of(KeyEvent.UNCHANGED) == [{"issuer": "idp", "part": 0}]
    assert len(events.of(KeyEvent.LOADED)) == 1
