"""Closing a client ends what is under way on it with `Closed`, by which a gateway tells its own end from a fault."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from clients import said
from clients.asking import ROUTE, TOKEN
from clients.faces import Opens, both_clients
from clients.scripted import Script, allow, event, serving
from clients.speaking import speaking
from usher_client import AsyncClient, Client, Closed, DecisionCache, Question

ALLOWED = event(allow())
CALLS: dict[str, tuple[Any, ...]] = {
    "authorize": (TOKEN, ROUTE),
    "batch_check": ([Question(token=TOKEN, route=ROUTE)],),
    "list_models": (TOKEN, ROUTE),
}


@pytest.mark.parametrize("method", CALLS)
async def test_a_client_that_is_closed_under_a_call_ends_it_as_closed(method: str) -> None:
    script = Script((ALLOWED,), hang=True)
    async with serving(script) as target:
        client = AsyncClient(target)

        async def call() -> Any:
            called = getattr(client, method)(*CALLS[method], deadline=30)
            return [each async for each in called] if method == "list_models" else await called

        task = asyncio.create_task(call())
        await script.asked.wait()
        await client.close()

        with pytest.raises(Closed):
            await task


@pytest.mark.parametrize("method", CALLS)
async def test_a_client_of_threads_that_is_closed_under_a_call_ends_it_as_closed(method: str) -> None:
    script = Script((ALLOWED,), hang=True)
    async with serving(script) as target:
        client = Client(target)

        def call() -> Any:
            called = getattr(client, method)(*CALLS[method], deadline=30)
            return list(called) if method == "list_models" else called

        task = asyncio.create_task(asyncio.to_thread(call))
        await script.asked.wait()
        await asyncio.to_thread(client.close)

        with pytest.raises(Closed):
            await task


@both_clients
async def test_a_client_that_is_closed_under_a_question_of_its_cache_ends_it_as_closed(opens: Opens) -> None:
    script = Script((ALLOWED,), hang=True)
    async with serving(script) as target, opens(target, cache=DecisionCache()) as client:
        task = asyncio.create_task(client.authorize(TOKEN, ROUTE, deadline=30))
        await script.asked.wait()
        await client.close()

        with pytest.raises(Closed):
            await task


async def test_a_watch_that_is_left_in_the_middle_says_nothing_when_its_client_is_closed() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with speaking() as world:
        client = AsyncClient(world.target)
        watch = client.watch(TOKEN, ROUTE, deadline=30)
        first = asyncio.ensure_future(watch.first())
        (await world.watch()).say(said.watched(said.terms(15.0), decision=said.may("A")))
        assert await first
        reading = asyncio.ensure_future(anext(watch))
        await asyncio.wait((reading,), timeout=0.1)
        reading.cancel()
        await asyncio.wait((reading,))
        await client.close()
        del watch, reading, first
        gc.collect()
        await asyncio.sleep(0.1)
        gc.collect()

    assert complaints == []


async def test_a_closed_client_is_a_fault() -> None:
    async with AsyncClient("localhost:1") as client:
        pass
    with Client("localhost:1") as threaded:
        pass

    with pytest.raises(Closed):
        await client.authorize(TOKEN, ROUTE)
    with pytest.raises(Closed):
        threaded.authorize(TOKEN, ROUTE)
