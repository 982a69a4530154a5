"""Serves an ASGI app with a real uvicorn on the loopback, and speaks HTTP to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn

PATIENCE = 20.0


@asynccontextmanager
async def served(app: Any, **options: Any) -> AsyncIterator[str]:
    """`127.0.0.1:port` of the app; its lifespan ends with the context."""
    given = {"lifespan": "on", "log_level": "critical", "ws": "websockets-sansio"} | options
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, **given))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]  # pytest's own stay where they are
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                assert not running.done(), running
                await asyncio.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"{host}:{port}"
    finally:
        server.should_exit = True
        await asyncio.wait({running})


@asynccontextmanager
async def calling(address: str, token: str | None = None, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that address, with that bearer token in every request."""
    sent = headers if token is None else headers | {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=f"http://{address}", headers=sent, timeout=PATIENCE, trust_env=False
    ) as client:
        yield client
