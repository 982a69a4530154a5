"""An HTTP server on loopback that publishes a key document, or misbehaves in the way that a case says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

FETCH_TIMEOUT = 0.3
"""Seconds after which a fetch is given up, where an endpoint is known not to answer."""


@asynccontextmanager
async def publishing(behaviour: Mapping[str, Any], document: bytes) -> AsyncIterator[str]:
    """The URL of the key document, as long as the block lasts.

    `behaviour` has `error` (`connect`: nobody listens; `timeout`: nobody answers; others: the connection is closed),
    `status` (with the document as body) or `body` (a text in place of the document).
    """
    error = behaviour.get("error")
    body = behaviour["body"].encode() if "body" in behaviour else document
    status = behaviour.get("status", 200)
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if error == "timeout":
                await gone.wait()
            elif error is None:
                writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if error == "connect":
        server.close()
    try:
        yield f"http://127.0.0.1:{port}/jwks.json"
    finally:
        gone.set()
        server.close()
