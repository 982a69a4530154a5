"""A gateway with more under way than a connection takes: it is answered, and all that it watches is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from clients.faces import Opens, both_clients
from clients.said import may, terms, watched
from clients.speaking import speaking
from tools.teller import Teller, teller
from tools.waiting import until
from usher_client import Closed, OutOfTime, Unknown, UsherFault
from usher_client.turns import Turns
from usher_client.watch_channels import WATCHES, Place, WatchChannels

MORE = 150
"""More than the server takes on one connection (100)."""
ROOMY = 30.0


@pytest.fixture(name="server", scope="module")
def _server() -> Any:
    with teller() as running:
        yield running


async def comes(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, holds)


@both_clients
async def test_a_question_does_not_wait_behind_those_that_are_watched(opens: Opens, server: Teller) -> None:
    ask = (await asyncio.to_thread(lambda: server.post("lab/begin", teams=1)))["asks"][0]
    async with opens(server.grpc) as client:
        watches = [client.watch(**ask, deadline=ROOMY) for _ in range(MORE)]
        for watch in watches:
            assert await watch.first()
        answer = await client.authorize(**ask, deadline=ROOMY)
        places = client.watches()
        for watch in watches:
            await watch.close()
        await comes(lambda: client.watches() == (0,))

    assert answer.allowed
    assert places == (WATCHES, WATCHES, MORE - 2 * WATCHES)


@both_clients
async def test_those_on_every_connection_are_told(opens: Opens, server: Teller) -> None:
    ask = (await asyncio.to_thread(lambda: server.post("lab/begin", teams=1)))["asks"][0]
    async with opens(server.grpc) as client:
        watches = [client.watch(**ask, deadline=ROOMY) for _ in range(WATCHES + 1)]
        for watch in watches:
            assert await watch.first()
        await asyncio.to_thread(lambda: server.post("lab/flip", team=0, blocked=True))
        async with asyncio.timeout(20):
            events = [await watch.not_allowed() for watch in (watches[0], watches[-1])]
        for watch in watches:
            await watch.close()

    assert [type(each).__name__ for each in events] == ["Changed", "Changed"]


@both_clients
async def test_however_a_call_ends_its_place_is_given_back(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        ended, lost, left = (client.watch("t", "/v1/chat/completions", deadline=ROOMY) for _ in range(3))
        for watch in (ended, lost, left):
            first = asyncio.ensure_future(watch.first())
            call = await world.watch()
            call.say(watched(terms(15.0), decision=may("A")))
            await first
            assert client.watches() == (1,)
            if watch is left:
                await watch.close()
            else:
                call.end()
                following = asyncio.ensure_future(watch.next())
                again = await world.watch()  # asked again on its own, in the place that was given back
                assert client.watches() == (1,)
                again.say(watched(terms(15.0), decision=may("A")))
                await watch.close()
                await following
            await comes(lambda: client.watches() == (0,))


@both_clients
async def test_nothing_is_watched_by_a_client_that_is_closed(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        watch = client.watch("t", "/v1/chat/completions", deadline=ROOMY)
        first = asyncio.ensure_future(watch.first())
        (await world.watch()).say(watched(terms(15.0), decision=may("A")))
        await first
    with pytest.raises(UsherFault) as later:
        await client.watch("t", "/v1/chat/completions").first()

    assert isinstance(later.value, Closed)
    assert client.watches() == ()


class _Channel:
    def unary_stream(self, method: str) -> str:
        return method


class Channels:
    """Connections that are counted."""

    def __init__(self) -> None:
        self.open: list[_Channel] = []
        self.watches = WatchChannels(self._opened, self._closed)

    def _opened(self) -> _Channel:
        self.open.append(_Channel())
        return self.open[-1]

    def _closed(self, channel: _Channel) -> None:
        self.open.remove(channel)

    def take(self, calls: int) -> list[Place]:
        return [self.watches.take() for _ in range(calls)]


def test_a_call_goes_where_there_is_room_and_opens_a_connection_only_where_there_is_none() -> None:
    channels = Channels()
    first, *_ = channels.take(WATCHES)
    assert len(channels.open) == 1
    channels.take(1)
    assert channels.watches.calls == (WATCHES, 1)
    channels.watches.leave(first)
    assert channels.watches.take().channel is first.channel

    assert channels.watches.calls == (WATCHES, 1)
    assert len(channels.open) == 2


def test_one_connection_without_calls_is_kept_and_no_more() -> None:
    channels = Channels()
    places = channels.take(3 * WATCHES)
    for place in places:
        channels.watches.leave(place)

    assert channels.watches.calls == (0,)
    assert len(channels.open) == 1


def test_between_full_and_one_more_no_connection_comes_and_goes() -> None:
    channels = Channels()
    channels.take(WATCHES)
    seen = set()
    for _ in range(5):
        (more,) = channels.take(1)
        seen.add(id(more.channel))
        channels.watches.leave(more)

    assert len(seen) == 1
    assert len(channels.open) == 2


def test_a_call_that_ends_after_the_client_was_closed_closes_nothing_twice() -> None:
    channels = Channels()
    places = channels.take(2)
    closed = channels.watches.close()
    for place in places:
        channels.watches.leave(place)

    assert closed == channels.open
    with pytest.raises(Closed):
        channels.watches.take()


def test_calls_begin_no_faster_than_a_server_takes_them_up() -> None:
    now = 1000.0
    turns = Turns(lambda: now)

    assert [turns.take() for _ in range(24)] == [0.0] * 24
    assert [round(1000 * turns.take()) for _ in range(3)] == [1, 2, 3]
    now += 0.002
    assert [round(1000 * turns.take()) for _ in range(2)] == [2, 3]
    now += 60
    assert [turns.take() for _ in range(24)] == [0.0] * 24
    assert turns.take() > 0


@both_clients
async def test_watches_that_are_given_up_before_their_turn_hold_up_nobody(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        client.turns._now = lambda: 1000.0
        for _ in range(30_000):
            client.turns.take()
        before = client.turns.take()
        for _ in range(20):
            with pytest.raises(OutOfTime):
                await client.watch("t", "/v1/chat/completions", deadline=0.05).first()
        closed = client.watch("t", "/v1/chat/completions", deadline=ROOMY)
        first = asyncio.ensure_future(closed.first())
        await asyncio.sleep(0.05)
        await closed.close()
        with pytest.raises(Closed):
            await first
        after = client.turns.take()

    assert after - before == pytest.approx(0.001)
    assert world.watches.empty()


@both_clients
async def test_a_watch_that_waits_for_its_turn_begins_then(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        for _ in range(500):
            client.turns.take()
        begun = time.monotonic()
        watch = client.watch("t", "/v1/chat/completions", deadline=ROOMY)
        first = asyncio.ensure_future(watch.first())
        call = await world.watch()
        waited = time.monotonic() - begun
        call.say(watched(terms(15.0), decision=may("A")))
        await first
        await watch.close()

    assert waited > 0.3


@both_clients
async def test_a_watch_that_is_closed_while_it_waits_never_begins(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        for _ in range(300):
            client.turns.take()
        watch = client.watch("t", "/v1/chat/completions", deadline=ROOMY)
        first = asyncio.ensure_future(watch.first())
        await asyncio.sleep(0.05)
        await watch.close()
        with pytest.raises(Closed):
            await first
        await asyncio.sleep(0.4)

        assert world.watches.empty()
        assert client.watches() == ()


@both_clients
async def test_the_time_of_a_watch_runs_while_it_waits(opens: Opens) -> None:
    async with speaking() as world, opens(world.target) as client:
        for _ in range(2000):
            client.turns.take()
        with pytest.raises(OutOfTime):
            await client.watch("t", "/v1/chat/completions", deadline=0.2).first()
        assert world.watches.empty()


@both_clients
async def test_what_cannot_be_asked_again_in_time_is_unknown_however_many_wait_before_it(opens: Opens) -> None:
    """A completion must not go on for as long as its turn takes, once nothing is heard of it any more."""
    async with speaking() as world, opens(world.target) as client:
        watch = client.watch("t", "/v1/chat/completions", deadline=ROOMY)
        first = asyncio.ensure_future(watch.first())
        call = await world.watch()
        call.say(watched(terms(1.0), decision=may("A")))
        await first
        for _ in range(60_000):
            client.turns.take()
        lost = time.monotonic()
        call.end()
        event = await watch.not_allowed()
        took = time.monotonic() - lost

        assert isinstance(event, Unknown)
        assert not watch.allowed
        assert took < 10
        assert world.watches.empty()
