"""A worker's end of its line to the supervisor: it hears what to do, and tells how it is when it is asked.

The line is also what ties them together: a worker whose supervisor is gone ends at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from usherd.admin.frames import NotAFrame, frame, framed, read_frame

ALONE = 70
"""The exit code of a worker whose supervisor is gone."""

Report = Callable[[], Awaitable[bytes]]
"""Makes a report: JSON."""

_log = logging.getLogger("usherd.workers")


async def _nothing_yet() -> bytes:
    return b"{}"


class Post:
    """Whatever is heard before somebody listens is done when somebody does."""

    def __init__(self, line: socket.socket, *, address: str, counts: bool, sessions: str | None = None) -> None:
        """`address` is where this worker is to serve, `sessions` where it is to tell sessions over HTTP, if anywhere;
        `counts`: whether its metrics are wanted."""
        self.address = address
        self.sessions = sessions
        self.counts = counts
        self._line = line
        self._report: Report = _nothing_yet
        self._on_reload: Callable[[], None] | None = None
        self._reload_wanted = False
        self._writer: asyncio.StreamWriter | None = None
        self._sending = asyncio.Lock()

    @asynccontextmanager
    async def open(self, drain: Callable[[], None]) -> AsyncIterator[None]:
        """Hears the supervisor until the block is left; `drain` is called when the worker is to end."""
        reader, self._writer = await asyncio.open_connection(sock=self._line)
        await self._send(frame({"hello": os.getpid()}))
        hearing = asyncio.create_task(self._hear(reader, drain), name="supervisor")
        try:
            yield
        finally:
            hearing.cancel()
            self._writer.close()

    def report_with(self, report: Report) -> None:
        """From now on that makes the reports."""
        self._report = report

    def on_reload(self, reload: Callable[[], None]) -> None:
        """From now on that is called when the configuration is to be read again; at once if it was to be before."""
        self._on_reload = reload
        if self._reload_wanted:
            reload()

    async def serving(self) -> None:
        """Tells that this worker listens."""
        await self._send(frame({"serving": True}))

    async def _hear(self, reader: asyncio.StreamReader, drain: Callable[[], None]) -> None:
        while True:
            try:
                told = await read_frame(reader)
            except NotAFrame:
                told = None
            if told is None:
                # Nobody would end this process any more, or start it again.
                _log.error("supervisor_gone")
                logging.shutdown()
                os._exit(ALONE)
            if "drain" in told:
                drain()
            if "reload" in told:
                self._reload_wanted = True
                if self._on_reload is not None:
                    self._on_reload()
            if "ask" in told:
                await self.tell()

    async def tell(self) -> None:
        """Reports, whether it was asked or not."""
        try:
            report = await self._report()
        except Exception as bug:
            # A report less is no reason to end; what an exception says may hold anything.
            _log.error("report_failed", extra={"error": type(bug).__name__})
            report = b"{}"
        await self._send(framed(b'{"report": ' + report + b"}"))

    async def _send(self, message: bytes) -> None:
        if self._writer is None:
            return
        async with self._sending:
            try:
                self._writer.write(message)
                # Waits where the supervisor does not read: only reports wait with it, and no call.
                await self._writer.drain()
            except OSError:
                return
