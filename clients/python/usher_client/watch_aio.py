"""Watches one question, for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc.aio

from usher_client import clocks
from usher_client.calls_aio import outcome
from usher_client.decision import Decision
from usher_client.events import Decided, Event, NoLongerAllowed
from usher_client.faults import CallerUnknown, Closed, UsherFault, fresh
from usher_client.turns import Turn, Turns
from usher_client.vigil import Do, Step, Vigil

T = TypeVar("T")


class AsyncWatch:
    """What becomes of one question, until it ends for good or nothing can be learned any more.

        async with usherd.watch(token, route, model) as watch:
            decision = await watch.first()
            ...
            async for chunk in watch.guard(completion):
                yield chunk

    An async iterator of events, for one task at a time. It asks on its own when the stream is lost. Read it without
    long pauses: what waited to be read for longer than the server may be silent is `unknown`. Leaving the context,
    `close`, or the end of the events ends the call; a watch that is begun must be closed or exhausted.
    """

    def __init__(self, begin: Callable[[], Any], patience: float, turns: Turns) -> None:
        """`begin` begins a call of Authorize in MODE_WATCH, or raises UsherFault.

        `patience` is how long an attempt to ask may take, `turns` says when it may begin.
        """
        self._begin = begin
        self._turn = Turn(turns)
        self._begins_at = 0.0
        self._vigil = Vigil(patience)
        self._call: Any = None
        self._reading: asyncio.Task[object] | None = None
        self._closing = asyncio.Event()
        self._first: Decision | None = None
        self._last: Event | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event; StopAsyncIteration after the last. Raises UsherFault when there is no first decision."""
        while not self._closing.is_set():
            event = self._vigil.next_event()
            if event is not None:
                self._last = event
                return event
            step = self._vigil.step(clocks.now(), time.time())
            if step.do is Do.STOP:
                self._hang_up()
                # Its last event may be there by now.
                if (event := self._vigil.next_event()) is not None:
                    self._last = event
                    return event
                self._closing.set()
                if self._vigil.failed and self._vigil.fault is not None:
                    raise fresh(self._vigil.fault)
            else:
                await self._go(step)
        raise StopAsyncIteration

    @property
    def allowed(self) -> bool:
        """Whether the question was allowed by the last event that was read; False before the first, and once closed."""
        return self._last is not None and self._last.allowed and not self._closing.is_set()

    async def first(self) -> Decision:
        """The first decision. Events that are read after it are those after it. Raises UsherFault."""
        if self._first is None:
            async for event in self:
                if isinstance(event, Decided):
                    self._first = event.decision
                    break
            else:
                raise Closed
        return self._first

    async def not_allowed(self) -> Event:
        """Returns at the first event after which the question is not allowed, which may be the last one that was read.

        It reads the events up to there. For cutting a request that streams: wait for it beside the work, and stop
        the work when it returns. Raises UsherFault when there is no first decision, or when the watch is closed.
        """
        if self._last is not None and not self._last.allowed:
            return self._last
        async for event in self:
            if not event.allowed:
                return event
        raise Closed

    async def guard(self, items: AsyncIterable[T]) -> AsyncIterator[T]:
        """Passes the items on for as long as the question is allowed; then `items` is closed, even while it waits.

        Raises NoLongerAllowed when it is cut, and UsherFault when there is no first decision. It reads the events.
        """
        source = aiter(items)
        cut: asyncio.Future[Event] | None = None
        item: asyncio.Future[T | _End] | None = None
        try:
            await self.first()
            if not self.allowed:
                raise NoLongerAllowed(await self.not_allowed())
            cut = asyncio.ensure_future(self.not_allowed())
            while True:
                item = asyncio.ensure_future(_next(source))
                # What came together with the cut is cut.
                await asyncio.wait((cut, item), return_when=asyncio.FIRST_COMPLETED)
                if cut.done() or not self.allowed:
                    raise NoLongerAllowed(await cut)
                came = item.result()
                if isinstance(came, _End):
                    return
                yield came
        finally:
            await _let_go(cut, item)
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()

    async def close(self) -> None:
        """Ends the call; there are no further events."""
        self._closing.set()
        self._hang_up()

    async def _go(self, step: Step) -> None:
        if step.do is Do.READ:
            await self._read(step.until)
            return
        self._hang_up()
        if step.do is Do.WAIT:
            await self._rest(step.until)
        else:
            self._vigil.asked(clocks.now(), time.time())
            self._begins_at = clocks.now() + self._turn.take()

    async def _rest(self, until: float) -> None:
        try:
            async with asyncio.timeout(until - clocks.now()):
                await self._closing.wait()
        except TimeoutError:
            return

    def _ask(self) -> None:
        self._turn.use()
        anew = self._last is not None
        try:
            self._call = self._begin()
        except Closed as closed:
            self._vigil.give_up(closed)
        except UsherFault as fault:
            self._vigil.lost(fault, clocks.now())
        except Exception:
            # Of the gateway's own function that gives its credential; who asks for the first time hears of it.
            if not anew:
                self._closing.set()
                raise
            self._vigil.lost(CallerUnknown(), clocks.now())

    async def _read(self, until: float) -> None:
        if self._call is None:
            if clocks.now() < self._begins_at:
                await self._rest(min(self._begins_at, until))
            elif not self._closing.is_set():
                self._ask()
            return
        if self._reading is None:
            self._reading = asyncio.ensure_future(outcome(self._call.read))
            self._reading.add_done_callback(_seen)  # of a watch that is left, nobody comes back for it
        reading = self._reading
        await asyncio.wait((reading,), timeout=max(0.0, min(until - clocks.now(), clocks.LOOKS_EVERY)))
        if not reading.done() or self._reading is not reading:
            return
        self._reading = None
        now, wall = clocks.now(), time.time()
        try:
            body = reading.result()
        except UsherFault as fault:
            self._vigil.lost(fault, now)
        else:
            if body is grpc.aio.EOF:
                self._vigil.closed(now, wall)
            else:
                self._vigil.heard(body, now, wall)

    def _hang_up(self) -> None:
        self._turn.leave()
        call, self._call = self._call, None
        self._reading = None
        if call is not None:
            call.cancel()


class _End:
    """There is no next item."""


_END: Final = _End()


async def _next(source: AsyncIterator[T]) -> T | _End:
    try:
        return await anext(source)
    except StopAsyncIteration:
        return _END


def _seen(task: asyncio.Future[Any]) -> None:
    # Else asyncio would complain about a fault that nobody waits for any more.
    if not task.cancelled():
        task.exception()


async def _let_go(*tasks: asyncio.Future[Any] | None) -> None:
    running = [each for each in tasks if each is not None]
    for each in running:
        each.cancel()
    if running:
        await asyncio.wait(running)
    for each in running:
        _seen(each)
