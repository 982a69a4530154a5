"""Cuts what the app sends once its request is allowed no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from usher_client.asgi.abandoned import let_go
from usher_client.asgi.answering import POLICY_VIOLATION, TRY_AGAIN_LATER, answer_http
from usher_client.asgi.protocol import Message, Send
from usher_client.decision import Decision
from usher_client.gateway.watching import Watched
from usher_client.http.errors import denial_answer, fault_answer, sse_denial, sse_fault

LASTING: Final = 1.0
"""Seconds after which an answer in parts is watched; one that says that it is a stream is watched at once."""
END_WITHIN: Final = 1.0
"""Seconds in which a cut answer gets its end; whoever does not read it is broken off."""


class AnswerCut(ConnectionError):
    """The answer was cut. To the app it is as if the client had gone; to the server it says that nothing is whole."""

    def __init__(self) -> None:
        super().__init__("the answer was cut: the request is allowed no longer")


class Cut:
    """Stands between an app and its client, and lets nothing pass any more once it is made."""

    def __init__(self, send: Send, *, at_once: bool) -> None:
        self._send = send
        self.at_once = at_once
        """Whether to watch from the beginning."""
        self.lasts: Callable[[], None] = lambda: None
        """Is called when what passes turns out to last."""
        self.over: Callable[[], None] = lambda: None
        """Is called when the app has sent all, whatever it does behind that."""
        self.made = False
        self.ended = False
        """Whether the client has been told, so that it takes nothing for whole."""
        self.complete = False
        """Whether the app has sent all."""
        self._idle = asyncio.Event()
        self._idle.set()

    async def send(self, message: Message) -> None:
        """Passes on what the app sends. Raises AnswerCut."""
        if self.made:
            raise AnswerCut
        self._idle.clear()
        try:
            self._before(message)
            await self._send(message)
            self._after(message)
            if self.complete:
                self.close()
                self.over()
        except asyncio.CancelledError:
            if self.made:
                # Frameworks keep what was cancelled in their tasks; an error comes out, and let_go with it.
                raise AnswerCut from None
            raise
        finally:
            self._idle.set()

    async def make(self, denial: Decision | None, host: asyncio.Task[object]) -> None:
        """Cuts, and tells the client why: a denial, or None where nobody knows. `host` is what runs the app."""
        if self.complete:
            return
        self.made = True
        host.cancel()
        try:
            async with asyncio.timeout(END_WITHIN):
                await self._idle.wait()
                self.ended = await self._end(denial)
        except Exception:
            self.ended = False  # the client has gone, or does not read

    def close(self) -> None:
        """Nothing passes any more."""

    def _before(self, message: Message) -> None:
        raise NotImplementedError

    def _after(self, message: Message) -> None:
        raise NotImplementedError

    async def _end(self, denial: Decision | None) -> bool:
        raise NotImplementedError


class HttpCut(Cut):
    """Ends an event stream with an error event. Any other answer that has begun cannot be ended: it is broken off."""

    _begun = _unclear = _events = False
    _tail = b""
    _timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Ends the wait for the answer to last."""
        if self._timer is not None:
            self._timer.cancel()

    def _before(self, message: Message) -> None:
        # Until the server has taken it, nobody knows what the client has got of it.
        self._unclear = True
        if message["type"] != "http.response.start":
            return
        headers = [(name.lower(), value.lower()) for name, value in message.get("headers") or ()]
        kinds = [value.partition(b";")[0].strip() for name, value in headers if name == b"content-type"]
        bound = {name for name, value in headers if value != b"identity"}
        self._events = kinds == [b"text/event-stream"] and bound.isdisjoint({b"content-encoding", b"content-length"})
        if self._events:
            self.lasts()

    def _after(self, message: Message) -> None:
        self._unclear = False
        match message["type"]:
            case "http.response.start":
                self._begun = True
            case "http.response.pathsend":
                self.complete = True
            case "http.response.body" | "http.response.zerocopysend":
                self._tail = (self._tail + message.get("body", b""))[-4:]
                self.complete = not message.get("more_body", False)
                if not self.complete and self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(LASTING, self.lasts)

    async def _end(self, denial: Decision | None) -> bool:
        if self._begun and self._events:
            whole = not self._tail or self._tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))
            event = sse_fault() if denial is None else sse_denial(denial)
            gap = b"" if whole and not self._unclear else b"\n\n"
            await self._send({"type": "http.response.body", "body": gap + event, "more_body": False})
            return True
        if self._begun or self._unclear:
            return False
        await answer_http(fault_answer() if denial is None else denial_answer(denial), self._send)
        return True


class WebSocketCut(Cut):
    """Closes a websocket: 1008 where it is denied, 1013 where nobody knows."""

    def __init__(self, send: Send) -> None:
        super().__init__(send, at_once=False)

    def _before(self, message: Message) -> None:
        pass

    def _after(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                self.lasts()
            case "websocket.close":
                self.complete = True

    async def _end(self, denial: Decision | None) -> bool:
        code = TRY_AGAIN_LATER if denial is None else POLICY_VIOLATION
        reason = "authorization_unavailable" if denial is None else denial.reason.lower()
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
        return True


async def run_until_cut(app: Callable[[], Awaitable[None]], cut: Cut, watched: Watched) -> None:
    """Runs the app to its end, or until it is cut. Raises AnswerCut where the client could not be told of that."""
    host = asyncio.current_task()
    if host is None:
        raise RuntimeError("expected to run in a task")
    cancelled_before = host.cancelling()
    watchers: list[asyncio.Task[None]] = []

    async def watch(host: asyncio.Task[object]) -> None:
        denial: Decision | None = None
        try:
            denial = await watched.not_allowed()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled this task, so a client did that was closed under it: nobody knows any longer.
        await cut.make(denial, host)

    def begin() -> None:
        if not watchers:
            watchers.append(asyncio.get_running_loop().create_task(watch(host)))

    def stop() -> None:
        for each in watchers:
            if not cut.made:
                each.cancel()

    cut.lasts, cut.over = begin, stop
    if cut.at_once:
        begin()
    try:
        await app()
    except (Exception, asyncio.CancelledError) as error:
        if not cut.made:
            raise
        # Whatever the app makes of its end: the answer is no longer its own.
        let_go(error)
    finally:
        cut.close()
        stop()
        if watchers:
            await asyncio.wait(watchers)
    if cut.made:
        if host.uncancel() > cancelled_before:
            raise asyncio.CancelledError
        if not cut.ended:
            raise AnswerCut
