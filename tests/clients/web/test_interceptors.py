"""gRPC services in Python that ask usherd by their calls' metadata: real servers of both kinds, and a real usherd."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from tools.company_daemon import FAR, MODEL, CompanyDaemon, company_daemon
from tools.waiting import until
from usher_client import AsyncClient, Client
from usher_client.http import Reading
from usher_client.interceptors import AsyncAuthorization, Authorization, current_decision

SERVICE = "demo.v1.Chat"
ASK, SAY, LISTEN, TALK = (f"/{SERVICE}/{name}" for name in ("Ask", "Say", "Listen", "Talk"))
WITHIN = 1.0
"""Seconds, from the commit of a change to the end of the call."""
EVERY = 0.02


class Seen:
    """What has reached a service."""

    def __init__(self) -> None:
        self.calls = 0
        self.ended = 0


def who() -> bytes:
    principal = current_decision().principal
    assert principal is not None
    return f"{principal.subject} of {principal.team_id} {current_decision().resolved_model}".encode()


def asynchronous(seen: Seen) -> dict[str, Any]:
    async def ask(request: bytes, _: Any) -> bytes:
        seen.calls += 1
        return who() + b" " + request

    async def say(requests: AsyncIterator[bytes], _: Any) -> bytes:
        seen.calls += 1
        return b",".join([each async for each in requests])

    async def listen(_: bytes, context: Any) -> AsyncIterator[bytes]:
        seen.calls += 1
        try:
            yield who()
            while True:
                await asyncio.sleep(EVERY)
                yield b"chunk"
        finally:
            seen.ended += 1

    async def talk(requests: AsyncIterator[bytes], context: Any) -> None:
        seen.calls += 1
        try:
            async for each in requests:
                await context.write(each)
            await asyncio.sleep(30)
        finally:
            seen.ended += 1

    return {"ask": ask, "say": say, "listen": listen, "talk": talk}


def threaded(seen: Seen, free: threading.Event) -> dict[str, Any]:
    def ask(request: bytes, _: Any) -> bytes:
        seen.calls += 1
        return who() + b" " + request

    def say(requests: Iterator[bytes], _: Any) -> bytes:
        seen.calls += 1
        return b",".join(requests)

    def listen(_: bytes, context: Any) -> Iterator[bytes]:
        seen.calls += 1
        try:
            yield who()
            while True:
                time.sleep(EVERY)
                yield b"chunk"
        finally:
            seen.ended += 1

    def talk(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        seen.calls += 1
        try:
            yield from requests
            free.wait(30)
        finally:
            seen.ended += 1

    return {"ask": ask, "say": say, "listen": listen, "talk": talk}


def handlers(methods: dict[str, Any]) -> Any:
    shapes = {
        "Ask": grpc.unary_unary_rpc_method_handler(methods["ask"]),
        "Say": grpc.stream_unary_rpc_method_handler(methods["say"]),
        "Listen": grpc.unary_stream_rpc_method_handler(methods["listen"]),
        "Talk": grpc.stream_stream_rpc_method_handler(methods["talk"]),
    }
    return grpc.method_handlers_generic_handler(SERVICE, shapes)


@asynccontextmanager
async def serving_asynchronously(usherd: str, seen: Seen, **options: Any) -> AsyncIterator[str]:
    async with AsyncClient(usherd) as client:
        interceptor = AsyncAuthorization(client, **({"deadline": 30.0} | options))
        server = grpc.aio.server(interceptors=[interceptor], options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((handlers(asynchronous(seen)),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)


@asynccontextmanager
async def serving_in_threads(usherd: str, seen: Seen, **options: Any) -> AsyncIterator[str]:
    free = threading.Event()
    with Client(usherd) as client, futures.ThreadPoolExecutor(8) as pool:
        interceptor = Authorization(client, **({"deadline": 30.0} | options))
        server = grpc.server(pool, interceptors=[interceptor], options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((handlers(threaded(seen, free)),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            free.set()
            await asyncio.to_thread(server.stop(None).wait)


Serve = Any
both_servers = pytest.mark.parametrize(
    "serve", [serving_asynchronously, serving_in_threads], ids=["asynchronous", "threads"]
)


@pytest.fixture(name="usherd", scope="module")
def _usherd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompanyDaemon]:
    with company_daemon(tmp_path_factory.mktemp("usherd")) as running:
        yield running


def channel(address: str) -> AbstractAsyncContextManager[grpc.aio.Channel]:
    return grpc.aio.insecure_channel(
        address, options=(("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
    )


def bearer(token: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"), *more)


async def ended(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """How a call failed: status, text, and `usherd-reason`."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    reasons = [value for name, value in error.trailing_metadata() or () if name == "usherd-reason"]
    return error.code(), error.details() or "", str(*reasons)


@both_servers
async def test_a_call_that_may_pass_is_served_for_who_makes_it(usherd: CompanyDaemon, serve: Serve) -> None:
    seen = Seen()
    async with (
        serve(usherd.target, seen, reading=Reading(model_header="x-model")) as address,
        channel(address) as calls,
    ):
        metadata = bearer(usherd.token(), ("x-model", MODEL), ("x-usherd-user", "root"))
        asked = await calls.unary_unary(ASK)(b"hello", metadata=metadata)
        said = await calls.stream_unary(SAY)(iter([b"a", b"b"]), metadata=metadata)
        talk = calls.stream_stream(TALK)(metadata=metadata)
        await talk.write(b"c")
        talked = await talk.read()
        talk.cancel()

    assert asked == b"alice of red gpt-4o hello"
    assert said == b"a,b"
    assert talked == b"c"
    assert seen.calls == 3


