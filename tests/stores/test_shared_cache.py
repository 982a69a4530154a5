"""Replicas share what comes from identity providers through a real Valkey, which may do to it whatever it likes."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from keyring import key_pair
from stores.support import Events, Hands, issuer_keys
from tools.faults import Fault
from tools.introspection_server import PATH, IntrospectionServer
from tools.key_server import DISCOVERY_PATH, KEYS_PATH, KeyServer
from tools.valkey import Valkey
from usherd.authenticate.sealed import OVERHEAD, Seal
from usherd.errors import KeysUnavailable
from usherd.stores.documents import Document
from usherd.stores.introspection import Endpoint, Introspection
from usherd.stores.key_sets import KeySets
from usherd.stores.key_sources import Discovery, IssuerKeys
from usherd.stores.memory_cache import Entry
from usherd.stores.provider_cache import ProviderCaches, provider_caches
from usherd.stores.provider_http import provider_http
from usherd.stores.refreshed_keys import KeyEvent, RefreshedKeys
from usherd.stores.shared_cache import SharedCache, shared_cache

SECRET = b"what replicas share, of 32 bytes"
URL = "https://idp.example/keys"
DOCUMENT = Document(body=b'{"keys": []}', etag='"1"')
A, B = key_pair("P-256", "a"), key_pair("P-256", "b")


@pytest.fixture(name="valkey")
async def _valkey() -> AsyncIterator[Valkey]:
    async with Valkey() as valkey:
        yield valkey


class Replicas:
    """Processes that share a Valkey, with one clock. Each has a memory of its own."""

    def __init__(self, valkey: Valkey, clock: Hands, stopwatch: Hands) -> None:
        self.valkey = valkey
        self.clock = clock
        self.stopwatch = stopwatch
        self.stack = AsyncExitStack()
        self.told: list[tuple[bool, dict[str, str | int]]] = []
        self.patience = 20.0
        """A busy machine must not look like an outage."""

    async def caches(self, secret: bytes = SECRET) -> ProviderCaches:
        """Those of another replica."""
        return await self.stack.enter_async_context(
            provider_caches(self.clock, self.stopwatch, self.valkey.url, secret, patience=self.patience)
        )

    async def shared(self, max_size: int = 1000) -> SharedCache:
        """The shared part alone."""
        return await self.stack.enter_async_context(
            shared_cache(
                self.valkey.url,
                SECRET,
                clock=self.clock,
                stopwatch=self.stopwatch,
                max_size=max_size,
                patience=self.patience,
                tell=lambda works, fields: self.told.append((works, dict(fields))),
            )
        )

    async def keys(self, *issuers: IssuerKeys, events: Events | None = None) -> KeySets:
        """Another replica's keys, loaded or known to be out of reach."""
        http = await self.stack.enter_async_context(provider_http(allow_loopback_http=True))
        documents = (await self.caches()).documents
        made = KeySets(
            issuers,
            http=http,
            cache=documents,
            stopwatch=self.stopwatch,
            chance=lambda: 1.0,
            on_event=events or Events(),
        )
        return await self.stack.enter_async_context(made.running())

    async def asking(self, url: str, **changes: Any) -> Introspection:
        """Another replica that asks an issuer."""
        endpoint = Endpoint(issuer="idp", digest="d", url=url, client_id="usherd", client_secret="s3cret", timeout=5.0)
        http = await self.stack.enter_async_context(provider_http(allow_loopback_http=True))
        made = Introspection(
            [replace(endpoint, **changes)],
            http=http,
            answers=(await self.caches()).answers,
            clock=self.clock,
            stopwatch=self.stopwatch,
        )
        return await self.stack.enter_async_context(made.running())


@pytest.fixture(name="replicas")
async def _replicas(valkey: Valkey, clock: Hands, stopwatch: Hands) -> AsyncIterator[Replicas]:
    replicas = Replicas(valkey, clock, stopwatch)
    async with replicas.stack:
        yield replicas


