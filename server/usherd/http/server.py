"""Serves pages over HTTP/1.1, one request a connection: bounded in connections, in bytes and in time.

h11 reads and writes the protocol. It is there already, below httpx; a server framework would bring its own signals and
log, and bounds neither how long a request takes to arrive nor how many connections stand open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import h11

MAX_HEAD = 8192
"""Bytes of a request's line and headers."""
MAX_CONNECTIONS = 32
"""Connections at a time. A further one takes the place of the one that has been silent for longest; where all have sent
their requests, it is closed at once."""
PATIENCE = 5.0
"""Seconds from the first byte of a request to the last of its answer."""
_CHUNK = 4096

_log = logging.getLogger("usherd.http")


class Page(NamedTuple):
    """An answer."""

    status: int
    content_type: str
    body: bytes
    www_authenticate: str = ""
    """What is said of credentials (RFC 9110, section 11.6.1); empty: nothing."""


Write = Callable[[str], Awaitable[Page]]
"""Makes a page. It is given the request's `Accept`, empty where there is none."""


class Headers(NamedTuple):
    """What a request says besides its line, of what pages may read."""

    authorization: tuple[str, ...]
    """Each `Authorization` header that there is."""
    cookie: str
    """Its cookies, however many headers they came in (RFC 9113, section 8.2.3)."""

    def __repr__(self) -> str:
        return "Headers(...)"


class ForHolder:
    """A page that says something else to each who asks."""

    def __init__(self, write: Callable[[Headers], Awaitable[Page]]) -> None:
        self.write = write


class HttpUnusable(Exception):
    """The server cannot listen where it was told to."""


def text_page(status: int, text: str) -> Page:
    """A page of a few words."""
    return Page(status, "text/plain; charset=utf-8", f"{text}\n".encode())


@asynccontextmanager
async def serving(
    pages: Mapping[str, Write | ForHolder],
    host: str,
    port: int,
    *,
    connections: int = MAX_CONNECTIONS,
    patience: float = PATIENCE,
    tls: ssl.SSLContext | None = None,
    shared: bool = False,
) -> AsyncIterator[int]:
    """Serves the pages, by path, until the block is left; gives the port. With `tls`, over TLS; `shared`: other
    processes of this user may listen there, too. Raises HttpUnusable.
    """
    exchanges = _Exchanges(pages, connections, patience)
    try:
        server = await asyncio.start_server(
            exchanges.accepted,
            host,
            port,
            limit=_CHUNK,
            backlog=connections,
            reuse_port=shared,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else patience,
        )
    except OSError:
        raise HttpUnusable("cannot listen: it is taken, or not of this machine") from None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await exchanges.end()


class _Exchanges:
    """The connections that are open."""

    def __init__(self, pages: Mapping[str, Write | ForHolder], connections: int, patience: float) -> None:
        self._pages = pages
        self._room = connections
        self._patience = patience
        self._open: set[asyncio.Task[None]] = set()
        self._silent: dict[asyncio.Task[None], asyncio.WriteTransport] = {}
        """Those of them whose request has not come yet, in the order in which they came."""

    def accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._room and not self._make_room():
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="http exchange")
        self._open.add(task)
        self._silent[task] = writer.transport
        task.add_done_callback(self._forget)

    def _make_room(self) -> bool:
        # Else whoever holds all places and says nothing would keep the probes of the process out, which ends it.
        for task, transport in self._silent.items():
            # A task that has not begun would not do that itself.
            transport.abort()
            task.cancel()
            self._forget(task)
            return True
        return False

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        self._silent.pop(task, None)

    async def end(self) -> None:
        """Ends what is left."""
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # Whoever is slow, or went away, has no answer.
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(self._patience):
                    await self._exchange(reader, writer)
                    writer.close()
                    await writer.wait_closed()
        except Exception as bug:
            # What it says may hold anything.
            _log.error("http_fault", extra={"error": type(bug).__name__})
        finally:
            # What was not sent by now is dropped.
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        request: h11.Request | None = None
        try:
            request = await _request(connection, reader)
            if request is None:
                return
            self._has_spoken()
            page = await self._answer(request)
        except h11.RemoteProtocolError as error:
            page = text_page(error.error_status_hint, "not a request that is understood")
        headers = {
            "content-type": page.content_type,
            "content-length": str(len(page.body)),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "connection": "close",
        }
        if page.www_authenticate:
            headers["www-authenticate"] = page.www_authenticate
        if page.status == 405:
            headers["allow"] = "GET, HEAD"
        answer = connection.send(h11.Response(status_code=page.status, headers=list(headers.items()))) or b""
        if request is None or request.method != b"HEAD":
            answer += connection.send(h11.Data(data=page.body)) or b""
        writer.write(answer)
        await writer.drain()

    def _has_spoken(self) -> None:
        if (task := asyncio.current_task()) is not None:
            self._silent.pop(task, None)

    async def _answer(self, request: h11.Request) -> Page:
        write = self._pages.get(request.target.partition(b"?")[0].decode("latin-1"))
        if write is None:
            return text_page(404, "no such page")
        if request.method not in (b"GET", b"HEAD"):
            return text_page(405, "only GET and HEAD")
        try:
            if isinstance(write, ForHolder):
                return await write.write(_headers(request))
            accept = b", ".join(_values(request, b"accept"))
            return await write(accept.decode("latin-1"))
        except Exception as bug:
            _log.error("http_fault", extra={"error": type(bug).__name__})
            return text_page(500, "internal error")


def _values(request: h11.Request, wanted: bytes) -> list[bytes]:
    return [value for name, value in request.headers if name == wanted]


def _headers(request: h11.Request) -> Headers:
    shown = tuple(value.decode("latin-1") for value in _values(request, b"authorization"))
    return Headers(shown, b"; ".join(_values(request, b"cookie")).decode("latin-1"))


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """The request; None when its sender went away. What it sends besides is not read. Raises RemoteProtocolError."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await reader.read(_CHUNK))
