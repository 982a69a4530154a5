"""The cache of both clients against a real server: what it has said is served no longer, however it stops speaking."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest

from clients.faces import Face, Opens, both_clients
from tools.silent_proxy import silent_proxy
from tools.teller import Teller, teller
from usher_client import DecisionCache, Unknown, UsherFault

CACHE = DecisionCache()
SLACK = 0.1
"""Seconds: what was sent before the silence may be heard a little after it began."""
ROOMY = {"deadline": 30.0}


@pytest.fixture(scope="module")
def server() -> Iterator[Teller]:
    with teller() as running:
        yield running


async def post(server: Teller, path: str, **body: Any) -> dict[str, Any]:
    return await asyncio.to_thread(lambda: server.post(path, **body))


async def at_hand(client: Face, asks: list[dict[str, Any]]) -> None:
    """Returns when all of them are answered from memory."""
    async with asyncio.timeout(30):
        while True:
            before = client.cache_statistics()
            for ask in asks:
                assert await client.authorize(**ask, **ROOMY)
            after = client.cache_statistics()
            assert before is not None
            assert after is not None
            if after.hits - before.hits == len(asks):
                return
            await asyncio.sleep(0.02)


@both_clients
async def test_under_random_changes_nothing_is_served_that_is_over(opens: Opens, server: Teller) -> None:
    lab = await post(server, "lab/begin", teams=8)
    chance, windows = random.Random(7), []
    blocked = dict.fromkeys(range(8), False)
    async with opens(server.grpc, cache=CACHE) as client:
        await at_hand(client, lab["asks"])
        for _ in range(40):
            team = chance.randrange(8)
            blocked[team] = not blocked[team]
            begun = time.monotonic()
            flip = asyncio.ensure_future(post(server, "lab/flip", team=team, blocked=blocked[team]))
            last_wrong = begun
            while (await client.authorize(**lab["asks"][team], **ROOMY)).allowed is blocked[team]:
                last_wrong = time.monotonic()
                assert last_wrong - begun < 10
                await asyncio.sleep(0.0005)
            windows.append(last_wrong - begun)
            await flip
            for other, is_blocked in blocked.items():
                assert (await client.authorize(**lab["asks"][other], **ROOMY)).allowed is not is_blocked
        counted = client.cache_statistics()

    assert counted is not None
    assert counted.changed >= 40
    assert counted.hits > 300
    assert counted.streams_lost == 0
    # The way of the change itself is in it. What it is on a quiet machine, bench/client.py says.
    assert statistics.median(windows) < 1.0


@both_clients
async def test_a_revoked_token_is_served_no_more(opens: Opens, server: Teller) -> None:
    lab = await post(server, "lab/begin", teams=4)
    async with opens(server.grpc, cache=CACHE) as client:
        await at_hand(client, lab["asks"])
        await post(server, "lab/revoke", team=2)
        async with asyncio.timeout(5):
            while await client.authorize(**lab["asks"][2], **ROOMY):  # noqa: ASYNC110
                await asyncio.sleep(0.001)

        assert (await client.authorize(**lab["asks"][2], **ROOMY)).reason == "TOKEN_REVOKED"
        assert [bool(await client.authorize(**ask, **ROOMY)) for ask in lab["asks"]] == [True, True, False, True]
        assert client.cache_statistics().ended >= 1  # type: ignore[union-attr]


async def _last_hit(client: Face, ask: dict[str, Any], seconds: float) -> float:
    """When it was answered from memory the last time, of so many seconds in which it is asked for."""
    last, end = time.monotonic(), time.monotonic() + seconds
    while time.monotonic() < end:
        before = client.cache_statistics()
        assert before is not None
        with contextlib.suppress(UsherFault):
            await client.authorize(**ask, deadline=0.05)
        after = client.cache_statistics()
        assert after is not None
        if after.hits > before.hits:
            last = time.monotonic()
        await asyncio.sleep(0.001)
    return last


@both_clients
async def test_when_the_server_is_stopped_nothing_is_served_after_its_silence(opens: Opens) -> None:
    with teller() as server:
        lab = await post(server, "lab/begin", teams=2, silence=0.9)
        silence = lab["max_silence"]
        assert 0 < silence <= 1.5
        async with opens(server.grpc, cache=CACHE) as client:
            await at_hand(client, lab["asks"])
            watch = client.watch(**lab["asks"][1], **ROOMY)
            assert await watch.first()
            stopped = time.monotonic()
            os.kill(server.pid, signal.SIGSTOP)
            try:
                cut = asyncio.ensure_future(watch.not_allowed())
                last = await _last_hit(client, lab["asks"][0], silence + 1)
                async with asyncio.timeout(5):
                    assert isinstance(await cut, Unknown)
            finally:
                os.kill(server.pid, signal.SIGCONT)

            assert last - stopped <= silence + SLACK
            assert last > stopped
            assert client.cache_statistics().silences >= 1  # type: ignore[union-attr]
            await at_hand(client, lab["asks"])


@both_clients
async def test_when_packets_are_lost_nothing_is_served_after_the_silence_nor_what_comes_late(opens: Opens) -> None:
    with teller() as server:
        lab = await post(server, "lab/begin", teams=2, silence=0.9)
        silence = lab["max_silence"]
        async with silent_proxy(server.grpc) as proxy, opens(proxy.target, cache=CACHE) as client:
            await at_hand(client, lab["asks"])
            since = time.monotonic()
            proxy.fall_silent()
            await post(server, "lab/flip", team=0, blocked=True)
            last = await _last_hit(client, lab["asks"][0], silence + 1)
            assert since < last <= since + silence + SLACK
            proxy.speak()

            assert not await client.authorize(**lab["asks"][0], **ROOMY)
            assert await client.authorize(**lab["asks"][1], **ROOMY)
            assert client.cache_statistics().silences >= 1  # type: ignore[union-attr]


@both_clients
async def test_a_server_that_starts_anew_is_used_again(opens: Opens, server: Teller) -> None:
    lab = await post(server, "lab/begin", teams=2)
    async with silent_proxy(server.grpc) as proxy, opens(proxy.target, cache=CACHE) as client:
        await at_hand(client, lab["asks"])
        await proxy.close()
        async with asyncio.timeout(10):
            while client.cache_statistics().streams_lost == 0:  # type: ignore[union-attr]  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await at_hand(client, lab["asks"])