async def test_what_one_replica_puts_another_finds(replicas: Replicas) -> None:
    one, other = await replicas.caches(), await replicas.caches()
    await one.documents.put(URL, DOCUMENT, 60)

    found = await other.documents.get(URL)

    assert found == DOCUMENT
    assert found is not None
    assert found.fetched_at == replicas.clock.now


async def test_what_one_drops_is_gone_for_the_other(replicas: Replicas) -> None:
    one, other = await replicas.caches(), await replicas.caches()
    await one.documents.put(URL, DOCUMENT, 60)
    await other.documents.drop(URL)

    assert await (await replicas.caches()).documents.get(URL) is None


async def test_with_another_secret_there_is_nothing(replicas: Replicas) -> None:
    await (await replicas.caches()).documents.put(URL, DOCUMENT, 60)

    assert await (await replicas.caches(b"t" * 32)).documents.get(URL) is None


async def test_the_newest_document_counts_wherever_it_is(replicas: Replicas) -> None:
    one, other = await replicas.caches(), await replicas.caches()
    await one.documents.put(URL, DOCUMENT, 60)
    replicas.clock.move(1.0)
    newer = Document(body=b"newer")
    await other.documents.put(URL, newer, 60)

    assert await one.documents.get(URL) == newer
    await other.documents.put(URL, replace(DOCUMENT, fetched_at=replicas.clock.now - 10), 60)
    assert await one.documents.get(URL) == DOCUMENT


@pytest.mark.parametrize("ttl", [0, 0.0, -1.0, float("nan"), float("inf"), -0.0])
async def test_without_a_time_to_live_nothing_is_shared(replicas: Replicas, ttl: float) -> None:
    shared = await replicas.shared()
    await shared.put("key", Entry(replicas.clock.now, replicas.clock.now + ttl, b"value"))

    async with replicas.valkey.client() as client:
        assert await client.dbsize() == 0
    assert shared.failures == 0


@pytest.mark.parametrize("ttl", [0.001, 0.4, 1.0, 59.5])
async def test_everything_there_ends_by_itself(replicas: Replicas, ttl: float) -> None:
    shared = await replicas.shared()
    await shared.put("key", Entry(replicas.clock.now, replicas.clock.now + ttl, b"value"))

    async with replicas.valkey.client() as client:
        assert 0 < await client.pttl("key") <= (ttl + 1.0) * 1000
    replicas.clock.move(ttl)
    assert await shared.get("key") is None


async def test_neither_urls_nor_tokens_nor_claims_can_be_read_there(replicas: Replicas) -> None:
    caches = await replicas.caches()
    await caches.documents.put(URL + "?canary", Document(body=b"canary"), 60)
    name = caches.answers.name("d", "canary")
    await caches.answers.put(name, Entry(replicas.clock.now, replicas.clock.now + 60, b'{"sub": "canary"}'))

    async with replicas.valkey.client() as client:
        keys = await client.keys("*")
        everything = b"".join([*keys, *[await client.get(key) for key in keys]])
    assert len(keys) == 2
    assert all(key.startswith(b"usherd:1:") for key in keys)
    assert b"canary" not in everything


async def raw(replicas: Replicas) -> tuple[SharedCache, bytes]:
    """A cache in which "key" has a value, and its bytes."""
    shared = await replicas.shared()
    await shared.put("key", Entry(replicas.clock.now, replicas.clock.now + 60, b"value"))
    assert await shared.get("key") is not None
    async with replicas.valkey.client() as client:
        found = await client.get("key")
    assert found is not None
    return shared, bytes(found)


