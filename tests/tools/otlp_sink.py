"""OTLP receivers over HTTP and gRPC, which keep the spans that they get as the protocol's own messages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass
class Sink:
    """What came in."""

    endpoint: str = ""
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    broken: bool = False
    """Whether it answers with an error."""
    moved_to: str = ""
    """Where it says that it is now, if that is another place. Over HTTP."""

    def take(self, data: bytes, headers: dict[str, str], path: str) -> None:
        self.requests.append(ExportTraceServiceRequest.FromString(data))
        self.headers.append(headers)
        self.paths.append(path)

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def resource(self) -> dict[str, object]:
        return attributes(self.requests[0].resource_spans[0].resource)


def attributes(message: Any) -> dict[str, object]:
    """The attributes of a span or resource."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in message.attributes}


@asynccontextmanager
async def sink(protocol: str) -> AsyncIterator[Sink]:
    """A receiver of that protocol, as the configuration names it."""
    async with _grpc() if protocol == "grpc" else _http() as found:
        yield found


@asynccontextmanager
async def _http() -> AsyncIterator[Sink]:
    found = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            found.take(data, {name.lower(): value for name, value in self.headers.items()}, self.path)
            self.send_response(307 if found.moved_to else 400 if found.broken else 200)
            if found.moved_to:
                self.send_header("location", found.moved_to)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    found.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


@asynccontextmanager
async def _grpc() -> AsyncIterator[Sink]:
    found = Sink()

    async def export(data: bytes, context: Any) -> bytes:
        found.take(data, dict(context.invocation_metadata()), EXPORT)
        if found.broken:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "broken")
        return ExportTraceServiceResponse().SerializeToString()

    class Only(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> Any:
            return grpc.unary_unary_rpc_method_handler(export) if details.method == EXPORT else None

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Only(),))
    found.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield found
    finally:
        await server.stop(0.5)
