"""Many streams beside each other: those are cut that must be, and no others; all of them when usherd falls silent."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from clients.web.apps import CHUNK, Seen, starlette
from clients.web.serving import calling, served
from tools.teller import Teller, teller
from usher_client import AsyncClient, DecisionCache
from usher_client.asgi import UsherMiddleware

TEAMS = 6
STREAMS = 4
"""Of each team."""
SILENCE = 2.0
"""Long enough for a busy machine not to be silent itself before usherd is."""
WITHIN = 1.0


@asynccontextmanager
async def gateway(server: Teller) -> AsyncIterator[tuple[str, Seen]]:
    seen = Seen()
    app = UsherMiddleware(starlette(seen), lambda: AsyncClient(server.grpc, cache=DecisionCache()), deadline=30.0)
    async with served(app) as address:
        yield address, seen


async def streamed(address: str, ask: dict[str, Any], begun: asyncio.Event) -> tuple[str, float]:
    """The code that a stream ends with, and when."""
    got = b""
    body = {"model": ask["model"], "stream": True}
    async with (
        calling(address, ask["token"]) as client,
        client.stream("POST", ask["route"], json=body) as answer,
    ):
        async for chunk in answer.aiter_raw():
            got += chunk
            if got.count(CHUNK) > 2:
                begun.set()
    return str(json.loads(got.rpartition(b"data: ")[2])["error"]["code"]), time.monotonic()


@asynccontextmanager
async def streaming(address: str, asks: list[dict[str, Any]]) -> AsyncIterator[list[asyncio.Task[tuple[str, float]]]]:
    """One stream for each of them, all of which have begun; what is left of them ends with the context."""
    begun = [asyncio.Event() for _ in asks]
    running = [asyncio.create_task(streamed(address, *each)) for each in zip(asks, begun, strict=True)]
    try:
        async with asyncio.timeout(60):
            for task, event in zip(running, begun, strict=True):
                waiting = asyncio.ensure_future(event.wait())
                await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                assert not task.done(), task
        yield running
    finally:
        # The gateway waits for its streams when it is ended, and those that should have been cut have no end.
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def test_those_are_cut_that_are_blocked_or_revoked_and_no_others() -> None:
    with teller() as server:
        asks = server.post("lab/begin", teams=TEAMS)["asks"]
        teams = list(range(TEAMS))
        random.Random(7).shuffle(teams)
        async with gateway(server) as (address, seen), streaming(address, asks * STREAMS) as running:
            for number, team in enumerate(teams):
                revoked = number % 2 == 1
                change = ("revoke", {"team": team}) if revoked else ("flip", {"team": team, "blocked": True})
                await asyncio.to_thread(server.post, f"lab/{change[0]}", **change[1])
                changed = time.monotonic()
                cut = [running[stream] for stream in range(team, TEAMS * STREAMS, TEAMS)]
                async with asyncio.timeout(20):
                    ends = [await each for each in cut]
                others = [each for each in running if each not in cut and not each.done()]

                assert {code for code, _ in ends} == {"token_revoked" if revoked else "team_blocked"}
                assert max(when for _, when in ends) - changed < WITHIN
                assert len(others) == (TEAMS - number - 1) * STREAMS

    await seen.all_closed(TEAMS * STREAMS)


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
async def test_every_stream_is_cut_when_usherd_says_nothing_for_too_long(how: signal.Signals) -> None:
    with teller("--checkpoint-every", "0.2") as server:
        asks = server.post("lab/begin", teams=2, silence=SILENCE)["asks"]
        async with gateway(server) as (address, _), streaming(address, asks) as running:
            os.kill(server.pid, how)
            gone = time.monotonic()
            try:
                async with asyncio.timeout(20):
                    ends = [await each for each in running]
                async with calling(address, asks[0]["token"]) as client:
                    nothing_new = await client.post(asks[0]["route"], json={"model": asks[0]["model"]}, timeout=40)
            finally:
                if how is signal.SIGSTOP:
                    os.kill(server.pid, signal.SIGCONT)

    assert {code for code, _ in ends} == {"authorization_unavailable"}
    assert max(when for _, when in ends) - gone < SILENCE + WITHIN
    assert nothing_new.status_code == 503
