"""Replicas share key sets through a real Valkey: with their age, and never one that was taken back."""

from __future__ import annotations

import pytest

from stores.replicas import A, B, Replicas
from stores.support import Events, issuer_keys
from tools.faults import Fault
from tools.key_server import DISCOVERY_PATH, KEYS_PATH, KeyServer
from usherd.authenticate.sealed import Seal
from usherd.errors import KeysUnavailable
from usherd.stores.key_sets import KeySets
from usherd.stores.key_sources import Discovery
from usherd.stores.refreshed_keys import KeyEvent, RefreshedKeys


async def refreshed(keys: KeySets) -> None:
    """Returns when the only key set is refreshed once more, as it is of its own accord."""
    (part,) = keys._parts["idp"]
    assert isinstance(part, RefreshedKeys)
    assert part._tasks is not None
    await part._refresh(part._tasks)


async def test_a_replica_takes_keys_that_another_fetched_a_moment_ago(replicas: Replicas, server: KeyServer) -> None:
    server.describe()
    server.publish(A.jwk())
    for source in (server.keys_url, Discovery()):
        await replicas.keys(issuer_keys(source, issuer=server.origin))
    fetched = len(server.requests)
    other = await replicas.keys(issuer_keys(Discovery(), issuer=server.origin))

    assert other.find("idp", "a") is not None
    assert (server.count(DISCOVERY_PATH), len(server.requests)) == (1, fetched)


async def test_shared_keys_are_as_old_as_they_are(replicas: Replicas, server: KeyServer) -> None:
    server.publish(A.jwk())
    await replicas.keys(issuer_keys(server.keys_url))
    replicas.clock.move(200.0)
    replicas.stopwatch.move(200.0)
    (status,) = (await replicas.keys(issuer_keys(server.keys_url))).status()

    assert server.count() == 1
    assert status.age == 200.0
    assert status.usable_for == 600 + 3600 - 200.0
    assert status.next_refresh == 400.0


async def test_keys_that_are_no_longer_new_are_fetched(replicas: Replicas, server: KeyServer) -> None:
    server.publish(A.jwk())
    await replicas.keys(issuer_keys(server.keys_url))
    replicas.clock.move(300.0)
    server.publish(B.jwk())
    other = await replicas.keys(issuer_keys(server.keys_url))

    assert (other.find("idp", "a"), other.find("idp", "b") is not None) == (None, True)


async def test_a_replica_starts_with_shared_keys_while_the_provider_is_down(
    replicas: Replicas, server: KeyServer, events: Events
) -> None:
    server.describe()
    server.publish(A.jwk())
    settings = issuer_keys(Discovery(), issuer=server.origin)
    await replicas.keys(settings)
    await server.fail(Fault.DOWN)
    replicas.clock.move(4000.0)
    other = await replicas.keys(settings, events=events)
    (status,) = other.status()

    assert other.find("idp", "a") is not None
    assert (status.age, status.usable_for) == (4000.0, 200.0)
    assert status.last_error is not None
    assert [fields["failures"] for fields in events.of(KeyEvent.FAILED)] == [1]
    replicas.stopwatch.move(200.0)
    with pytest.raises(KeysUnavailable):
        other.find("idp", "a")


@pytest.mark.parametrize("fault", [Fault.STATUS_500, Fault.HTML_SAID_TO_BE_JSON, Fault.EMPTY_SET])
async def test_a_provider_that_talks_nonsense_is_as_good_as_one_that_is_down(
    replicas: Replicas, server: KeyServer, fault: Fault
) -> None:
    server.publish(A.jwk())
    await replicas.keys(issuer_keys(server.keys_url))
    await server.fail(fault)
    replicas.clock.move(700.0)
    other = await replicas.keys(issuer_keys(server.keys_url))

    assert other.find("idp", "a") is not None


async def test_nothing_starts_with_keys_past_their_stale_bound(replicas: Replicas, server: KeyServer) -> None:
    server.publish(A.jwk())
    await replicas.keys(issuer_keys(server.keys_url, refresh={"every": 600, "stale_for": 3600}))
    await server.fail(Fault.DOWN)
    # By a stricter bound than that of the replica which put it there, too.
    replicas.clock.move(700.0)
    strict = await replicas.keys(issuer_keys(server.keys_url, refresh={"every": 600, "stale_for": 100}))
    replicas.clock.move(3500.0)
    lax = await replicas.keys(issuer_keys(server.keys_url, refresh={"every": 600, "stale_for": 86400}))

    for keys in (strict, lax):
        with pytest.raises(KeysUnavailable):
            keys.find("idp", "a")


async def test_keys_from_the_future_are_none(replicas: Replicas, server: KeyServer) -> None:
    server.publish(A.jwk())
    await replicas.keys(issuer_keys(server.keys_url))
    await server.fail(Fault.DOWN)
    replicas.clock.move(-1.0)
    other = await replicas.keys(issuer_keys(server.keys_url))

    with pytest.raises(KeysUnavailable):
        other.find("idp", "a")


