"""Refreshes are shared by all who wait, and unknown key ids cannot cause more of them."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from keyring import ALGORITHMS, key_pair, key_set
from stores.support import Events, Hands, RunKeySets, issuer_keys
from tools.key_server import Fault, KeyServer
from usherd.authenticate.keys import KeySet, load_key_set
from usherd.stores.documents import Cause, LoadFailed
from usherd.stores.key_loader import Loaded
from usherd.stores.key_sets import MAX_WAITERS
from usherd.stores.refreshed_keys import KeyEvent, RefreshedKeys

A, B = key_pair("P-256", "a"), key_pair("P-256", "b")


async def test_a_new_key_is_usable_at_once(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        server.publish(A.jwk(), B.jwk())
        before = keys.find("idp", "b")
        fresh = await keys.find_fresh("idp", "b", 30)

    assert before is None
    assert fresh is not None
    assert fresh.kid == "b"


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


async def test_thirty_followers_share_the_fetch_of_a_cancelled_leader(server: KeyServer, run: RunKeySets) -> None:
    server.publish(A.jwk())
    async with run(issuer_keys(server.keys_url)) as keys:
        server.publish(A.jwk(), B.jwk())
        server.gate.clear()
        leader = asyncio.create_task(keys.find_fresh("idp", "b", 30))
        followers = [asyncio.create_task(keys.find_fresh("idp", "b", 30)) for _ in range(30)]
        await asyncio.sleep(0.05)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        server.gate.set()
        found = await asyncio.gather(*followers)

    assert {key.kid for key in found if key is not None} == {"b"}
    assert None not in found
    assert server.count() == 2


async def test_junk_key_ids_wait_for_a_slow_provider_only_up_to_a_bound(
    server: KeyServer, run: RunKeySets, events: Events
) -> None:
    server.publish(A.jwk())
    async with KeyServer() as other:
        other.publish(A.jwk())
        async with run(issuer_keys(server.keys_url), issuer_keys(other.keys_url, "other")) as keys:
            server.gate.clear()
            junk = [asyncio.create_task(keys.find_fresh("idp", f"junk {number}", 30)) for number in range(100)]
            await asyncio.sleep(0.05)
            waiting = [task for task in junk if not task.done()]
            other.publish(A.jwk(), B.jwk())
            of_other = await keys.find_fresh("other", "b", 30)
            waiting[0].cancel()
            await asyncio.wait(waiting[:1])
            server.publish(A.jwk(), B.jwk())
            in_the_free_place = asyncio.create_task(keys.find_fresh("idp", "b", 30))
            await asyncio.sleep(0)
            server.gate.set()
            found = await asyncio.gather(*waiting[1:], in_the_free_place)

    assert len(waiting) == MAX_WAITERS
    assert {task.result() for task in junk if task not in waiting} == {None}
    assert of_other is not None
    assert found[-1] is not None
    assert found[:-1] == [None] * (MAX_WAITERS - 1)
    assert len(events.of(KeyEvent.FORCED)) == 2


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


@examples(50, deadline=None)
@given(every=st.floats(1, 86400), chance=st.floats(0, 1), asked=st.none() | st.floats(0, 1e9), fails=st.booleans())
def test_the_next_refresh_is_never_at_once_and_never_late(
    every: float, chance: float, asked: float | None, fails: bool
) -> None:
    async def load(*, instead: float, in_need: float) -> Loaded:
        if fails:
            raise LoadFailed(Cause.STATUS, asked)
        return Loaded(load_key_set(key_set(A), issuer="idp", algorithms=ALGORITHMS))

    async def next_refresh() -> float | None:
        issuer = issuer_keys("https://idp.example/keys", refresh={"every": every})
        keys = RefreshedKeys(issuer, 0, load, stopwatch=Hands(), chance=lambda: chance, on_event=Events())
        async with asyncio.TaskGroup() as tasks:
            first_load = keys.start(tasks)
            await first_load
            for _ in range(10):  # the task that plans the next refresh hears of it in a few steps
                await asyncio.sleep(0)
            pause = keys.status().next_refresh
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        return pause

    pause = asyncio.run(next_refresh())

    assert pause is not None
    if fails:
        assert 0.5 <= pause <= max(1.0, min(asked or 0.0, 120.0, every)) + 1e-6
    else:
        assert 0.9 * every - 1e-6 <= pause <= every + 1e-6


async def test_a_bug_is_told_by_its_class_and_ends_nothing(events: Events) -> None:
    outcomes: list[Exception | KeySet] = [
        ZeroDivisionError("canary"),
        load_key_set(key_set(A), issuer="idp", algorithms=ALGORITHMS),
    ]

    async def load(*, instead: float, in_need: float) -> Loaded:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return Loaded(outcome)

    keys = RefreshedKeys(
        issuer_keys("https://idp.example/keys"), 0, load, stopwatch=Hands(), chance=lambda: 0.0, on_event=events
    )
    others = asyncio.all_tasks()
    async with asyncio.TaskGroup() as tasks:
        await keys.start(tasks)
        await events.reach(KeyEvent.LOADED, 1)
        for task in asyncio.all_tasks() - others:
            task.cancel()

    assert events.of(KeyEvent.FAILED) == [
        {"issuer": "idp", "part": 0, "cause": "internal", "failures": 1, "error_class": "ZeroDivisionError"}
    ]
    assert keys.status().keys == 1
