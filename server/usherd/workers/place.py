"""One worker's place: a process is started, listened to, and followed by another one when it ends.

A place outlives its processes, and its troubles are its own: no other place waits for it or ends with it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import socket
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from usherd.admin.frames import NotAFrame, frame, read_frame
from usherd.workers.backoff import SETTLED, Backoff

REFUSED = 2
"""The exit code of a process that cannot serve by its configuration."""
HUNG_AFTER = 30.0
"""Seconds without an answer after which a process that began is ended: its event loop stands still."""
KILLED_AFTER = 30.0
"""Seconds beyond the drain that a process has to end."""

Command = Callable[[int, int], Sequence[str]]
"""The command that starts a worker, of its number and of the file descriptor of its line."""

_log = logging.getLogger("usherd.workers")


class PlaceState(StrEnum):
    """What a worker does."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    WAITING = "waiting"
    """Its process has ended, and the next one is to be started."""
    ENDED = "ended"


class Refused(Exception):
    """The very first process cannot serve by its configuration, and has said why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Place:
    """The place of one worker."""

    def __init__(
        self, number: int, command: Command, *, on_report: Callable[[int, dict[str, Any]], None], drain: float
    ) -> None:
        """`on_report` hears of each report, and at the end of a process of an empty one; `drain` in seconds."""
        self.number = number
        self.state = PlaceState.STARTING
        self.restarts = 0
        self.told: dict[str, Any] = {}
        """What the process says of its readiness."""
        self.settled = asyncio.Event()
        """Set once the first process serves, or has ended."""
        self.in_order = True
        """Whether the last process ended by itself, with exit code 0."""
        self._command = command
        self._on_report = on_report
        self._drain = drain
        self._backoff = Backoff(random.random)
        self._process: asyncio.subprocess.Process | None = None
        self._line: asyncio.StreamWriter | None = None
        self._stopping = asyncio.Event()
        self._answered = asyncio.Event()
        self._asked_at: float | None = None
        self._gone, self._serving = asyncio.Event(), asyncio.Event()
        self._has_begun = False
        self._serves_since: float | None = None

    @property
    def looping(self) -> bool:
        """Whether it is in a crash loop."""
        return self._backoff.looping

    async def run(self) -> None:
        """Keeps it taken until `drain`. Raises Refused."""
        while True:
            self._serves_since = None
            code = await self._live()
            lived = 0.0 if self._serves_since is None else time.monotonic() - self._serves_since
            self.told, self._asked_at = {}, None
            self._answered.set()
            self._on_report(self.number, {})
            if self._stopping.is_set():
                self.state = PlaceState.ENDED
                self.in_order = code == 0
                return
            if code == REFUSED and self.restarts == 0 and self._serves_since is None:
                self.state = PlaceState.ENDED
                raise Refused(code)
            self.state = PlaceState.WAITING
            self.settled.set()
            was_looping = self.looping
            wait = self._backoff.ended(lived)
            self._tell_end(code, lived, wait)
            if self.looping and not was_looping:
                _log.error("worker_crash_loop", extra={"worker": self.number})
            if await _set_within(self._stopping, wait):
                self.state = PlaceState.ENDED
                return
            self.restarts += 1
            self.state = PlaceState.STARTING

    def _tell_end(self, code: int, lived: float, wait: float) -> None:
        how = {"signal": signal.Signals(-code).name} if code < 0 else {"exit_code": code}
        more = how | {"worker": self.number, "lived": round(lived, 1), "again_in": round(wait, 1)}
        _log.error("worker_ended", extra=more)

    async def _live(self) -> int:
        """The life of one process; its exit code, less than 0 for a signal."""
        ours, theirs = socket.socketpair()
        with theirs:
            command = self._command(self.number, theirs.fileno())
            try:
                # In a group of its own: what a terminal sends to all of us it would hear twice.
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, pass_fds=(theirs.fileno(),), process_group=0
                )
            except OSError as error:
                ours.close()
                _log.error("worker_not_started", extra={"worker": self.number, "error": type(error).__name__})
                return 1
        reader, self._line = await asyncio.open_connection(sock=ours)
        self._has_begun = False
        self._serving.clear()
        self._gone.clear()
        if self._stopping.is_set():
            self._end_process()
        _log.info("worker_started", extra={"worker": self.number, "pid": self._process.pid})
        settling = asyncio.create_task(self._settle(), name="worker settles")
        try:
            await self._listen(reader)
            # It has closed its line, which is its last act: what is left of it is nothing that serves.
            return await self._end_of(self._process)
        finally:
            settling.cancel()
            self._line.close()
            self._line = self._process = None
            self._gone.set()

    async def _end_of(self, process: asyncio.subprocess.Process) -> int:
        try:
            async with asyncio.timeout(KILLED_AFTER):
                return await process.wait()
        except TimeoutError:
            _kill(process)
            return await process.wait()

    async def _settle(self) -> None:
        await self._serving.wait()
        await asyncio.sleep(SETTLED)
        if self.looping:
            _log.warning("worker_recovered", extra={"worker": self.number})
        self._backoff.settled()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                told = await read_frame(reader)
            except NotAFrame:
                _log.error("worker_not_understood", extra={"worker": self.number})
                self.kill()
                return
            if told is None:
                return
            if "hello" in told:
                self._has_begun = True
                self._send({"drain": True} if self._stopping.is_set() else {"ask": True})
            if "serving" in told and self.state is PlaceState.STARTING:
                self.state = PlaceState.SERVING
                self._serves_since = time.monotonic()
                self._serving.set()
                self.settled.set()
                _log.info("worker_serves", extra={"worker": self.number})
            if "report" in told:
                self._hear(told["report"])

    def _hear(self, report: Any) -> None:
        self._asked_at = None
        if isinstance(report, dict) and isinstance(readiness := report.get("told"), dict):
            self.told = readiness
            try:
                self._on_report(self.number, report)
            except (ValueError, TypeError, KeyError, AttributeError):
                _log.error("worker_not_understood", extra={"worker": self.number})
        self._answered.set()

    def ask(self) -> None:
        """Asks for a report, unless the last question is still open; ends a process that leaves it open for long."""
        now = time.monotonic()
        if not self._has_begun or self._line is None:
            return
        if self._asked_at is None:
            self._asked_at = now
            self._answered.clear()
            self._send({"ask": True})
        elif now - self._asked_at > HUNG_AFTER:
            _log.error("worker_hung", extra={"worker": self.number, "seconds": round(now - self._asked_at)})
            self.kill()

    async def answered(self) -> None:
        """Waits for the report that was asked for."""
        await self._answered.wait()

    def reload(self) -> None:
        """Has the process read its configuration again. One that only begins does so when it has begun."""
        self._send({"reload": True})

    async def drain(self) -> None:
        """Ends the process in order, and for good."""
        self._stopping.set()
        if self._process is None:
            return
        self.state = PlaceState.DRAINING
        self._end_process()
        try:
            async with asyncio.timeout(self._drain + KILLED_AFTER):
                await self._gone.wait()
        except TimeoutError:
            _log.error("worker_does_not_end", extra={"worker": self.number})
            self.kill()

    def _end_process(self) -> None:
        if self._has_begun:
            self._send({"drain": True})
        elif self._process is not None and self._process.returncode is None:
            # It does not listen yet, and nobody waits for it.
            self._process.terminate()

    def kill(self) -> None:
        """Ends the process at once."""
        if self._process is not None:
            _kill(self._process)

    def _send(self, told: dict[str, Any]) -> None:
        if self._line is not None and not self._line.is_closing():
            self._line.write(frame(told))


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
