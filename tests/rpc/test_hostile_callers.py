"""Callers that mean harm get a bounded share, constant words and an end (threats B1 to B17)."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import struct

import grpc
import pytest

from tools.rpc_world import CANARY, SERVICE, Answers, call, calling, check_bytes, running
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, question_pb2
from usherd.domain import Question
from usherd.errors import Code
from usherd.rpc.limits import Limits
from usherd.rpc.options import options
from usherd.rpc.server import Serving

OK = grpc.StatusCode.OK


def _question(size: int) -> bytes:
    """A CheckRequest of exactly that many bytes."""
    padding = size
    while len(data := api.CheckRequest(question=question_pb2.Question(route="x" * padding)).SerializeToString()) > size:
        padding -= len(data) - size
    return data


async def test_a_message_up_to_the_limit_is_answered_and_a_longer_one_is_not() -> None:
    limit = 256 * 1024
    async with running() as server, calling(server) as channel:
        fits = await call(channel, "Check", _question(limit))
        too_long = await call(channel, "Check", _question(limit + 1))
        after = await call(channel, "Check", check_bytes())

    assert [each.code for each in (fits, too_long, after)] == [OK, grpc.StatusCode.RESOURCE_EXHAUSTED, OK]


async def test_compressed_messages_are_not_unpacked() -> None:
    async with running() as server, calling(server) as channel:
        bomb = api.CheckRequest(question=question_pb2.Question(route="x" * 10_000_000)).SerializeToString()
        outcome = await call(channel, "Check", bomb, compression=grpc.Compression.Gzip)

    assert len(gzip.compress(bomb)) < 256 * 1024
    assert outcome.code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.RESOURCE_EXHAUSTED)


@pytest.mark.parametrize(("size", "always"), [(4_000, OK), (17_000, grpc.StatusCode.RESOURCE_EXHAUSTED)])
async def test_metadata_is_bounded(size: int, always: grpc.StatusCode) -> None:
    async with running() as server, calling(server) as channel:
        outcomes = {
            (await call(channel, "Check", check_bytes(), metadata=(("x", "y" * size),))).code for _ in range(20)
        }

    assert outcomes == {always}


async def test_an_exception_never_tells_the_caller_or_the_log_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(Answers(fault=RuntimeError(CANARY))) as server, calling(server) as channel:
        outcomes = [await call(channel, "Check", check_bytes()), await call(channel, "Authorize", check_bytes())]

    assert {(each.code, each.details) for each in outcomes} == {(grpc.StatusCode.INTERNAL, "internal error")}
    assert CANARY not in caplog.text + repr(outcomes)
    bugs = [record for record in caplog.records if record.getMessage() == "internal_fault"]
    assert [vars(bug)["error"] for bug in bugs] == ["RuntimeError"] * 2
    assert all("rpc_world.py" in vars(bug)["where"] for bug in bugs)


async def test_words_of_the_end_user_never_come_back_in_an_error() -> None:
    long = "k" * 20_000
    request = api.CheckRequest(question=question_pb2.Question(token=long, route=long, model=long))
    async with running(Answers(fault=RuntimeError(long))) as server, calling(server) as channel:
        outcome = await call(channel, "Check", request.SerializeToString())

    assert (outcome.code, outcome.details) == (grpc.StatusCode.INTERNAL, "internal error")


@pytest.mark.parametrize("field", [1, 2, 3, 4, 5, 6, 7, 8, 9])
async def test_text_that_is_not_utf8_is_denied_and_no_error(field: int) -> None:
    broken = bytes([field << 3 | 2, 2, 0xFF, 0xFE])
    async with running() as server, calling(server) as channel:
        outcome = await call(channel, "Check", bytes([0x0A, len(broken)]) + broken)

    assert outcome.code is OK
    assert api.CheckResponse.FromString(outcome.answer).decision.effect == decision_pb2.EFFECT_DENY


async def test_a_caller_without_a_deadline_gets_the_servers() -> None:
    async def hang(question: object) -> None:
        await asyncio.Event().wait()

    async with (
        running(Answers(then=hang), limits=Limits(deadline=0.1)) as server,
        calling(server) as channel,
    ):
        outcome = await call(channel, "Check", check_bytes(), timeout=None)  # type: ignore[arg-type]

    assert (outcome.code, outcome.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


async def test_calls_that_are_cancelled_leave_no_work_behind() -> None:
    begun, ended = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def hang(question: Question) -> None:
        if question.route == "/free":
            return
        begun.release()
        try:
            await asyncio.Event().wait()
        finally:
            ended.release()

    limits = Limits(concurrency=50, deadline=60, queue_time=0.01)
    async with running(Answers(then=hang), limits=limits) as server, calling(server) as channel:
        calls = [channel.unary_unary(f"{SERVICE}/Check")(check_bytes()) for _ in range(50)]
        async with asyncio.timeout(10):
            for _ in calls:
                await begun.acquire()
            full = await call(channel, "Check", _free())
            for each in calls:
                each.cancel()
            for _ in calls:
                await ended.acquire()
        free = await call(channel, "Check", _free())

    assert [full.code, free.code] == [grpc.StatusCode.RESOURCE_EXHAUSTED, OK]


def _free() -> bytes:
    return api.CheckRequest(question=question_pb2.Question(route="/free")).SerializeToString()


async def test_more_work_than_there_is_room_for_is_refused_and_the_rest_is_done() -> None:
    release = asyncio.Event()

    async def wait(question: object) -> None:
        await release.wait()

    limits = Limits(concurrency=4, queue=4, queue_time=0.05)
    async with running(Answers(then=wait), limits=limits) as server, calling(server) as channel:
        calls = [asyncio.create_task(call(channel, "Check", check_bytes())) for _ in range(20)]
        await asyncio.sleep(0.5)
        release.set()
        codes = [(await each).code for each in calls]

    assert sorted(code.name for code in codes) == ["OK"] * 4 + ["RESOURCE_EXHAUSTED"] * 16


async def test_streams_of_headers_alone_lock_nobody_out() -> None:
    limits = Limits(concurrency=4, streams=200)
    async with running(limits=limits) as server, calling(server) as channel, calling(server) as hostile:
        silent = [hostile.stream_unary(f"{SERVICE}/Check")() for _ in range(200)]
        await asyncio.gather(*(each.wait_for_connection() for each in silent))
        await asyncio.sleep(0.2)
        outcome = await call(channel, "Check", check_bytes())
        for each in silent:
            each.cancel()

    assert outcome.code is OK


@pytest.mark.parametrize(
    "path",
    [
        "usher.v1.AuthorizationService/Check",
        "//usher.v1.AuthorizationService/Check",
        "/usher.v1.AuthorizationService/Check/",
        "/usher.v1.AuthorizationService/%43heck",
        "/usher.v1.AuthorizationService/Check?x",
        "/usher.v1.AuthorizationService/Check#f",
        "/usher.v1.AuthorizationService/check",
        "/USHER.v1.AuthorizationService/Check",
        "/usher.v1.AuthorizationService",
        "/",
    ],
)
async def test_a_method_has_exactly_one_name(path: str) -> None:
    async with running() as server, calling(server) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(path)(check_bytes(), timeout=5)

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def _half_sent_stream(server: Serving) -> socket.socket:
    """A connection with one Check whose message never comes in full, spoken by hand (RFC 9113)."""

    def literal(name: bytes, value: bytes) -> bytes:
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload

    headers = literal(b":method", b"POST") + literal(b":scheme", b"http")
    headers += literal(b":path", f"{SERVICE}/Check".encode()) + literal(b":authority", b"usher")
    headers += literal(b"te", b"trailers") + literal(b"content-type", b"application/grpc")
    host, _, port = server.address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + frame(4, 0, 0, b"")
        + frame(4, 1, 0, b"")
        + frame(1, 4, 1, headers)
        + frame(0, 0, 1, b"\x00\x00\x00\x01\x00" + b"half of it")
    )
    return connection


def _lasts_until_closed(connection: socket.socket) -> bytes:
    received = b""
    with connection:
        while data := connection.recv(65536):
            received += data
    return received


async def test_a_half_sent_request_ends_with_its_connections_age() -> None:
    ages = {"max_connection_age_ms": 300, "max_connection_age_grace_ms": 200}
    async with running(**ages) as server, calling(server) as channel:
        connection = _half_sent_stream(server)
        received = await asyncio.to_thread(_lasts_until_closed, connection)
        after = await call(channel, "Check", check_bytes(), wait_for_ready=True)

    assert b"max_age" in received  # GOAWAY's own word for it
    assert after.code is OK


async def test_a_peer_that_is_gone_without_a_word_holds_no_stream() -> None:
    told = {option.name.removeprefix("grpc."): option.value for option in options(Limits())}
    hundredth = {
        name: told[name] // 100 for name in ("keepalive_time_ms", "keepalive_timeout_ms", "http2.ping_timeout_ms")
    }
    async with running(**hundredth) as server, asyncio.timeout(10):
        connection = _half_sent_stream(server)
        received = await asyncio.to_thread(_lasts_until_closed, connection)

    assert b"max_age" not in received


async def test_errors_use_the_contracts_codes_only() -> None:
    known = {code.value for code in Code}

    async with running() as server, calling(server) as channel:
        outcomes = [
            await call(channel, method, b"\xff") for method in ("Authorize", "Check", "BatchCheck", "ListModels")
        ]

    assert {outcome.code.value[0] for outcome in outcomes} <= known
    assert {outcome.reason for outcome in outcomes} == {"REQUEST_UNDECODABLE"}
