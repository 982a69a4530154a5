"""Stands between a client and a server, and goes silent when it is told to: bytes are not lost, but reach nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class SilentProxy:
    """Passes bytes on, both ways, unless it is silent; connections stay open all the while."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._speaking = asyncio.Event()
        self._speaking.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.target = ""

    def fall_silent(self) -> None:
        """What is sent from now on stays here."""
        self._speaking.clear()

    def lose_connections(self) -> None:
        """Those that are open now stay open and silent for good; new ones are served."""
        self._speaking.clear()
        self._speaking = asyncio.Event()
        self._speaking.set()

    def speak(self) -> None:
        """Everything that stayed here goes on its way, but for what connections have that are lost."""
        self._speaking.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves a connection."""
        speaking = self._speaking
        await speaking.wait()
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.close()
            return
        for one, other in ((reader, up_writer), (up_reader, writer)):
            task = asyncio.create_task(self._pass(one, other, speaking))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends all connections."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, speaking: asyncio.Event) -> None:
        with suppress(OSError):
            try:
                while data := await reader.read(65536):
                    await speaking.wait()
                    writer.write(data)
                    await writer.drain()
            finally:
                writer.close()


@asynccontextmanager
async def silent_proxy(target: str) -> AsyncIterator[SilentProxy]:
    """A proxy on a port of its own before that target, `host:port`."""
    host, _, port = target.rpartition(":")
    proxy = SilentProxy(host, int(port))
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.speak()
        await proxy.close()
