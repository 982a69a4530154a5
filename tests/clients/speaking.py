"""A real gRPC server whose living streams say what a test tells them to, when it tells them to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from clients.scripted import SERVICE, allow, event
from usher.v1 import authorization_service_pb2 as api


@dataclass(eq=False)
class Call:
    """One call of Authorize in MODE_WATCH, or of Subscribe."""

    context: Any
    asked: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    """What was received on it."""
    saying: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, *messages: bytes) -> None:
        for each in messages:
            self.saying.put_nowait(each)

    def end(self, code: grpc.StatusCode = grpc.StatusCode.OK) -> None:
        self.saying.put_nowait(code)

    async def hear(self) -> Any:
        """The next message that was received."""
        async with asyncio.timeout(10):
            return await self.asked.get()

    async def serve(self) -> None:
        try:
            while isinstance(said := await self.saying.get(), bytes):
                await self.context.write(said)
            if said is not grpc.StatusCode.OK:
                await self.context.abort(said, "canary-text")
        finally:
            self.over.set()


@dataclass
class Speaking:
    """The server."""

    target: str = ""
    streams: asyncio.Queue[Call] = field(default_factory=asyncio.Queue)
    """Calls of Subscribe, as they come."""
    watches: asyncio.Queue[Call] = field(default_factory=asyncio.Queue)
    """Calls of Authorize in MODE_WATCH, as they come."""
    asked_once: list[api.AuthorizeRequest] = field(default_factory=list)
    """What was asked in MODE_ONCE."""
    once: Callable[[api.AuthorizeRequest], bytes] = lambda request: event(allow(decision_id="ONCE", cacheable=False))

    async def stream(self) -> Call:
        async with asyncio.timeout(10):
            return await self.streams.get()

    async def watch(self) -> Call:
        async with asyncio.timeout(10):
            return await self.watches.get()


@asynccontextmanager
async def speaking() -> AsyncIterator[Speaking]:
    world = Speaking()

    async def authorize(request: bytes, context: Any) -> None:
        asked = api.AuthorizeRequest.FromString(request)
        if asked.mode == api.MODE_ONCE:
            world.asked_once.append(asked)
            await context.write(world.once(asked))
            return
        call = Call(context)
        call.asked.put_nowait(asked)
        world.watches.put_nowait(call)
        await call.serve()

    async def subscribe(received: Any, context: Any) -> None:
        call = Call(context)
        await context.send_initial_metadata(())
        world.streams.put_nowait(call)

        async def read() -> None:
            async for each in received:
                call.asked.put_nowait(api.SubscribeRequest.FromString(each))

        reading = asyncio.create_task(read())
        try:
            await call.serve()
        finally:
            reading.cancel()

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    methods = {
        "Authorize": grpc.unary_stream_rpc_method_handler(authorize),
        "Subscribe": grpc.stream_stream_rpc_method_handler(subscribe),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    world.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield world
    finally:
        await server.stop(None)
