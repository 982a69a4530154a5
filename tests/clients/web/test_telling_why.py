"""Whoever runs a gateway reads in its log why there was no decision, and the log does not grow with the requests."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from clients.web.doubles import DENIAL, Server, Usherd, scope
from usher_client import AsyncClient, CallerUnknown, Client, Overloaded, Unavailable, Unknown
from usher_client.asgi import UsherMiddleware
from usher_client.gateway import telling, watching
from usher_client.gateway.telling import Telling
from usher_client.interceptors import AsyncAuthorization, Authorization
from usher_client.testing import FakeUsherd

LISTEN = "/demo.v1.Chat/Listen"
KEYS = Unavailable("KEYS_UNAVAILABLE")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "usher_client")
    return caplog


async def answered(middleware: UsherMiddleware, body: bytes = b"") -> Server:
    server = Server([{"type": "http.request", "body": body}])
    await middleware(scope(), server.receive, server.send)
    return server


async def streaming(_: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
    await asyncio.Event().wait()


async def test_a_thousand_requests_without_a_decision_are_one_line(log: pytest.LogCaptureFixture) -> None:
    usherd = Usherd(answer=KEYS)
    middleware = UsherMiddleware(streaming, usherd)
    statuses = {(await answered(middleware)).status for _ in range(1000)}
    usherd.answer = CallerUnknown()
    statuses.add((await answered(middleware)).status)

    assert statuses == {503}
    assert log.messages == [
        "no decision: Unavailable: not available (KEYS_UNAVAILABLE)",
        "no decision: CallerUnknown: the caller has not shown who it is",
    ]
    assert {each.levelname for each in log.records} == {"WARNING"}


async def test_a_denial_is_nothing_to_tell(log: pytest.LogCaptureFixture) -> None:
    assert (await answered(UsherMiddleware(streaming, Usherd(answer=DENIAL)))).status == 403
    assert log.messages == []


def test_what_lasts_is_told_again_with_how_often_it_was_there(log: pytest.LogCaptureFixture) -> None:
    now = 0.0
    told = Telling(lambda: now)
    told.no_decision(KEYS)
    for _ in range(3):
        told.no_decision(KEYS)
    told.cut(KEYS)
    now += telling.EVERY
    told.no_decision(KEYS)
    told.no_decision(KEYS)
    now += telling.EVERY
    told.no_decision(Overloaded())

    assert log.messages == [
        "no decision: Unavailable: not available (KEYS_UNAVAILABLE)",
        "a stream was cut, nobody knows whether it is allowed: Unavailable: not available (KEYS_UNAVAILABLE)",
        "no decision: Unavailable: not available (KEYS_UNAVAILABLE), and 3 times since this was told last",
        "no decision: Overloaded: too much work or too large",
    ]


@pytest.mark.parametrize("usherd", [Usherd(event=Unknown(fault=KEYS)), Usherd(faults=1000, fault=KEYS)])
async def test_why_a_stream_was_cut_as_unknown_is_told(
    usherd: Usherd, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.1)
    usherd.no.set()
    async with asyncio.timeout(10):
        server = await answered(UsherMiddleware(streaming, usherd), b'{"stream": true}')

    assert b"authorization_unavailable" in server.body
    assert len(log.messages) == 1
    assert log.messages[0].endswith("Unavailable: not available (KEYS_UNAVAILABLE)")


@asynccontextmanager
async def asynchronous(fake: FakeUsherd, _: Client) -> AsyncIterator[int]:
    async def listen(_: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async with AsyncClient(fake.target) as client:
        server = grpc.aio.server(interceptors=[AsyncAuthorization(client, deadline=30.0)])
        server.add_generic_rpc_handlers((_handlers(listen),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield port
        finally:
            await server.stop(None)


@asynccontextmanager
async def threaded(fake: FakeUsherd, client: Client) -> AsyncIterator[int]:
    def listen(_: bytes, context: Any) -> Iterator[bytes]:
        yield b"first"
        while context.is_active():
            time.sleep(0.02)
            yield b"more"

    with futures.ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, interceptors=[Authorization(client, deadline=30.0)])
        server.add_generic_rpc_handlers((_handlers(listen),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            await asyncio.to_thread(server.stop(None).wait)


def _handlers(listen: Any) -> Any:
    return grpc.method_handlers_generic_handler(
        "demo.v1.Chat", {"Listen": grpc.unary_stream_rpc_method_handler(listen)}
    )


@pytest.mark.parametrize("serve", [asynchronous, threaded])
async def test_interceptors_tell_it_too(serve: Any, log: pytest.LogCaptureFixture) -> None:
    credential = (("authorization", "Bearer canary"),)
    with FakeUsherd(max_silence=1.0) as fake, Client(fake.target) as client:
        async with serve(fake, client) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

            async def end(begun: Any = None) -> grpc.StatusCode:
                call = channel.unary_stream(LISTEN)(b"", metadata=credential)
                try:
                    async with asyncio.timeout(30):
                        while await call.read() is not grpc.aio.EOF:
                            if begun is not None:
                                begun()
                                begun = None
                except grpc.aio.AioRpcError as error:
                    return error.code()
                return grpc.StatusCode.OK

            fake.fail("KEYS_UNAVAILABLE")
            refused = await end()
            fake.allow()
            cut = await end(lambda: fake.fail("DIRECTORY_UNAVAILABLE"))

    assert refused is cut is grpc.StatusCode.UNAVAILABLE
    assert log.messages == [
        "no decision: Unavailable: not available (KEYS_UNAVAILABLE)",
        "a stream was cut, nobody knows whether it is allowed: Unavailable: not available (DIRECTORY_UNAVAILABLE)",
    ]
