"""Replicas share what comes from identity providers through a real Valkey, which may do to it whatever it likes."""

from __future__ import annotations

import asyncio
import struct
import time
from dataclasses import replace

import pytest

from stores.replicas import DOCUMENT, SECRET, URL, Replicas
from stores.support import Hands
from tools.valkey import Valkey
from usherd.authenticate.sealed import OVERHEAD, Seal
from usherd.stores.documents import Document
from usherd.stores.memory_cache import Entry
from usherd.stores.shared_cache import SharedCache


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
