"""The apps that the middleware is tried with: they tell what they got, and stream for as long as they may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.responses import JSONResponse as Json
from starlette.responses import StreamingResponse as Stream
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tools.waiting import until
from usher_client import Decision
from usher_client.asgi import UsherMiddleware, decision_of

CHAT = "/v1/chat/completions"
CHUNK = b'data: {"n": 1}\n\n'
EVERY = 0.02


@dataclass
class Seen:
    """What has reached an app."""

    calls: int = 0
    closed: int = 0
    """Streams whose generator was ended."""
    started: bool = False
    stopped: bool = False

    async def all_closed(self, streams: int) -> None:
        """So many have ended, at last: a generator that was left where it had given something is ended by Python."""
        await asyncio.to_thread(until, lambda: self.closed == streams)


def told(decision: Decision, body: bytes, headers: Any) -> dict[str, Any]:
    """What an app says that it got."""
    principal = decision.principal
    assert principal is not None
    return {
        "subject": principal.subject,
        "team": principal.team_id,
        "model": decision.resolved_model,
        "bytes": len(body),
        "identity": sorted(name for name in headers if name.replace("_", "-").startswith("x-usherd-")),
    }


async def events(seen: Seen) -> AsyncIterator[bytes]:
    """An event stream without end."""
    try:
        while True:
            yield CHUNK
            await asyncio.sleep(EVERY)
    finally:
        seen.closed += 1


def slow_events(seen: Seen) -> Iterator[bytes]:
    """The same in a thread, which nobody can interrupt."""
    try:
        while True:
            yield CHUNK
            time.sleep(EVERY)
    finally:
        seen.closed += 1


def fast_api(seen: Seen, usherd: Any, **options: Any) -> FastAPI:
    """A gateway as FastAPI's users write it."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        seen.started = True
        yield
        seen.stopped = True

    app = FastAPI(lifespan=life)
    app.add_middleware(UsherMiddleware, usherd=usherd, **options)

    def decided(request: Request) -> Decision:
        return decision_of(request.scope)

    @app.post(CHAT)
    @app.post("/openai/deployments/{model}/chat/completions")
    async def chat(request: Request, decision: Decision = Depends(decided)) -> Any:  # noqa: B008
        seen.calls += 1
        body = await request.body()
        if b'"stream"' in body:
            kind = request.headers.get("x-stream", "text/event-stream")
            threaded = "x-threaded" in request.headers
            return StreamingResponse(slow_events(seen) if threaded else events(seen), media_type=kind)
        return JSONResponse(told(decision, body, request.headers))

    @app.get("/open")
    async def nobody(request: Request) -> str:
        seen.calls += 1
        return decision_of(request).reason

    @app.get("/health")
    async def health(request: Request) -> bool:
        return "usher.decision" in request.scope

    return app


def starlette(seen: Seen) -> Starlette:
    """The same without FastAPI, without the middleware, and with websockets."""

    async def chat(request: Any) -> Any:
        seen.calls += 1
        body = await request.body()
        if b'"stream"' in body:
            return Stream(events(seen), media_type=request.headers.get("x-stream", "text/event-stream"))
        return Json(told(decision_of(request), body, request.headers))

    async def listen(request: Any) -> Any:
        seen.calls += 1
        return Stream(events(seen), media_type=request.headers.get("x-stream", "text/event-stream"))

    async def realtime(socket: WebSocket) -> None:
        seen.calls += 1
        await socket.accept()
        try:
            while True:
                text = await socket.receive_text()
                await socket.send_text(f"{decision_of(socket).resolved_model} {text}")
        finally:
            seen.closed += 1

    return Starlette(
        routes=[
            Route(CHAT, chat, methods=["POST"]),
            Route("/v1/models", listen),
            WebSocketRoute("/v1/realtime", realtime),
        ]
    )
