"""Watching with both clients over real sockets, against a server that says what a test wants."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest

from clients import said
from clients.asking import ROUTE, TOKEN
from clients.faces import Face, Opens, both_clients
from clients.said import may, may_not, watched
from clients.scripted import allow
from clients.speaking import Call, Speaking, speaking
from tools.waiting import until
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import event_pb2
from usher_client import (
    AsyncClient,
    CallerUnknown,
    Changed,
    Client,
    Closed,
    Decided,
    Ended,
    Expiring,
    NoLongerAllowed,
    OutOfTime,
    Unavailable,
    Unknown,
    UsherFault,
    clocks,
)

LIVING = said.terms(15.0)
ROOMY = 30.0
BLOCKED = watched(changed=event_pb2.Changed(decision=may_not("B"), cause=event_pb2.CAUSE_DIRECTORY))
LIFTED = watched(changed=event_pb2.Changed(decision=may("C"), cause=event_pb2.CAUSE_DIRECTORY))
ENDED = watched(ended=event_pb2.Ended(decision=may_not("E"), cause=event_pb2.CAUSE_TOKEN_REVOKED))


@both_clients
async def test_what_becomes_of_a_question_is_told(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        watch = client.watch(TOKEN, ROUTE, "gpt-4o", method="POST", deadline=ROOMY, request_id="r1")
        first = asyncio.ensure_future(watch.first())
        call = await world.watch()
        asked = await call.hear()
        call.say(watched(LIVING, decision=may("A")), BLOCKED, LIFTED)
        expiring = event_pb2.Expiring(ends_at=said.stamp(said.FAR), cause=event_pb2.CAUSE_TOKEN_EXPIRED)
        call.say(watched(expiring=expiring), ENDED)
        call.end()
        assert (await first).decision_id == "A"
        assert watch.allowed
        events = []
        while (event := await watch.next()) is not None:
            events.append(event)

        assert [type(each) for each in events] == [Changed, Changed, Expiring, Ended]
        assert [each.allowed for each in events] == [False, True, True, False]
        assert not watch.allowed
        assert await watch.next() is None
        assert asked.mode == api.MODE_WATCH
        assert (asked.question.token, asked.question.model, asked.question.method) == (TOKEN, "gpt-4o", "POST")
        assert asked.options.request_id == "r1"


@both_clients
async def test_the_first_event_after_which_it_is_not_allowed(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        watch = client.watch(TOKEN, ROUTE, deadline=ROOMY)
        cut = asyncio.ensure_future(watch.not_allowed())
        call = await world.watch()
        call.say(watched(LIVING, decision=may("A")), LIFTED)
        await asyncio.sleep(0.1)
        assert not cut.done()
        call.say(BLOCKED)

        event = await cut

        assert isinstance(event, Changed)
        assert event.decision.decision_id == "B"
        assert await watch.not_allowed() is event
        await watch.close()
        async with asyncio.timeout(10):
            await call.over.wait()


@both_clients
async def test_a_fault_in_place_of_the_first_decision_is_raised_once(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        watch = client.watch(TOKEN, ROUTE, deadline=ROOMY)
        first = asyncio.ensure_future(watch.first())
        for _ in range(3):  # gRPC asks again
            (await world.watch()).end(grpc.StatusCode.UNAVAILABLE)

        with pytest.raises(Unavailable):
            await first
        assert await watch.next() is None
        with pytest.raises(Closed):
            await watch.not_allowed()


@both_clients
async def test_a_server_that_says_nothing_is_out_of_time(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        watch = client.watch(TOKEN, ROUTE, deadline=0.3)
        begun = time.monotonic()
        with pytest.raises(OutOfTime):
            await watch.next()
        assert 0.25 <= time.monotonic() - begun < 5
        call = await world.watch()
        async with asyncio.timeout(10):
            await call.over.wait()


@both_clients
@pytest.mark.parametrize("end", [grpc.StatusCode.OK, grpc.StatusCode.INTERNAL, None], ids=["ok", "error", "resync"])
async def test_a_lost_stream_is_asked_again(opens: Opens, end: grpc.StatusCode | None) -> None:
    async with speaking() as world, opens(world.target) as client:
        watch, call = await allowed(world, client, LIVING)
        following = asyncio.ensure_future(watch.next())
        if end is None:
            call.say(watched(resync=event_pb2.Resync(cause=event_pb2.CAUSE_SERVER)))
        else:
            call.end(end)
        again = await world.watch()
        assert (await again.hear()).question.token == TOKEN
        again.say(watched(LIVING, decision=may("A2")), BLOCKED)

        event = await following

        assert isinstance(event, Changed)
        assert event.decision.decision_id == "B"
        await watch.close()


async def allowed(world: Speaking, client: Face, terms: api.StreamTerms) -> tuple[Any, Call]:
    """A watch that was told its first decision, and the call that it is told on."""
    watch = client.watch(TOKEN, ROUTE, deadline=ROOMY)
    first = asyncio.ensure_future(watch.first())
    call = await world.watch()
    call.say(watched(terms, decision=may("A")))
    await first
    return watch, call


@both_clients
async def test_silence_becomes_unknown_in_time(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        watch, call = await allowed(world, client, said.terms(0.4))
        begun = time.monotonic()
        event = await watch.not_allowed()

        assert isinstance(event, Unknown)
        assert isinstance(event.fault, UsherFault)
        assert 0.3 <= time.monotonic() - begun < 5
        assert await watch.next() is None
        async with asyncio.timeout(10):
            await call.over.wait()


@both_clients
@pytest.mark.parametrize("slept", [61.0, 58.0], ids=["longer", "nearly"])
async def test_a_watch_is_unknown_soon_after_the_machine_slept_though_nothing_is_said(
    opens: Opens, slept: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with speaking() as world, opens(world.target) as client:
        watch, _ = await allowed(world, client, said.terms(60.0))
        awake, looks, ahead = clocks.now, [0], [0.0]

        def now() -> float:
            looks[0] += 1
            return awake() + ahead[0]

        monkeypatch.setattr(clocks, "now", now)
        over = asyncio.ensure_future(watch.not_allowed())
        # Then it waits by a timer, which stands still while the machine sleeps.
        await asyncio.to_thread(until, lambda: looks[0] >= 2)
        ahead[0] = slept

        async with asyncio.timeout(ROOMY / 2):
            assert isinstance(await over, Unknown)


@both_clients
async def test_a_watch_can_be_closed_while_it_is_read(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        watch, call = await allowed(world, client, LIVING)
        following = asyncio.ensure_future(watch.next())
        await asyncio.sleep(0.1)
        await watch.close()

        async with asyncio.timeout(10):
            assert await following is None
            await call.over.wait()
        assert not watch.allowed


@pytest.mark.parametrize("read_first", [True, False])
@both_clients
async def test_a_watch_of_a_client_that_is_closed_ends_at_once(opens: Opens, read_first: bool) -> None:
    async with speaking() as world:
        async with opens(world.target) as client:
            watch = client.watch(TOKEN, ROUTE, deadline=ROOMY)
            if read_first:
                first = asyncio.ensure_future(watch.first())
                (await world.watch()).say(watched(LIVING, decision=may("A")))
                await first
        async with asyncio.timeout(5):
            if read_first:
                assert isinstance(await watch.next(), Unknown)
                assert await watch.next() is None
            else:
                with pytest.raises(Closed):
                    await watch.first()


@both_clients
async def test_a_server_of_old_is_asked_again(opens: Opens) -> None:
    once = said.terms(mode=api.MODE_ONCE)
    async with speaking() as world, opens(world.target) as client:
        watch = client.watch(TOKEN, ROUTE, deadline=ROOMY)
        first = asyncio.ensure_future(watch.first())
        call = await world.watch()
        call.say(watched(once, decision=allow(valid_until=said.stamp(time.time() + 3))))
        call.end()
        assert (await first).allowed
        following = asyncio.ensure_future(watch.next())
        again = await world.watch()
        again.say(watched(once, decision=may_not("B")))
        again.end()

        event = await following
        assert isinstance(event, Changed)
        assert (event.decision.decision_id, event.cause) == ("B", "")
        await watch.close()


@both_clients
async def test_a_credential_that_cannot_be_had_is_raised_at_first_and_unknown_later(opens: Opens) -> None:
    good = True

    def bearer() -> str:
        if good:
            return "credential"
        raise LookupError("canary")

    async with speaking() as world, opens(world.target, bearer=bearer) as client:
        watch, call = await allowed(world, client, said.terms(0.5))
        good = False
        call.end()
        event = await watch.next()
        assert isinstance(event, Unknown)
        assert isinstance(event.fault, CallerUnknown)
        with pytest.raises(LookupError):
            await client.watch(TOKEN, ROUTE).next()


async def _begun(world: Any, decision: Any) -> Call:
    call: Call = await world.watch()
    call.say(watched(LIVING, decision=decision))
    return call


async def test_a_guarded_stream_is_cut_even_while_it_waits_for_the_next_item() -> None:
    closed = False

    async def items() -> AsyncIterator[int]:
        nonlocal closed
        try:
            for number in range(3):
                yield number
            await asyncio.sleep(3600)
        finally:
            closed = True

    async with speaking() as world, AsyncClient(world.target) as client:
        came = []
        opening = asyncio.ensure_future(_begun(world, may("A")))
        async with client.watch(TOKEN, ROUTE, deadline=ROOMY) as watch:

            async def work() -> None:
                async for item in watch.guard(items()):
                    came.append(item)
                    if item == 2:
                        (await opening).say(BLOCKED)

            with pytest.raises(NoLongerAllowed) as cut:
                await work()

        assert came == [0, 1, 2]
        assert closed
        assert isinstance(cut.value.event, Changed)
        assert cut.value.decision is not None
        assert cut.value.decision.decision_id == "B"


async def test_a_guarded_stream_that_ends_first_is_whole() -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(100):
            yield number

    async with speaking() as world, AsyncClient(world.target) as client:
        opening = asyncio.ensure_future(_begun(world, may("A")))
        async with client.watch(TOKEN, ROUTE, deadline=ROOMY) as watch:
            assert [item async for item in watch.guard(items())] == list(range(100))
        call = await opening
        async with asyncio.timeout(10):
            await call.over.wait()


async def test_nothing_of_a_guarded_stream_passes_before_it_is_allowed() -> None:
    begun = False

    async def items() -> AsyncIterator[int]:
        nonlocal begun
        begun = True
        yield 1

    async with speaking() as world, AsyncClient(world.target) as client:
        opening = asyncio.ensure_future(_begun(world, may_not("D")))
        with pytest.raises(NoLongerAllowed) as cut:
            [item async for item in client.watch(TOKEN, ROUTE, deadline=ROOMY).guard(items())]
        await opening
        assert isinstance(cut.value.event, Decided)
        with pytest.raises(OutOfTime):
            [item async for item in client.watch(TOKEN, ROUTE, deadline=0.2).guard(items())]
        assert not begun


async def test_a_fault_of_the_guarded_stream_itself_comes_through() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        raise LookupError

    async with speaking() as world, AsyncClient(world.target) as client:
        opening = asyncio.ensure_future(_begun(world, may("A")))
        with pytest.raises(LookupError):
            [item async for item in client.watch(TOKEN, ROUTE, deadline=ROOMY).guard(items())]
        await opening


class _Response:
    """Items of another server, whose wait for the next one ends when it is closed."""

    def __init__(self) -> None:
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[int]:
        yield from range(3)
        if self._closed.wait(30):
            raise ConnectionError
        yield 99

    def close(self) -> None:
        self._closed.set()


async def test_a_guarded_stream_of_threads_is_cut_even_while_it_waits_for_the_next_item() -> None:
    async with speaking() as world:
        came: list[int] = []
        waiting = threading.Event()

        def work() -> NoLongerAllowed:
            response = _Response()
            with Client(world.target) as client, client.watch(TOKEN, ROUTE, deadline=ROOMY) as watch:
                try:
                    for item in watch.guard(response, response.close):
                        came.append(item)
                        if item == 2:
                            waiting.set()
                except NoLongerAllowed as cut:
                    return cut
            raise AssertionError

        working = asyncio.ensure_future(asyncio.to_thread(work))
        call = await _begun(world, may("A"))
        await asyncio.to_thread(waiting.wait, 10)
        call.say(BLOCKED)
        async with asyncio.timeout(10):
            cut = await working

        assert came == [0, 1, 2]
        assert isinstance(cut.event, Changed)


async def test_a_guarded_stream_of_threads_that_ends_first_is_whole_and_is_not_cut() -> None:
    cuts: list[int] = []
    async with speaking() as world:

        def work() -> list[int]:
            with Client(world.target) as client, client.watch(TOKEN, ROUTE, deadline=ROOMY) as watch:
                return list(watch.guard(range(100), lambda: cuts.append(1)))

        working = asyncio.ensure_future(asyncio.to_thread(work))
        call = await _begun(world, may("A"))
        async with asyncio.timeout(10):
            assert await working == list(range(100))
            await call.over.wait()
        assert cuts == []


async def test_a_guarded_stream_of_threads_is_cut_when_its_watch_is_closed() -> None:
    async with speaking() as world:
        waiting = threading.Event()
        watches: list[Any] = []

        def work() -> None:
            response = _Response()
            with Client(world.target) as client, client.watch(TOKEN, ROUTE, deadline=ROOMY) as watch:
                watches.append(watch)
                for item in watch.guard(response, response.close):
                    if item == 2:
                        waiting.set()

        working = asyncio.ensure_future(asyncio.to_thread(work))
        await _begun(world, may("A"))
        await asyncio.to_thread(waiting.wait, 10)
        watches[0].close()
        async with asyncio.timeout(10):
            with pytest.raises(Closed):
                await working
