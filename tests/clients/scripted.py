"""A real gRPC server that answers what a test tells it to, right or wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, principal_pb2, reason_pb2

SERVICE = "usher.v1.AuthorizationService"
FIRST = api.StreamTerms(mode=api.MODE_ONCE)


def allow(**changed: Any) -> decision_pb2.Decision:
    values: dict[str, Any] = {
        "effect": decision_pb2.EFFECT_ALLOW,
        "reason": reason_pb2.REASON_ALLOWED,
        "message": "Allowed.",
        "http_status": 200,
        "principal": principal_pb2.Principal(kind=principal_pb2.PRINCIPAL_KIND_USER, subject="canary-subject"),
        "resolved_model": "gpt-4o",
        "decision_id": "0123456789ABCDEFGHJKMNPQRS",
        "revision": "store:7",
        "valid_until": Timestamp(seconds=1_900_000_000),
        "cacheable": True,
    }
    return decision_pb2.Decision(**(values | changed))


def deny(**changed: Any) -> decision_pb2.Decision:
    values: dict[str, Any] = {
        "effect": decision_pb2.EFFECT_DENY,
        "reason": reason_pb2.REASON_TOKEN_EXPIRED,
        "message": "The token has expired.",
        "http_status": 401,
        "www_authenticate": 'Bearer error="invalid_token"',
    }
    return decision_pb2.Decision(**(values | changed))


def event(decision: decision_pb2.Decision) -> bytes:
    return api.AuthorizeResponse(decision=decision, terms=FIRST).SerializeToString()


def details(reason: str, *, domain: str = "usher.v1", retry_after: float | None = None) -> bytes:
    status = Status(code=14, message="canary-text")
    packed = AnyMessage()
    packed.Pack(ErrorInfo(reason=reason, domain=domain))
    status.details.append(packed)
    if retry_after is not None:
        packed = AnyMessage()
        packed.Pack(RetryInfo(retry_delay=Duration(seconds=int(retry_after), nanos=int(retry_after % 1 * 1e9))))
        status.details.append(packed)
    return status.SerializeToString()


@dataclass(slots=True)
class Script:
    """What the server does with a call: it sends the messages, hangs if told to, and ends with the status."""

    messages: tuple[bytes, ...] = ()
    code: grpc.StatusCode = grpc.StatusCode.OK
    text: str = ""
    trailers: tuple[tuple[str, str | bytes], ...] = ()
    hang: bool = False
    fail_first: int = 0
    """So many calls end with UNAVAILABLE before the script is played."""
    requests: list[bytes] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, request: bytes, context: Any, send: Callable[[bytes], Awaitable[None]]) -> None:
        self.requests.append(request)
        self.asked.set()
        self.deadlines.append(context.time_remaining())
        if len(self.requests) <= self.fail_first:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "later")
        for message in self.messages:
            await send(message)
        if self.hang:
            await asyncio.Event().wait()
        if self.code is not grpc.StatusCode.OK:
            await context.abort(self.code, self.text, self.trailers)


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[str]:
    async def stream(request: bytes, context: Any) -> None:
        await script.play(request, context, context.write)

    async def unary(request: bytes, context: Any) -> bytes:
        answer: list[bytes] = []

        async def send(message: bytes) -> None:
            answer.append(message)

        await script.play(request, context, send)
        return answer[-1] if len(answer) == 1 else answer.pop(0)

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    methods = {
        "Authorize": grpc.unary_stream_rpc_method_handler(stream),
        "BatchCheck": grpc.unary_unary_rpc_method_handler(unary),
        "ListModels": grpc.unary_unary_rpc_method_handler(unary),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
