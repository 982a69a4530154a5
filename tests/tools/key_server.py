"""Plays an identity provider over HTTP on loopback, and fails in every way that a test asks for.

async with KeyServer() as server:
    server.publish(key_pair("RSA").jwk())
    await server.fail(Fault.HANG)      # from now on, until `fail(None)`
    ...
    assert server.count("/keys") == 1
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import ssl
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tools.faults import SLOW_SECONDS, Fault, head, misbehave

DISCOVERY_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came; header names in lower case."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    at: float = 0.0
    """When it was read, by the monotonic clock."""
    method: str = "GET"
    body: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Served:
    """A good answer: what it was, and when. The monotonic clock's seconds."""

    path: str
    body: bytes = field(repr=False)
    asked: float
    done: float = math.inf
    """When all of it was written; infinite until then."""


class KeyServer:
    """Serves documents by path. Everything in it may be changed while it runs."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.documents: dict[str, bytes] = {KEYS_PATH: b'{"keys": []}'}
        self._faults: dict[str, Fault] = {}
        self.etags = False
        """Whether documents have entity tags, and conditional requests are answered with 304."""
        self.headers: dict[str, str] = {}
        """Sent with each good answer, over the usual ones."""
        self.status_headers: dict[str, str] = {}
        """Sent with each bad status, over the usual ones."""
        self.gate = asyncio.Event()
        """While it is not set, requests are read and not answered."""
        self.gate.set()
        self.requests: list[Request] = []
        self._came = asyncio.Event()
        self.statuses: list[int] = []
        """Of the good answers: 200 or 304."""
        self.served: list[Served] = []
        self._tls = tls
        self._port = port
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self._turn = 0
        self._writers: weakref.WeakSet[asyncio.StreamWriter] = weakref.WeakSet()

    @property
    def origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def keys_url(self) -> str:
        return self.origin + KEYS_PATH

    def publish(self, *jwks: Any, path: str = KEYS_PATH) -> None:
        """Makes these the key set."""
        self.documents[path] = json.dumps({"keys": list(jwks)}).encode()

    def describe(self, **changes: Any) -> None:
        """Publishes a discovery document for the issuer `origin`, changed."""
        metadata = {"issuer": self.origin, "jwks_uri": self.keys_url} | changes
        self.documents[DISCOVERY_PATH] = json.dumps(metadata).encode()

    def count(self, path: str = KEYS_PATH) -> int:
        """How many requests for that path came."""
        return sum(request.path == path for request in self.requests)

    async def reach(self, count: int) -> None:
        """Returns when that many requests came."""
        while len(self.requests) < count:
            self._came.clear()
            await self._came.wait()

    async def fail(self, fault: Fault | None, path: str = KEYS_PATH) -> None:
        """Fails in that way from now on, at that path; Fault.DOWN closes the port for all. None: works again."""
        self._faults.pop(path, None)
        self._turn = 0
        if fault is Fault.DOWN:
            await self._close()
        else:
            await self._open()
            if fault is not None:
                self._faults[path] = fault

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _open(self) -> None:
        if self._server is None:
            # The same port each time.
            self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self._port, ssl=self._tls)
            self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            for handler in self._handlers:
                handler.cancel()
            await asyncio.gather(*self._handlers, return_exceptions=True)
            for writer in self._writers:
                writer.transport.abort()
            # Those that have just connected are handed over, and those that were aborted are closed.
            for _ in range(5):
                await asyncio.sleep(0)
            await self._server.wait_closed()
            self._server = None

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        handler = asyncio.create_task(self._handle(reader, writer))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            method, path, _ = head[0].split(" ")
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request(path=path, headers=headers, at=time.monotonic(), method=method, body=body)
            self.requests.append(request)
            self._came.set()
            await self.gate.wait()
            await self._answer(request, reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()

    async def answer_to(self, request: Request) -> bytes | None:
        """What a good answer to that request has; None: there is nothing."""
        return await self.document(request.path)

    async def document(self, path: str) -> bytes | None:
        """What a good answer for that path has; None: there is nothing."""
        return self.documents.get(path)

    def fault_at(self, path: str) -> Fault | None:
        """How it fails at that path now."""
        return self._faults.get(path)

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = await self.answer_to(request)
        fault = self.fault_at(request.path) if body is not None else Fault.STATUS_404
        if fault is Fault.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
            fault = None
        elif fault is Fault.FLAPPING:
            self._turn += 1
            fault = Fault.STATUS_500 if self._turn % 2 else None
        if body is None or fault is not None:
            await misbehave(fault or Fault.STATUS_404, body or b"", writer, self.status_headers)
            return
        if reader.at_eof():
            return  # it waited long enough: nothing is served to nobody
        etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        extra = {"ETag": etag} if self.etags else {}
        served = Served(request.path, body, request.at)
        self.served.append(served)
        if self.etags and request.headers.get("if-none-match") == etag:
            self.statuses.append(304)
            writer.write(head("304 Not Modified", extra))
        else:
            self.statuses.append(200)
            usual = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            writer.write(head("200 OK", usual | extra | self.headers) + body)
        await writer.drain()
        served.done = time.monotonic()
