"""Measures the Python client: what a known question costs, and for how long an answer is served that is over."""

from __future__ import annotations

import asyncio
import random
import statistics
import threading
import time
from typing import Any

from bench.report import Figure
from tools.teller import Teller, teller
from usher_client import AsyncClient, Client, DecisionCache

TEAMS = 32
ASKED = 2_000
"""Questions whose time is taken one by one in a round."""
FLIPS = 200
"""Changes in a round."""
MOST = 10.0
"""Microseconds that an answer from memory may take."""
WINDOW = 50.0
"""Milliseconds from a change to the last answer before it, for 99 of 100."""


def measure(rounds: int) -> list[Figure]:
    """All of it, against the story server in a process of its own."""
    with teller() as server:
        asks = server.post("lab/begin", teams=TEAMS)["asks"]
        waits = asyncio.run(_waiting(server, asks, rounds))
        threads = _threads(server, asks, rounds)
        windows = asyncio.run(_windows(server, asks, rounds))
    return [
        *_figures("asyncio", waits),
        *_figures("threads", threads),
        Figure("a change: the last answer before it, median", "ms", tuple(statistics.median(each) for each in windows)),
        Figure("a change: the last answer before it, p99", "ms", tuple(_p99(each) for each in windows), WINDOW),
        Figure("a change: the last answer before it, longest", "ms", tuple(max(each) for each in windows)),
    ]


def _figures(name: str, rounds: list[list[float]]) -> list[Figure]:
    return [
        Figure(f"{name}: answer from memory, p50", "us", tuple(statistics.median(each) for each in rounds), MOST),
        Figure(f"{name}: answer from memory, p99", "us", tuple(_p99(each) for each in rounds)),
    ]


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


async def _waiting(server: Teller, asks: list[dict[str, Any]], rounds: int) -> list[list[float]]:
    async with AsyncClient(server.grpc, cache=DecisionCache()) as client:
        await _at_hand(client, asks)
        found = []
        for _ in range(rounds):
            took = []
            for number in range(ASKED):
                ask = asks[number % TEAMS]
                begun = time.perf_counter()
                decision = await client.authorize(**ask)
                took.append((time.perf_counter() - begun) * 1e6)
                assert decision
                if number % 100 == 0:
                    await asyncio.sleep(0)
            found.append(took)
        _only_hits(client, ASKED * rounds)
        return found


def _threads(server: Teller, asks: list[dict[str, Any]], rounds: int) -> list[list[float]]:
    with Client(server.grpc, cache=DecisionCache()) as client:
        while (statistics := client.cache_statistics()) is None or statistics.entries < TEAMS:
            for ask in asks:
                assert client.authorize(**ask, deadline=30.0)
            time.sleep(0.05)
        found = []
        for _ in range(rounds):
            took = []
            for number in range(ASKED):
                ask = asks[number % TEAMS]
                begun = time.perf_counter()
                decision = client.authorize(**ask)
                took.append((time.perf_counter() - begun) * 1e6)
                assert decision
            found.append(took)
        _only_hits(client, ASKED * rounds)
        return found


async def _at_hand(client: AsyncClient, asks: list[dict[str, Any]]) -> None:
    while (statistics := client.cache_statistics()) is None or statistics.entries < TEAMS:
        for ask in asks:
            assert await client.authorize(**ask, deadline=30.0)
        await asyncio.sleep(0.05)


def _only_hits(client: AsyncClient | Client, most: int) -> None:
    statistics = client.cache_statistics()
    # What was measured must be what it is called.
    assert statistics is not None
    assert statistics.hits >= most


async def _windows(server: Teller, asks: list[dict[str, Any]], rounds: int) -> list[list[float]]:
    """Milliseconds from the request for a change to the last answer that was as before it, of each change."""
    chance = random.Random(11)
    blocked = [False] * TEAMS
    async with AsyncClient(server.grpc, cache=DecisionCache()) as client:
        await _at_hand(client, asks)
        found = []
        for _ in range(rounds):
            windows = []
            for _ in range(FLIPS):
                await asyncio.sleep(chance.random() * 0.01)
                team = chance.randrange(TEAMS)
                blocked[team] = not blocked[team]
                begun = last = time.perf_counter()
                flip = threading.Thread(target=server.post, args=("lab/flip",), kwargs=_change(team, blocked[team]))
                flip.start()
                while (await client.authorize(**asks[team])).allowed is blocked[team]:
                    last = time.perf_counter()
                    await asyncio.sleep(0.0002)
                windows.append((last - begun) * 1e3)
                await asyncio.to_thread(flip.join)
            found.append(windows)
        for team, ask in enumerate(asks):
            assert (await client.authorize(**ask)).allowed is not blocked[team]
        return found


def _change(team: int, blocked: bool) -> dict[str, Any]:
    return {"team": team, "blocked": blocked}
