"""What no gRPC client sends ends the stream or the connection that it came on, and costs nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest

from tools.frames import (
    PREFACE,
    block,
    body,
    head,
    headers,
    hpack_bomb,
    message,
    more_head,
    ping,
    reset,
    settings,
    whole,
)
from tools.rpc_world import Answers, call, calling, check_bytes, running
from usherd.domain import Question
from usherd.rpc.limits import Limits
from usherd.rpc.server import Serving

OK = grpc.StatusCode.OK
PATIENCE = 20.0
"""Seconds after which a test says that nothing came: far more than anything here takes."""


@asynccontextmanager
async def _connected(server: Serving, data: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _until_hung_up(reader: asyncio.StreamReader) -> bytes:
    """What the server says until it hangs up."""
    said = b""
    async with asyncio.timeout(PATIENCE):
        try:
            while data := await reader.read(1 << 16):
                said += data
        except ConnectionError:
            return said
    return said


async def _goes_on(
    writer: asyncio.StreamWriter, reader: asyncio.StreamReader, flood: Iterator[bytes], pause: float = 0.0
) -> bytes:
    """Sends until the server hangs up; what it said."""
    listening = asyncio.ensure_future(_until_hung_up(reader))
    async with asyncio.timeout(PATIENCE):
        while not listening.done():
            try:
                writer.write(next(flood))
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(pause)
    return await listening


def _greeting(data: bytes = b"") -> bytes:
    return PREFACE + settings() + data


async def test_streams_that_are_reset_at_once_leave_nothing_behind_and_keep_nobody_out() -> None:
    packed, stream, outcomes = block(headers()), 1, []
    async with running() as server, calling(server) as channel:
        async with _connected(server, _greeting()) as (reader, writer):
            listening = asyncio.ensure_future(_until_hung_up(reader))
            for _ in range(20):
                numbers = range(stream, stream + 200, 2)
                writer.write(b"".join(whole(each, packed, check_bytes()) + reset(each) for each in numbers))
                stream += 200
                outcomes.append((await call(channel, "Check", check_bytes())).code)
        await listening
        outcomes.append((await call(channel, "Check", check_bytes())).code)

    assert outcomes == [OK] * 21


@pytest.mark.parametrize("following", [block([("x-" + "a" * 100, "b" * 16_000)]), b""], ids=["of 16 KiB", "empty"])
async def test_headers_that_never_end_keep_nobody_out_and_end_with_their_connections_age(following: bytes) -> None:
    first, piece = head(1, block(headers())), more_head(1, following) * 4
    ages = Limits(connection_age=1.0, connection_grace=0.2)
    async with running(limits=ages) as server, calling(server) as channel:
        async with _connected(server, _greeting(first + piece * 50)) as (reader, writer):
            during = [(await call(channel, "Check", check_bytes())).code for _ in range(5)]
            await _goes_on(writer, reader, iter(lambda: piece, None))
        after = await call(channel, "Check", check_bytes(), wait_for_ready=True)

    assert during == [OK] * 5
    assert after.code is OK


async def test_headers_that_unpack_to_megabytes_are_refused() -> None:
    answers = Answers()
    bombs = b"".join(hpack_bomb(each) for each in range(1, 41, 2))
    async with running(answers) as server, calling(server) as channel, _connected(server, _greeting(bombs)):
        codes = [(await call(channel, "Check", check_bytes())).code for _ in range(3)]

    assert codes == [OK] * 3
    assert len(answers.asked) == 3


async def test_who_pings_again_and_again_is_hung_up_on() -> None:
    async with running() as server, calling(server) as channel:
        async with _connected(server, _greeting()) as (reader, writer):
            said = await _goes_on(writer, reader, iter(ping, None), pause=0.01)
        after = await call(channel, "Check", check_bytes())

    assert b"too_many_pings" in said
    assert after.code is OK


@pytest.mark.parametrize("sent", [b"", PREFACE, PREFACE[:10]], ids=["nothing", "the preface alone", "half of it"])
async def test_who_does_not_greet_is_hung_up_on(sent: bytes) -> None:
    async with running(limits=Limits(handshake=0.3)) as server, calling(server) as channel:
        async with _connected(server, sent) as (reader, _):
            await _until_hung_up(reader)
        after = await call(channel, "Check", check_bytes())

    assert after.code is OK


async def test_who_greets_and_asks_nothing_is_hung_up_on() -> None:
    async with running(limits=Limits(connection_idle=1.0)) as server, _connected(server, _greeting()) as (reader, _):
        said = await _until_hung_up(reader)

    assert b"idle" in said  # GOAWAY's own word for it


async def test_connections_beyond_the_most_are_refused_and_places_come_back() -> None:
    limits = Limits(connections=3, handshake=1.0)
    async with running(limits=limits) as server, calling(server) as channel, AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(_connected(server, b"")) for _ in range(3)]
        full = await call(channel, "Check", check_bytes(), timeout=0.3)
        for reader, _ in silent:
            await _until_hung_up(reader)
        after = await call(channel, "Check", check_bytes(), wait_for_ready=True)

    assert full.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert after.code is OK


@pytest.mark.parametrize("length", [0xFFFF_FFFF, 0x7FFF_FFFF, 256 * 1024 + 1, 256 * 1024, 11])
async def test_a_message_that_is_not_as_long_as_it_says_reaches_nobody_and_ends_with_its_connection(
    length: int,
) -> None:
    answers = Answers()
    data = b"\x00" + length.to_bytes(4, "big") + b"0123456789"
    sent = head(1, block(headers()), "END_HEADERS") + body(1, data, "END_STREAM")
    ages = Limits(connection_age=0.5, connection_grace=0.2)
    async with running(answers, limits=ages) as server, calling(server) as channel:
        async with _connected(server, _greeting(sent)) as (reader, _):
            await _until_hung_up(reader)
        after = await call(channel, "Check", check_bytes(), wait_for_ready=True)

    assert len(answers.asked) == 1
    assert after.code is OK


async def test_a_message_in_pieces_of_a_byte_is_a_message() -> None:
    data, answers = message(check_bytes()), Answers()
    pieces = b"".join(body(1, data[at : at + 1]) for at in range(len(data) - 1)) + body(1, data[-1:], "END_STREAM")
    sent = _greeting(head(1, block(headers()), "END_HEADERS") + pieces)
    async with running(answers) as server, _connected(server, sent) as (reader, _):
        await _until_ended(reader, 1)

    assert len(answers.asked) == 1


async def _until_ended(reader: asyncio.StreamReader, stream: int) -> None:
    """Until that stream has ended: HEADERS with END_STREAM, or RST_STREAM."""
    async with asyncio.timeout(PATIENCE):
        while True:
            start = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(start[:3], "big"))
            kind, flags, at = start[3], start[4], int.from_bytes(start[5:], "big")
            if at == stream and ((kind == 1 and flags & 1) or kind == 3):
                return


@pytest.mark.parametrize("timeout", ["99999999999H", "99999999H", "0n", "1n", "-1S", "1", "S", "1x", ""])
async def test_whatever_deadline_a_caller_names_the_servers_own_holds(timeout: str) -> None:
    async def hang(question: Question) -> None:
        await asyncio.Event().wait()

    sent = _greeting(whole(1, block(headers(grpc_timeout=timeout)), check_bytes()))
    slow = running(Answers(then=hang), limits=Limits(deadline=0.1))
    async with slow as server, _connected(server, sent) as (reader, _):
        await _until_ended(reader, 1)


async def test_a_caller_who_does_not_read_holds_up_nobody_else() -> None:
    packed = block(headers())
    unread = b"".join(whole(each, packed, check_bytes()) for each in range(1, 101, 2))
    # Their calls come all at once, and have to find room.
    limits = Limits(backlog=2000)
    async with running(limits=limits) as server, calling(server) as channel, AsyncExitStack() as stack:
        for _ in range(20):
            opening = PREFACE + settings(INITIAL_WINDOW_SIZE=0) + unread
            await stack.enter_async_context(_connected(server, opening))
        codes = [(await call(channel, "Check", check_bytes())).code for _ in range(10)]

    assert codes == [OK] * 10


async def test_calls_beyond_the_streams_of_a_connection_wait_with_their_client_and_none_is_refused() -> None:
    at_once, most = 0, 0

    async def a_little(question: Question) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1

    async with running(Answers(then=a_little), limits=Limits(streams=10)) as server, calling(server) as channel:
        await channel.channel_ready()
        outcomes = await asyncio.gather(*(call(channel, "Check", check_bytes()) for _ in range(60)))

    assert [each.code for each in outcomes] == [OK] * 60
    # A stream ends on the wire a moment before its handler does.
    assert most <= 20


async def test_a_connection_may_use_all_its_streams_at_once() -> None:
    """With the limits that are in force unless others are given."""
    async with running() as server, calling(server) as channel:
        await channel.channel_ready()
        for _ in range(5):
            outcomes = await asyncio.gather(*(call(channel, "Check", check_bytes()) for _ in range(Limits().streams)))
            assert {each.code for each in outcomes} == {OK}


async def test_of_calls_beyond_the_backlog_some_are_refused_and_the_others_answered() -> None:
    limits = Limits(streams=1000, backlog=6)
    async with running(limits=limits) as server, calling(server) as channel:
        await channel.channel_ready()
        outcomes = await asyncio.gather(*(call(channel, "Check", check_bytes()) for _ in range(400)))
        after = await call(channel, "Check", check_bytes())

    # The core's own refusal: it knows no words of the contract.
    assert {each.code for each in outcomes} == {OK, grpc.StatusCode.CANCELLED}
    assert after.code is OK