async def test_a_forced_refresh_asks_the_provider(replicas: Replicas, server: KeyServer) -> None:
    server.publish(A.jwk())
    keys = await replicas.keys(issuer_keys(server.keys_url))
    server.publish(A.jwk(), B.jwk())

    assert await keys.find_fresh("idp", "b", 5.0) is not None
    assert server.count() == 2


async def test_nobody_begins_with_keys_that_were_taken_back(replicas: Replicas, server: KeyServer) -> None:
    server.publish(A.jwk())
    keys = await replicas.keys(issuer_keys(server.keys_url))
    # Published with its private part: a key that must go at once.
    server.publish(A.jwk(d="AAAA"))
    assert await keys.find_fresh("idp", "other", 5.0) is None
    assert keys.find("idp", "a") is None
    await server.fail(Fault.DOWN)
    other = await replicas.keys(issuer_keys(server.keys_url))

    with pytest.raises(KeysUnavailable):
        other.find("idp", "a")


@pytest.mark.parametrize("back", [400.0, 700.0, 1e6])
@pytest.mark.parametrize("down", [False, True])
async def test_a_clock_that_was_set_back_makes_no_keys_count_longer(
    replicas: Replicas, server: KeyServer, back: float, *, down: bool
) -> None:
    server.publish(A.jwk(), B.jwk())
    keys = await replicas.keys(issuer_keys(server.keys_url, refresh={"unknown_kid_cooldown": 1, "removed_grace": 0}))
    server.publish(A.jwk())
    for hand in (replicas.clock, replicas.stopwatch):
        hand.move(599.0)
    replicas.clock.move(-back)
    if down:
        await server.fail(Fault.DOWN)
    await refreshed(keys)
    (status,) = keys.status()

    assert (status.age, status.usable_for) == ((599.0, 3601.0) if down else (0.0, 4200.0))
    assert status.next_refresh is not None
    assert status.next_refresh <= 600.0
    assert (keys.find("idp", "b") is None) is not down


async def test_a_key_that_was_taken_back_does_not_come_back_from_what_is_shared(
    replicas: Replicas, server: KeyServer
) -> None:
    server.publish(A.jwk())
    keys = await replicas.keys(issuer_keys(server.keys_url))
    for hand in (replicas.clock, replicas.stopwatch):
        hand.move(100.0)
    # Another one's fetch, which whoever writes there can bring back as long as its time is not over.
    await (await replicas.keys(issuer_keys(server.keys_url, refresh={"every": 60}))).find_fresh("idp", "other", 5.0)
    async with replicas.valkey.client() as client:
        (name,) = await client.keys("*")
        sealed = await client.get(name)
    for hand in (replicas.clock, replicas.stopwatch):
        hand.move(10.0)
    server.publish(A.jwk(d="AAAA"))
    assert await keys.find_fresh("idp", "other", 5.0) is None
    assert keys.find("idp", "a") is None
    async with replicas.valkey.client() as client:
        await client.set(name, sealed)
    await server.fail(Fault.DOWN)
    for hand in (replicas.clock, replicas.stopwatch):
        hand.move(60.0)
    await refreshed(keys)

    assert keys.find("idp", "a") is None


async def test_what_is_shared_and_of_no_use_here_is_fetched(replicas: Replicas, server: KeyServer) -> None:
    server.publish(A.jwk())
    await replicas.keys(issuer_keys(server.keys_url))
    server.publish(B.jwk())
    other = await replicas.keys(issuer_keys(server.keys_url, denied=frozenset({"a"})))

    assert other.find("idp", "b") is not None


async def test_shared_keys_are_read_under_the_rules_of_each_replica(replicas: Replicas, server: KeyServer) -> None:
    server.publish(A.jwk(), B.jwk())
    await replicas.keys(issuer_keys(server.keys_url))
    other = await replicas.keys(issuer_keys(server.keys_url, denied=frozenset({"a"})))

    assert (other.find("idp", "a"), other.find("idp", "b") is not None) == (None, True)
    assert server.count() == 1


async def test_forged_keys_are_not_taken(replicas: Replicas, server: KeyServer) -> None:
    server.publish(B.jwk())
    await replicas.keys(issuer_keys(server.keys_url))
    async with replicas.valkey.client() as client:
        (name,) = await client.keys("*")
        forged = Seal(b"x" * 32).seal(name.decode(), replicas.clock.now, replicas.clock.now + 600, b"\0\0{}")
        await client.set(name, forged)
    await server.fail(Fault.DOWN, KEYS_PATH)
    other = await replicas.keys(issuer_keys(server.keys_url))

    with pytest.raises(KeysUnavailable):
        other.find("idp", "b")