async def test_a_garbled_value_is_a_miss(replicas: Replicas) -> None:
    shared, data = await raw(replicas)
    dates = struct.pack(">dd", replicas.clock.now, replicas.clock.now + 1e9)
    poisons = [
        b"",
        b"value",
        b"\x80\x04\x95",
        b"cos\nsystem\n(S'true'\ntR.",
        data[:-1],
        data + b"\0",
        b"\x02" + data[1:],
        data[:1] + dates + data[17:],
        bytes(len(data)),
        Seal(b"x" * 32).seal("key", replicas.clock.now, replicas.clock.now + 60, b"value"),
        Seal(SECRET).seal("other", replicas.clock.now, replicas.clock.now + 60, b"value"),
        Seal(SECRET).seal("key", replicas.clock.now + 0.001, replicas.clock.now + 60, b"from the future"),
        Seal(SECRET).seal("key", replicas.clock.now - 60, replicas.clock.now, b"past its time"),
        Seal(SECRET).seal("key", float("nan"), float("nan"), b"timeless"),
        data + bytes(1 << 20),
    ]
    async with replicas.valkey.client() as client:
        for poison in poisons:
            await client.set("key", poison)
            assert await shared.get("key") is None
        await client.delete("key")
        await client.rpush("key", "a list")
        assert await shared.get("key") is None
        await client.delete("key")
        await client.set("key", data)
        replicas.stopwatch.move(60.0)
        assert await shared.get("key") is not None


async def test_a_value_that_was_moved_to_another_key_is_a_miss(replicas: Replicas) -> None:
    shared, data = await raw(replicas)
    async with replicas.valkey.client() as client:
        await client.set("other", data)

    assert await shared.get("other") is None


async def test_no_more_is_read_than_a_value_may_have(replicas: Replicas) -> None:
    shared = await replicas.shared(max_size=10)
    asked: list[tuple[object, ...]] = []
    backend = shared._backend
    read = backend.raw

    async def noted(*arguments: object) -> object:
        found = await read(*arguments)
        asked.append((*arguments, len(found)))
        return found

    backend.raw = noted
    async with replicas.valkey.client() as client:
        await client.set("key", bytes(10 << 20))
    assert await shared.get("key") is None
    assert asked == [("getrange", "key", 0, 10 + OVERHEAD, 10 + OVERHEAD + 1)]


async def test_a_value_that_is_too_large_is_not_put(replicas: Replicas) -> None:
    shared = await replicas.shared(max_size=10)
    for size in (10, 11):
        await shared.put(f"key{size}", Entry(replicas.clock.now, replicas.clock.now + 60, bytes(size)))

    assert await shared.get("key10") is not None
    assert await shared.get("key11") is None


async def test_one_that_is_killed_costs_nothing_but_what_it_had(replicas: Replicas) -> None:
    shared, _ = await raw(replicas)
    await replicas.valkey.kill()

    began = time.monotonic()
    assert [await shared.get("key") for _ in range(1000)] == [None] * 1000
    await shared.put("key", Entry(replicas.clock.now, replicas.clock.now + 60, b"value"))
    await shared.drop("key")
    assert time.monotonic() - began < replicas.patience
    assert shared.failures == 1

    await replicas.valkey.start()
    assert replicas.told == [(False, {"error_class": "ConnectionError", "failures": 1})]
    replicas.stopwatch.move(60.0)
    assert await shared.get("key") is None
    assert replicas.told[1:] == [(True, {})]
    await shared.put("key", Entry(replicas.clock.now, replicas.clock.now + 60, b"value"))
    assert await shared.get("key") is not None


async def test_one_that_hangs_costs_one_wait_now_and_then_and_not_one_a_question(replicas: Replicas) -> None:
    replicas.patience = 2.0
    shared, _ = await raw(replicas)
    replicas.valkey.freeze()
    try:
        began = time.monotonic()
        assert [await shared.get("key") for _ in range(1000)] == [None] * 1000
        first = time.monotonic() - began
        replicas.stopwatch.move(1.0)
        assert [await shared.get("key") for _ in range(1000)] == [None] * 1000
        both = time.monotonic() - began
    finally:
        replicas.valkey.thaw()
    replicas.stopwatch.move(60.0)

    assert 2.0 <= first < 10.0
    assert 4.0 <= both < 20.0
    assert shared.failures == 2
    assert await shared.get("key") is not None


