"""A server that ends answers what it has begun, and turns the rest away in a way that may be retried."""

from __future__ import annotations

import asyncio

import grpc

from tools.rpc_world import Answers, call, calling, check_bytes, running
from usherd.rpc.limits import Limits
from usherd.rpc.server import Listen

OK = grpc.StatusCode.OK
MOMENT = Listen().moment


async def test_calls_in_flight_finish_and_later_ones_are_turned_away() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def wait(question: object) -> None:
        begun.set()
        await release.wait()

    async with (
        running(Answers(then=wait), limits=Limits(deadline=30), moment=MOMENT) as server,
        calling(server) as channel,
    ):
        flying = asyncio.create_task(call(channel, "Check", check_bytes()))
        await begun.wait()
        drain = asyncio.create_task(server.drain(10))
        await asyncio.sleep(0.05)
        async with calling(server) as fresh:
            late = [await call(channel, "Check", check_bytes()), await call(fresh, "Check", check_bytes())]
        release.set()
        finished = await flying
        async with asyncio.timeout(20):
            await drain

    assert finished.code is OK
    assert {outcome.code for outcome in late} == {grpc.StatusCode.UNAVAILABLE}


async def test_calls_that_do_not_finish_end_with_the_grace() -> None:
    begun = asyncio.Event()

    async def hang(question: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with (
        running(Answers(then=hang), limits=Limits(deadline=60), moment=MOMENT) as server,
        calling(server) as channel,
    ):
        flying = asyncio.create_task(call(channel, "Check", check_bytes()))
        await begun.wait()
        async with asyncio.timeout(20):
            await server.drain(0.1)
        outcome = await flying

    assert outcome.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


async def test_under_load_a_drain_loses_nothing_that_a_retry_does_not_bring_back() -> None:
    codes: list[tuple[grpc.StatusCode, str]] = []
    heard = {OK: asyncio.Event(), grpc.StatusCode.UNAVAILABLE: asyncio.Event()}

    async def a_little(question: object) -> None:
        await asyncio.sleep(0.005)

    async def ask(channel: grpc.aio.Channel, stop: asyncio.Event) -> None:
        while not stop.is_set():
            outcome = await call(channel, "Authorize", check_bytes(), timeout=60)
            codes.append((outcome.code, outcome.reason))
            if outcome.code in heard:
                heard[outcome.code].set()
            await asyncio.sleep(0)

    stop = asyncio.Event()
    # What a busy machine takes long for is no answer that is lost.
    served = running(Answers(then=a_little), limits=Limits(deadline=60), moment=MOMENT)
    async with served as server, calling(server) as one, calling(server) as two:
        askers = [asyncio.create_task(ask(channel, stop)) for channel in (one, two) for _ in range(20)]
        await asyncio.wait_for(heard[OK].wait(), 20)
        await asyncio.sleep(0.3)
        await server.drain(30)
        await asyncio.wait_for(heard[grpc.StatusCode.UNAVAILABLE].wait(), 20)
        await asyncio.sleep(0.1)
        stop.set()
        await asyncio.gather(*askers)

    seen = {code for code, _ in codes}
    assert seen == {OK, grpc.StatusCode.UNAVAILABLE}
    assert {reason for code, reason in codes if code is not OK} <= {"", "SHUTTING_DOWN"}
