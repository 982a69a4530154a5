"""The cache of providers' documents loses things, but never keeps one too long or makes one up."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiocache import SimpleMemoryCache

from stores.support import Hands
from usherd.stores.documents import Document
from usherd.stores.memory_cache import MemoryCache
from usherd.stores.provider_cache import DocumentCache

URL = "https://idp.example/keys"
DOCUMENT = Document(body=b"{}", etag='"1"')


def small(
    clock: Hands, backend: SimpleMemoryCache, *, max_entries: int = 100, max_bytes: int = 1 << 20
) -> DocumentCache:
    """A cache with bounds of its own."""
    return DocumentCache(
        clock, memory=MemoryCache(clock, max_entries=max_entries, max_bytes=max_bytes, backend=backend)
    )


async def test_what_was_put_is_there(cache: DocumentCache) -> None:
    await cache.put(URL, DOCUMENT, 60)

    assert await cache.get(URL) == DOCUMENT
    assert await cache.get(URL + "/") is None


async def test_its_time_is_checked_when_it_is_read(cache: DocumentCache, clock: Hands) -> None:
    await cache.put(URL, DOCUMENT, 60)
    clock.move(59.999)
    within = await cache.get(URL)
    clock.move(0.001)
    after = await cache.get(URL)

    assert within == DOCUMENT
    assert after is None


@pytest.mark.parametrize("ttl", [0, 0.0, -1, float("nan")])
async def test_no_time_to_live_is_not_for_ever(ttl: float, clock: Hands) -> None:
    backend = SimpleMemoryCache()
    cache = small(clock, backend)
    await cache.put(URL, DOCUMENT, 60)
    await cache.put(URL, DOCUMENT, ttl)

    assert await cache.get(URL) is None
    assert backend._cache == {}


async def test_a_short_time_to_live_is_not_rounded_to_for_ever(clock: Hands) -> None:
    backend = SimpleMemoryCache()
    cache = small(clock, backend)
    await cache.put(URL, DOCUMENT, 0.01)
    await asyncio.sleep(0.05)

    assert backend._cache == {}


async def test_what_was_dropped_is_gone(cache: DocumentCache) -> None:
    await cache.put(URL, DOCUMENT, 60)
    await cache.drop(URL)

    assert await cache.get(URL) is None


async def test_it_is_bounded_in_number(clock: Hands) -> None:
    backend = SimpleMemoryCache()
    cache = small(clock, backend, max_entries=10)
    for number in range(1000):
        await cache.put(f"{URL}/{number}", DOCUMENT, 60)

    assert len(backend._cache) == 10
    assert await cache.get(f"{URL}/999") == DOCUMENT
    assert await cache.get(f"{URL}/989") is None


async def test_what_was_put_longest_ago_makes_room(clock: Hands) -> None:
    cache = small(clock, SimpleMemoryCache(), max_entries=2)
    for path in ("/old", "/new", "/old", "/newest"):
        await cache.put(URL + path, DOCUMENT, 60)

    assert await cache.get(URL + "/old") == DOCUMENT
    assert await cache.get(URL + "/new") is None


async def test_it_is_bounded_in_bytes(clock: Hands) -> None:
    backend = SimpleMemoryCache()
    cache = small(clock, backend, max_bytes=1000)
    for number in range(100):
        await cache.put(f"{URL}/{number}", Document(body=b"x" * 300), 60)
    await cache.put(f"{URL}/99", Document(body=b"x" * 1001), 60)

    assert sum(len(value) for _, _, value in backend._cache.values()) == 2 * 302
    assert await cache.get(f"{URL}/99") is None


class BrokenBackend(SimpleMemoryCache):  # type: ignore[misc]
    """A backend that is out of reach."""

    async def _get(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("canary")

    _set = _delete = _get


class StuckBackend(SimpleMemoryCache):  # type: ignore[misc]
    """A backend that does not answer."""

    async def _get(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.Event().wait()

    _set = _delete = _get


@pytest.mark.parametrize("backend", [BrokenBackend(), StuckBackend()])
async def test_a_backend_that_fails_makes_misses(backend: SimpleMemoryCache, clock: Hands) -> None:
    memory = MemoryCache(clock, max_entries=1, max_bytes=1000, backend=backend, patience=0.01)
    cache = DocumentCache(clock, memory=memory)
    await cache.put(URL, DOCUMENT, 60)
    found = await cache.get(URL)
    await cache.drop(URL)

    assert found is None
    assert memory.failures == 3


@pytest.mark.parametrize(
    "value",
    [
        "text",
        b"bytes",
        7,
        (),
        (1.0, b"\0\0x"),
        ("0", 9e9, b"\0\0x"),
        (0.0, "9e9", b"\0\0x"),
        (0.0, 9e9, "\0\0x"),
        (0.0, 9e9, b""),
        (0.0, 9e9, b"\0\5etag"),
        (0.0, 9e9, b"\0\1\xff{}"),
    ],
)
async def test_a_value_of_another_form_is_a_miss(value: object, clock: Hands) -> None:
    backend = SimpleMemoryCache()
    cache = small(clock, backend)
    await cache.put(URL, DOCUMENT, 60)
    for cache_key in backend._cache:
        backend._cache[cache_key] = value

    assert await cache.get(URL) is None


async def test_neither_urls_nor_values_reach_the_logs(cache: DocumentCache, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await cache.put(URL + "?canary", Document(body=b"canary"), 60)
    await cache.get(URL + "?canary")

    assert caplog.text == ""


async def test_switched_off_by_the_environment_it_holds_nothing(
    cache: DocumentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOCACHE_DISABLE", "1")
    await cache.put(URL, DOCUMENT, 60)

    assert await cache.get(URL) is None


@pytest.mark.parametrize("steps", range(6))
async def test_a_cancellation_is_never_lost(steps: int, cache: DocumentCache) -> None:
    await cache.put(URL, DOCUMENT, 60)
    reading = asyncio.create_task(cache.get(URL))
    for _ in range(steps):
        await asyncio.sleep(0)
    came_in_time = reading.cancel()
    (outcome,) = await asyncio.gather(reading, return_exceptions=True)

    assert isinstance(outcome, asyncio.CancelledError) is came_in_time


async def test_it_counts_what_it_had_and_what_it_had_not(cache: DocumentCache, clock: Hands) -> None:
    await cache.get(URL)
    await cache.put(URL, DOCUMENT, 60)
    await cache.get(URL)
    await cache.get(URL)
    clock.move(60)
    await cache.get(URL)

    assert (cache.hits, cache.misses) == (2, 2)