async def test_connections_are_not_mixed_up_by_those_who_give_up(replicas: Replicas) -> None:
    shared = await replicas.shared()
    names = [f"key{number}" for number in range(20)]
    for name in names:
        await shared.put(name, Entry(replicas.clock.now, replicas.clock.now + 60, name.encode()))
    for turn in range(30):
        reading = [asyncio.create_task(shared.get(name)) for name in names]
        for _ in range(turn % 5):
            await asyncio.sleep(0)
        for each in reading[turn % 3 :: 3]:
            each.cancel()
        found = await asyncio.gather(*reading, return_exceptions=True)
        for name, entry in zip(names, found, strict=True):
            assert isinstance(entry, asyncio.CancelledError) or (
                isinstance(entry, Entry) and entry.value == name.encode()
            )
    assert shared.failures == 0


async def test_one_with_a_password_is_opened_with_it(clock: Hands, stopwatch: Hands) -> None:
    async with Valkey(password="hunter2") as valkey:
        replicas = Replicas(valkey, clock, stopwatch)
        async with replicas.stack:
            await raw(replicas)


# Keys


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


# What issuers said


@pytest.fixture(name="idp")
async def _idp() -> AsyncIterator[IntrospectionServer]:
    async with IntrospectionServer() as idp:
        yield idp


async def test_a_token_is_asked_about_once_for_all_replicas(replicas: Replicas, idp: IntrospectionServer) -> None:
    idp.issue("good", sub="alice")
    one, other = await replicas.asking(idp.url), await replicas.asking(idp.url)
    for token in ("good", "bad"):
        first, second = await one.ask("idp", token, 5.0), await other.ask("idp", token, 5.0)
        assert (first.active, dict(first.claims), first.until) == (second.active, dict(second.claims), second.until)

    assert idp.asked == ["good", "bad"]


async def test_a_shared_answer_counts_no_longer_than_it_would_have(
    replicas: Replicas, idp: IntrospectionServer
) -> None:
    idp.issue("good")
    one, other = await replicas.asking(idp.url), await replicas.asking(idp.url)
    await one.ask("idp", "good", 5.0)
    idp.revoke("good")
    replicas.clock.move(29.0)
    assert (await other.ask("idp", "good", 5.0)).active
    replicas.clock.move(1.0)

    assert not (await other.ask("idp", "good", 5.0)).active


async def test_what_was_said_under_other_settings_does_not_count(replicas: Replicas, idp: IntrospectionServer) -> None:
    idp.issue("good")
    await (await replicas.asking(idp.url)).ask("idp", "good", 5.0)
    await (await replicas.asking(idp.url, digest="other")).ask("idp", "good", 5.0)

    assert len(idp.asked) == 2


@pytest.mark.parametrize("outage", ["kill", "freeze"])
async def test_answers_are_got_while_nothing_can_be_shared(
    replicas: Replicas, idp: IntrospectionServer, outage: str
) -> None:
    idp.issue("good")
    replicas.patience = 1.0
    one = await replicas.asking(idp.url)
    await one.ask("idp", "other", 5.0)
    if outage == "kill":
        await replicas.valkey.kill()
    else:
        replicas.valkey.freeze()
    try:
        said = [await one.ask("idp", "good", 5.0) for _ in range(3)]
    finally:
        if outage == "freeze":
            replicas.valkey.thaw()

    assert [each.active for each in said] == [True] * 3
    assert idp.asked == ["other", "good"]


async def test_no_answer_is_made_of_a_yes_that_was_moved_to_another_token(
    replicas: Replicas, idp: IntrospectionServer
) -> None:
    idp.issue("good")
    one, other = await replicas.asking(idp.url), await replicas.asking(idp.url)
    await one.ask("idp", "good", 5.0)
    async with replicas.valkey.client() as client:
        (good,) = await client.keys("*")
        yes = await client.get(good)
        await one.ask("idp", "bad", 5.0)
        for name in await client.keys("*"):
            await client.set(name, yes)

    assert not (await other.ask("idp", "bad", 5.0)).active
    assert PATH in {request.path for request in idp.requests}
