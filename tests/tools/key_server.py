"""Plays an identity provider over HTTP on loopback, and fails in every way that a test asks for.

async with KeyServer() as server:
    server.publish(key_pair("RSA").jwk())
    await server.fail(Fault.HANG)      # from now on, until `fail(None)`
    ...
    assert server.count("/keys") == 1
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import hashlib
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

DISCOVERY_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/keys"

RETRY_AFTER = 60
"""Seconds that Fault.STATUS_429 asks for."""


class Fault(StrEnum):
    """A way to fail."""

    DOWN = "down"
    RESET = "reset"
    HANG = "hang"
    DRIP = "drip"
    NOT_HTTP = "not_http"
    ENDLESS_HEADERS = "endless_headers"
    STATUS_500 = "500"
    STATUS_404 = "404"
    STATUS_429 = "429"
    STATUS_304 = "304 unasked"
    REDIRECT_301 = "301"
    REDIRECT_302 = "302"
    REDIRECT_307 = "307"
    REDIRECT_308 = "308"
    HTML = "html"
    HTML_SAID_TO_BE_JSON = "html_said_to_be_json"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    CUT_OFF = "cut_off"
    CUT_OFF_JSON = "cut_off_json"
    HUGE = "huge"
    GZIP_BOMB = "gzip_bomb"
    BAD_GZIP = "bad_gzip"
    UNKNOWN_ENCODING = "unknown_encoding"
    EMPTY_SET = "empty_set"
    NOT_AN_OBJECT = "not_an_object"
    ERROR_OBJECT = "error_object"
    DOUBLED_KEYS = "doubled_keys"
    DEEP = "deep"
    MANY_KEYS = "many_keys"
    ONLY_BAD_KEYS = "only_bad_keys"


HUGE_SIZE = 100 << 20
_BODIES: dict[Fault, bytes] = {
    Fault.HTML_SAID_TO_BE_JSON: b"<!doctype html><title>Sign in</title>",
    Fault.EMPTY_SET: b'{"keys": []}',
    Fault.NOT_AN_OBJECT: b'"keys"',
    Fault.ERROR_OBJECT: b'{"error": "temporarily_unavailable"}',
    Fault.DEEP: b'{"keys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    Fault.MANY_KEYS: b'{"keys": [' + b",".join([b"{}"] * 100_000) + b"]}",
    Fault.ONLY_BAD_KEYS: b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}, {"kty": "RSA"}, null, 7]}',
}
_STATUSES: dict[Fault, tuple[str, dict[str, str]]] = {
    Fault.STATUS_500: ("500 Internal Server Error", {}),
    Fault.STATUS_404: ("404 Not Found", {}),
    Fault.STATUS_429: ("429 Too Many Requests", {"Retry-After": str(RETRY_AFTER)}),
    Fault.STATUS_304: ("304 Not Modified", {}),
    Fault.REDIRECT_301: ("301 Moved Permanently", {"Location": "/elsewhere"}),
    Fault.REDIRECT_302: ("302 Found", {"Location": "/elsewhere"}),
    Fault.REDIRECT_307: ("307 Temporary Redirect", {"Location": "/elsewhere"}),
    Fault.REDIRECT_308: ("308 Permanent Redirect", {"Location": "/elsewhere"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came; header names in lower case."""

    path: str
    headers: Mapping[str, str] = field(repr=False)


class KeyServer:
    """Serves documents by path. Everything in it may be changed while it runs."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
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
        self.statuses: list[int] = []
        """Of the good answers: 200 or 304."""
        self._tls = tls
        self._port = 0
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()

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

    async def fail(self, fault: Fault | None, path: str = KEYS_PATH) -> None:
        """Fails in that way from now on, at that path; Fault.DOWN closes the port for all. None: works again."""
        self._faults.pop(path, None)
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
            await self._server.wait_closed()
            self._server = None

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.create_task(self._handle(reader, writer))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            request = Request(path=head[0].split(" ")[1], headers=headers)
            self.requests.append(request)
            await self.gate.wait()
            await self._answer(request, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client had enough
        finally:
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        body = self.documents.get(request.path)
        fault = self._faults.get(request.path) if body is not None else Fault.STATUS_404
        if body is None or fault is not None:
            await self._misbehave(fault or Fault.STATUS_404, body or b"", writer)
            return
        etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        extra = {"ETag": etag} if self.etags else {}
        if self.etags and request.headers.get("if-none-match") == etag:
            self.statuses.append(304)
            writer.write(_head("304 Not Modified", extra))
            return
        self.statuses.append(200)
        usual = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        writer.write(_head("200 OK", usual | extra | self.headers) + body)

    async def _misbehave(self, fault: Fault, good: bytes, writer: asyncio.StreamWriter) -> None:
        json_type = {"Content-Type": "application/json"}
        if fault in _STATUSES:
            status, headers = _STATUSES[fault]
            # A client that goes by the body alone would find a good key set here.
            body = b"" if fault is Fault.STATUS_304 else good
            writer.write(_head(status, json_type | headers | self.status_headers) + body)
        elif fault in _BODIES:
            writer.write(_head("200 OK", json_type) + _BODIES[fault])
        else:
            match fault:
                case Fault.RESET:
                    writer.transport.abort()
                case Fault.HANG:
                    await asyncio.Event().wait()
                case Fault.DRIP:
                    writer.write(_head("200 OK", json_type))
                    for number in range(len(good)):
                        writer.write(good[number : number + 1])
                        await writer.drain()
                        await asyncio.sleep(1)
                case Fault.NOT_HTTP:
                    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
                case Fault.ENDLESS_HEADERS:
                    writer.write(b"HTTP/1.1 200 OK\r\n")
                    for _ in range(HUGE_SIZE >> 16):
                        writer.write(b"X-Filler: " + b"x" * (1 << 16) + b"\r\n")
                        await writer.drain()
                case Fault.HTML:
                    writer.write(_head("200 OK", {"Content-Type": "text/html"}) + good)
                case Fault.WRONG_CONTENT_TYPE:
                    writer.write(_head("200 OK", {"Content-Type": "image/png"}) + good)
                case Fault.CUT_OFF:
                    writer.write(_head("200 OK", json_type | {"Content-Length": str(len(good) + 1)}) + good)
                case Fault.CUT_OFF_JSON:
                    writer.write(_head("200 OK", json_type) + good[:-1])
                case Fault.HUGE:
                    writer.write(_head("200 OK", json_type))
                    for _ in range(HUGE_SIZE >> 16):
                        writer.write(b" " * (1 << 16))
                        await writer.drain()
                case Fault.GZIP_BOMB:
                    writer.write(_head("200 OK", json_type | {"Content-Encoding": "gzip"}) + _bomb())
                case Fault.BAD_GZIP:
                    writer.write(_head("200 OK", json_type | {"Content-Encoding": "gzip"}) + good)
                case Fault.UNKNOWN_ENCODING:
                    writer.write(_head("200 OK", json_type | {"Content-Encoding": "br"}) + good)
                case Fault.DOUBLED_KEYS:
                    writer.write(_head("200 OK", json_type) + b'{"keys": [], ' + good.lstrip(b"{"))
                case _:
                    raise ValueError(fault)


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b" " * HUGE_SIZE, 1)


def _head(status: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
