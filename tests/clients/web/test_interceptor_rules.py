"""What handlers do of their own accord beside a cut: it is theirs until then, and nothing of it gets out afterwards."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from clients.scripted import Script, allow, serving
from clients.web.doubles import DENIAL, Usherd, decision
from tools.waiting import until
from usher.v1 import authorization_service_pb2 as api
from usher_client import Client, Decided, Unavailable, Unknown
from usher_client.gateway import watching
from usher_client.interceptors import AsyncAuthorization, Authorization, current_decision
from usher_client.interceptors.handing import Handed

LISTEN = "/demo.v1.Chat/Listen"


def handlers(listen: Any) -> Any:
    return grpc.method_handlers_generic_handler(
        "demo.v1.Chat", {"Listen": grpc.unary_stream_rpc_method_handler(listen)}
    )


@asynccontextmanager
async def serving_with(usherd: Any, listen: Any) -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(interceptors=[AsyncAuthorization(usherd)], options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handlers(listen),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


async def heard(stream: Any) -> tuple[list[bytes], grpc.StatusCode]:
    got: list[bytes] = []
    async with asyncio.timeout(10):
        try:
            while (message := await stream.read()) is not grpc.aio.EOF:
                got.append(message)
        except grpc.aio.AioRpcError as error:
            return got, error.code()
    return got, grpc.StatusCode.OK


async def test_a_handler_that_does_not_want_to_end_sends_nothing_any_more() -> None:
    usherd, late = Usherd(), list[str]()

    async def listen(_: bytes, context: Any) -> None:
        await context.write(b"first")
        usherd.no.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await context.write(b"canary")
            except BaseException as error:
                late.append(type(error).__name__)
        raise ValueError("canary")

    async with serving_with(usherd, listen) as channel:
        got, code = await heard(channel.unary_stream(LISTEN)(b""))
        await asyncio.to_thread(until, lambda: bool(late))

    assert (got, code) == ([b"first"], grpc.StatusCode.PERMISSION_DENIED)
    assert late
    assert usherd.open_watches == 0


async def test_a_caller_that_does_not_read_hears_of_the_cut_when_it_does() -> None:
    usherd, sent = Usherd(), list[int]()

    async def listen(_: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield b"x" * 64 * 1024

    async with serving_with(usherd, listen) as channel:
        stream = channel.unary_stream(LISTEN)(b"")
        await stream.read()
        before = -1
        while before != len(sent):
            before = len(sent)
            await asyncio.sleep(0.2)
        usherd.no.set()
        await asyncio.sleep(0.2)
        got, code = await heard(stream)

    assert before < 1000
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert len(got) + 1 <= before
    assert len(sent) <= before + 1


async def test_a_generator_that_goes_on_is_not_heard() -> None:
    usherd = Usherd()

    async def listen(_: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        usherd.no.set()
        for _ in range(3):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                yield b"canary"

    async with serving_with(usherd, listen) as channel:
        got, code = await heard(channel.unary_stream(LISTEN)(b""))

    assert (got, code) == ([b"first"], grpc.StatusCode.PERMISSION_DENIED)


@pytest.mark.parametrize(
    ("usherd", "code"),
    [
        (Usherd(event=Unknown(fault=Unavailable())), grpc.StatusCode.UNAVAILABLE),
        (Usherd(event=Decided(decision=DENIAL)), grpc.StatusCode.PERMISSION_DENIED),
        (Usherd(faults=1000, fault=Unavailable()), grpc.StatusCode.UNAVAILABLE),
        (Usherd(faults=1000, fault=RuntimeError("canary")), grpc.StatusCode.UNAVAILABLE),
        (Usherd(faults=1000, fault=asyncio.CancelledError()), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_a_stream_ends_when_it_is_no_longer_known_to_be_allowed(
    usherd: Usherd, code: grpc.StatusCode, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.2)

    async def listen(_: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        usherd.no.set()
        await asyncio.Event().wait()

    with caplog.at_level(logging.DEBUG, "usher_client"):
        async with serving_with(usherd, listen) as channel:
            _, ended = await heard(channel.unary_stream(LISTEN)(b""))

    assert ended is code
    assert "canary" not in caplog.text


async def test_an_end_of_its_own_is_the_handlers() -> None:
    usherd = Usherd()

    async def listen(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        if request:
            await context.abort(grpc.StatusCode.DATA_LOSS, "its own")

    async with serving_with(usherd, listen) as channel:
        aborted = await heard(channel.unary_stream(LISTEN)(b"abort"))
        finished = await heard(channel.unary_stream(LISTEN)(b""))
        await asyncio.to_thread(until, lambda: usherd.open_watches == 0)

    assert aborted == ([b"first"], grpc.StatusCode.DATA_LOSS)
    assert finished == ([b"first"], grpc.StatusCode.OK)


async def test_a_streamed_handler_that_nobody_could_end_is_not_run() -> None:
    ran = list[bytes]()

    def listen(request: bytes, context: Any) -> Iterator[bytes]:
        ran.append(request)
        yield b"first"

    async with serving_with(Usherd(), listen) as channel:
        got, code = await heard(channel.unary_stream(LISTEN)(b""))

    assert got == []
    assert code is not grpc.StatusCode.OK
    assert ran == []


@pytest.mark.parametrize("answer", [RuntimeError("canary"), decision(allowed=None, reason="UNKNOWN")])
async def test_only_a_decision_that_allows_lets_a_call_pass(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def listen(_: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"canary"

    async with serving_with(Usherd(answer=answer), listen) as channel:
        got, code = await heard(channel.unary_stream(LISTEN)(b""))

    assert got == []
    assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED)
    assert "canary" not in caplog.text


async def test_in_threads_too_an_end_of_its_own_is_the_handlers() -> None:
    def listen(request: bytes, context: Any) -> Iterator[bytes]:
        yield (current_decision().reason or "").encode()
        if request:
            context.abort(grpc.StatusCode.DATA_LOSS, "its own")

    terms = api.StreamTerms(mode=api.MODE_WATCH, max_silence=Duration(seconds=15))
    first = api.AuthorizeResponse(decision=allow(), terms=terms).SerializeToString()
    async with serving(Script((first,), hang=True)) as target:
        with Client(target) as client, futures.ThreadPoolExecutor(4) as pool:
            server = grpc.server(pool, interceptors=[Authorization(client)], options=[("grpc.so_reuseport", 0)])
            server.add_generic_rpc_handlers((handlers(listen),))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                aborted = await heard(channel.unary_stream(LISTEN)(b"abort"))
                finished = await heard(channel.unary_stream(LISTEN)(b""))
            await asyncio.to_thread(server.stop(None).wait)

    assert aborted == ([b"ALLOWED"], grpc.StatusCode.DATA_LOSS)
    assert finished == ([b"ALLOWED"], grpc.StatusCode.OK)


WHERE: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="")


def test_items_are_handed_over_in_order_from_the_same_context() -> None:
    WHERE.set("here")

    def items() -> Iterator[str]:
        yield from (f"{WHERE.get()} {number}" for number in range(100))

    assert list(Handed(items)) == [f"here {number}" for number in range(100)]


def test_what_items_end_with_is_handed_over_behind_them() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("its own")

    handed = Handed(items)

    assert next(handed) == 1
    with pytest.raises(ValueError, match="its own"):
        next(handed)


def test_whoever_waits_for_an_item_can_be_freed() -> None:
    never, closed = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        try:
            yield 1
            never.wait(20)
            yield 2
        finally:
            closed.set()

    handed = Handed(items)
    assert next(handed) == 1
    threading.Timer(0.05, handed.stop).start()

    assert list(handed) == []
    never.set()
    assert closed.wait(20)
