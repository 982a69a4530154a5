"""Key sets that come in the place of others know what those knew, as far as it still is the same."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from keyring import ALGORITHMS, key_pair
from stores.support import Events, Hands, RunKeySets, issuer_keys
from tools.key_server import Fault, KeyServer
from usherd.authenticate.key_ring import KeyRing, RingRules
from usherd.authenticate.keys import KeySet, load_key_set
from usherd.errors import KeysUnavailable
from usherd.stores.documents import Cause, LoadFailed
from usherd.stores.key_loader import Loaded
from usherd.stores.key_sources import KeySetUrls
from usherd.stores.refreshed_keys import KeyEvent, RefreshedKeys

A, B, C = (key_pair("P-256", kid) for kid in "abc")
HOUR = 3600


async def test_a_key_that_was_removed_keeps_its_grace(server: KeyServer, run: RunKeySets, stopwatch: Hands) -> None:
    issuer = issuer_keys(server.keys_url, refresh={"removed_grace": 10 * HOUR, "stale_for": 100 * HOUR})
    server.publish(A.jwk(), B.jwk())
    async with run(issuer) as old:
        stopwatch.move(HOUR)
        server.publish(A.jwk())
        await old.find_fresh("idp", "unknown", 30)
        async with run(issuer, before=old) as keys:
            held = keys.find("idp", "b")
            stopwatch.move(9 * HOUR)
            after_its_grace = keys.find("idp", "b")

    assert held is not None
    assert held.kid == "b"
    assert after_its_grace is None


async def test_a_provider_without_keys_costs_nothing_until_those_that_are_known_are_stale(
    server: KeyServer, run: RunKeySets, stopwatch: Hands
) -> None:
    issuer = issuer_keys(server.keys_url)
    server.publish(A.jwk())
    async with run(issuer) as old:
        server.publish()
        stopwatch.move(600)
        async with run(issuer, before=old) as keys:
            assert keys.usable("idp")
            assert keys.find("idp", "a") is not None
            stopwatch.move(HOUR)
            with pytest.raises(KeysUnavailable):
                keys.find("idp", "a")


async def test_what_is_denied_now_is_gone_and_what_is_not_stays(server: KeyServer, run: RunKeySets) -> None:
    issuer = issuer_keys(server.keys_url)
    server.publish(A.jwk(), B.jwk())
    async with run(issuer) as old:
        server.publish()
        async with run(dataclasses.replace(issuer, denied=frozenset({"a"})), before=old) as keys:
            assert (keys.find("idp", "a"), keys.find("idp", "b") is not None) == (None, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"source": KeySetUrls(urls=("https://127.0.0.1:1/keys",))},
        {"issuer": "https://other.example"},
        {"algorithms": frozenset({"ES256"})},
        {"name": "other"},
    ],
    ids=str,
)
async def test_keys_from_elsewhere_or_for_something_else_are_not_taken_over(
    changes: dict[str, Any], server: KeyServer, run: RunKeySets
) -> None:
    issuer = issuer_keys(server.keys_url)
    server.publish(A.jwk())
    async with run(issuer) as old:
        server.publish()
        other = dataclasses.replace(issuer, **changes)
        async with run(other, before=old) as keys:
            assert not keys.usable(other.name)


async def test_several_key_sets_of_an_issuer_are_each_taken_over(server: KeyServer, run: RunKeySets) -> None:
    issuer = issuer_keys(KeySetUrls(urls=(server.keys_url, server.keys_url + "?second")))
    server.publish(A.jwk())
    async with run(issuer) as old:
        server.publish()
        async with run(issuer, before=old) as keys:
            assert keys.find("idp", "a") is not None
            assert len(keys.status()) == 2


async def test_what_the_old_ones_learn_while_the_new_ones_fail_is_not_lost(
    server: KeyServer, run: RunKeySets, stopwatch: Hands, events: Events
) -> None:
    issuer = issuer_keys(server.keys_url)
    server.publish(A.jwk(), B.jwk())
    async with run(issuer) as old:
        await server.fail(Fault.STATUS_500)
        async with run(issuer, before=old) as keys:
            stopwatch.move(1)
            await server.fail(None)
            server.publish(A.jwk(), B.jwk(use="enc"), C.jwk())
            await old.find_fresh("idp", "unknown", 30)
            assert keys.find("idp", "b") is not None
            keys.learn(old)
            # Whoever relies on a key that is gone now has to hear of it; whoever learns nothing new, of nothing.
            assert events.of(KeyEvent.LEARNT) == [{"issuer": "idp", "part": 0, "keys": 2, "added": 1, "removed": 1}]
            keys.learn(old)
            assert len(events.of(KeyEvent.LEARNT)) == 1

            assert keys.find("idp", "a") is not None
            assert keys.find("idp", "b") is None
            assert keys.find("idp", "c") is not None


def fetched(*keys: Any) -> KeySet:
    return load_key_set({"keys": [key.jwk() for key in keys]}, issuer="idp", algorithms=ALGORITHMS)


@pytest.mark.parametrize(
    ("fetch", "left"),
    [
        # The other ones withdrew `b` after this had been asked for, and published `c`.
        (Loaded(fetched(A, B)), {"a", "c"}),
        (LoadFailed(Cause.NO_USABLE_KEY, withdrawn=frozenset({"b", "c"})), {"a", "c"}),
        (LoadFailed(Cause.STATUS), {"a", "c"}),
    ],
    ids=["keys", "withdrawals", "failure"],
)
async def test_a_fetch_that_began_before_what_was_learnt_changes_nothing_of_it(
    fetch: Loaded | LoadFailed, left: set[str], stopwatch: Hands
) -> None:
    answered = asyncio.Event()

    async def load(*, instead: float, in_need: float) -> Loaded:
        await answered.wait()
        if isinstance(fetch, LoadFailed):
            raise fetch
        return fetch

    start = KeyRing(rules=RingRules(stale_after=4200)).loaded(fetched(A, B).keys, stopwatch.now - 100)
    keys = RefreshedKeys(
        issuer_keys("https://idp.example/keys"),
        0,
        load,
        stopwatch=stopwatch,
        chance=lambda: 1.0,
        on_event=Events(),
        ring=start,
    )
    others = asyncio.all_tasks()
    async with asyncio.TaskGroup() as tasks:
        first_load = keys.start(tasks)
        await asyncio.sleep(0)
        stopwatch.move(1.0)
        newest = stopwatch.now
        keys.learn(start.loaded(fetched(A, C).keys, newest, frozenset({"b"})))
        answered.set()
        await first_load
        for task in asyncio.all_tasks() - others:
            task.cancel()

    assert {key.kid for key in keys.ring.keys(newest)} == left
    assert keys.ring.fetched_at == newest
    assert keys.ring.withdraws("b", newest)