@both_servers
async def test_a_call_that_may_not_pass_is_not_served(usherd: CompanyDaemon, serve: Serve) -> None:
    seen = Seen()
    async with serve(usherd.target, seen) as address, channel(address) as calls:
        ask = calls.unary_unary(ASK)
        nobody = await ended(ask(b""))
        expired = await ended(ask(b"", metadata=bearer(usherd.token(exp=1_700_000_000, iat=1_699_999_000))))
        broke = await ended(ask(b"", metadata=bearer(usherd.token(groups=["broke"]))))
        fault = await ended(ask(b"", metadata=bearer(usherd.token(iss=FAR))))
        two = await ended(ask(b"", metadata=bearer(usherd.token(), ("x-api-key", "a.b.c"))))
        stream = await ended(calls.unary_stream(LISTEN)(b"").read())
        unread = await ended(calls.stream_stream(TALK)().read())

    code = grpc.StatusCode
    assert (nobody[0], nobody[2]) == (code.UNAUTHENTICATED, "token_missing")
    assert (expired[0], expired[2]) == (code.UNAUTHENTICATED, "token_expired")
    assert (broke[0], broke[2]) == (code.RESOURCE_EXHAUSTED, "team_budget_exhausted")
    assert (fault[0], fault[2]) == (code.UNAVAILABLE, "authorization_unavailable")
    assert (two[0], two[2]) == (code.INVALID_ARGUMENT, "credentials_ambiguous")
    assert stream[0] is unread[0] is code.UNAUTHENTICATED
    assert "alice" not in repr((nobody, expired, broke, fault, two))
    assert seen.calls == 0


@both_servers
async def test_another_method_is_another_route(usherd: CompanyDaemon, serve: Serve) -> None:
    seen = Seen()
    async with serve(usherd.target, seen) as address, channel(address) as calls:
        other = await ended(calls.unary_unary("/other.v1.Chat/Ask")(b"", metadata=bearer(usherd.token())))

    assert other[0] in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED)
    assert seen.calls == 0


@both_servers
async def test_without_usherd_nothing_is_served_but_what_nobody_is_asked_about(serve: Serve) -> None:
    seen = Seen()
    options = {"deadline": 0.5, "unasked": [SAY]}
    async with serve("unix:/nowhere/usherd.sock", seen, **options) as address, channel(address) as calls:
        refused = await ended(calls.unary_unary(ASK)(b"", metadata=bearer("canary.token.value")))
        streamed = await ended(calls.unary_stream(LISTEN)(b"", metadata=bearer("canary.token.value")).read())
        unasked = await calls.stream_unary(SAY)(iter([b"a"]))

    unavailable = (grpc.StatusCode.UNAVAILABLE, "The authorization service gave no decision. Try again.")
    assert refused[:2] == streamed[:2] == unavailable
    assert unasked == b"a"
    assert seen.calls == 1


@both_servers
async def test_a_stream_is_cut_when_its_token_is_revoked(usherd: CompanyDaemon, serve: Serve) -> None:
    seen, token = Seen(), usherd.token(jti=serve.__name__)
    async with serve(usherd.target, seen) as address, channel(address) as calls:
        stream = calls.unary_stream(LISTEN)(b"", metadata=bearer(token))
        first = await stream.read()
        await stream.read()
        await usherd.revoke(token)
        revoked = time.monotonic()

        async def rest() -> None:
            while await stream.read() is not grpc.aio.EOF:
                pass

        code, text, reason = await ended(rest())
        took = time.monotonic() - revoked
        await asyncio.to_thread(until, lambda: seen.ended == 1)

    assert first.startswith(b"alice of red")
    assert (code, reason) == (grpc.StatusCode.UNAUTHENTICATED, "token_revoked")
    assert text
    assert took < WITHIN


@both_servers
async def test_a_stream_that_waits_is_cut_all_the_same(usherd: CompanyDaemon, serve: Serve) -> None:
    seen = Seen()
    async with serve(usherd.target, seen) as address, channel(address) as calls:
        talk = calls.stream_stream(TALK)(metadata=bearer(usherd.token(groups=["blue"])))
        await talk.write(b"c")
        await talk.read()
        await usherd.block("blue")
        blocked = time.monotonic()
        code, _, reason = await ended(talk.read())
        took = time.monotonic() - blocked
        await usherd.unblock("blue")

    assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "team_blocked")
    assert took < WITHIN


@both_servers
async def test_a_caller_that_goes_ends_the_stream(usherd: CompanyDaemon, serve: Serve) -> None:
    seen = Seen()
    async with serve(usherd.target, seen) as address, channel(address) as calls:
        stream = calls.unary_stream(LISTEN)(b"", metadata=bearer(usherd.token()))
        await stream.read()
        stream.cancel()
        await asyncio.to_thread(until, lambda: seen.ended == 1)

    assert seen.calls == 1


def test_a_mistake_is_told_when_the_server_is_made() -> None:
    with Client("localhost:1") as client:
        for unasked in ("/a.B/C", ["a.B/C"], ["/a.B/*"]):
            with pytest.raises(ValueError, match=r"^unasked: "):
                Authorization(client, unasked=unasked)


def test_outside_of_a_call_nobody_is_anybody() -> None:
    with pytest.raises(LookupError):
        current_decision()
