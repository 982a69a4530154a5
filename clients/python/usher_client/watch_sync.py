"""Watches one question, for threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from usher_client import clocks
from usher_client.alarms import Alarms
from usher_client.calls_sync import outcome
from usher_client.decision import Decision
from usher_client.events import Decided, Event, NoLongerAllowed
from usher_client.faults import CallerUnknown, Closed, InternalFault, UsherFault, fresh
from usher_client.turns import Turn, Turns
from usher_client.vigil import Do, Step, Vigil

T = TypeVar("T")


class Watch:
    """What becomes of one question, until it ends for good or nothing can be learned any more.

        with usherd.watch(token, route, model) as watch:
            decision = watch.first()
            ...
            for chunk in watch.guard(completion, completion.close):
                yield chunk

    An iterator of events, for one thread at a time; `close` and `allowed` are for any thread. It asks on its own when
    the stream is lost. Read it without long pauses: what waited to be read for longer than the server may be silent is
    `unknown`. Leaving the context, `close`, or the end of the events ends the call; a watch that is begun must be
    closed or exhausted.
    """

    def __init__(self, begin: Callable[[], Any], patience: float, alarms: Alarms, turns: Turns) -> None:
        """`begin` begins a call of Authorize in MODE_WATCH, or raises UsherFault.

        `patience` is how long an attempt to ask may take, `turns` says when it may begin.
        """
        self._begin = begin
        self._turn = Turn(turns)
        self._begins_at = 0.0
        self._vigil = Vigil(patience)
        self._alarms = alarms
        self._call: Any = None
        self._until = 0.0
        """When the call is given up that is being read."""
        self._closing = threading.Event()
        self._first: Decision | None = None
        self._last: Event | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """The next event; StopIteration after the last. Raises UsherFault when there is no first decision."""
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
                self._go(step)
        raise StopIteration

    @property
    def allowed(self) -> bool:
        """Whether the question was allowed by the last event that was read; False before the first, and once closed."""
        return self._last is not None and self._last.allowed and not self._closing.is_set()

    def first(self) -> Decision:
        """The first decision. Events that are read after it are those after it. Raises UsherFault."""
        if self._first is None:
            for event in self:
                if isinstance(event, Decided):
                    self._first = event.decision
                    break
            else:
                raise Closed
        return self._first

    def not_allowed(self) -> Event:
        """Returns at the first event after which the question is not allowed, which may be the last one that was read.

        It reads the events up to there. Raises UsherFault when there is no first decision, or when the watch is closed.
        """
        if self._last is not None and not self._last.allowed:
            return self._last
        for event in self:
            if not event.allowed:
                return event
        raise Closed

    def guard(self, items: Iterable[T], cut: Callable[[], object] | None = None) -> Iterator[T]:
        """Passes the items on for as long as the question is allowed; a thread reads the events meanwhile.

        `cut` is called in that thread at the moment in which it is not allowed any more: for what ends a wait for the
        next item, such as closing the response that they come from; what that makes the wait end with is not told.
        Raises NoLongerAllowed when it is cut, and UsherFault when there is no first decision. The watch is then closed.
        """
        self.first()
        if not self.allowed:
            raise NoLongerAllowed(self.not_allowed())
        lookout = _Lookout(self, cut)
        lookout.start()
        source = iter(items)
        try:
            while True:
                try:
                    item = next(source, _END)
                except Exception:
                    lookout.check()
                    raise
                lookout.check()
                if item is _END:
                    return
                yield item  # type: ignore[misc]
        finally:
            lookout.over.set()
            self.close()
            lookout.join()

    def close(self) -> None:
        """Ends the call; there are no further events."""
        self._closing.set()
        self._turn.leave()
        call = self._call
        if call is not None:
            call.cancel()

    def _go(self, step: Step) -> None:
        if step.do is Do.READ:
            self._read(step.until)
            return
        self._hang_up()
        if step.do is Do.WAIT:
            self._closing.wait(max(0.0, step.until - clocks.now()))
        else:
            self._vigil.asked(clocks.now(), time.time())
            self._begins_at = clocks.now() + self._turn.take()

    def _ask(self) -> None:
        self._turn.use()
        anew = self._last is not None
        try:
            self._call = self._begin()
        except Closed as closed:
            self._vigil.give_up(closed)
            return
        except UsherFault as fault:
            self._vigil.lost(fault, clocks.now())
            return
        except Exception:
            # Of the gateway's own function that gives its credential; who asks for the first time hears of it.
            if not anew:
                self._closing.set()
                raise
            self._vigil.lost(CallerUnknown(), clocks.now())
            return
        self._until = float("inf")
        if self._closing.is_set():
            # Whoever closed it may not have seen the call.
            self._hang_up()

    def _read(self, until: float) -> None:
        call = self._call
        if call is None:
            if (now := clocks.now()) < self._begins_at:
                self._closing.wait(min(self._begins_at, until) - now)
            elif not self._closing.is_set():
                self._ask()
            return
        sooner, self._until = until < self._until, until
        if sooner:
            self._alarms.at(until, partial(self._overlook, call))
        try:
            body = outcome(partial(next, call, None))
        except UsherFault as fault:
            now = clocks.now()
            # Of a call that was given up because of its time, the time says more.
            self._vigil.lost(fault if now < until else self._vigil.fault_of_time(), now)
            return
        now, wall = clocks.now(), time.time()
        if body is None:
            self._vigil.closed(now, wall)
        else:
            self._vigil.heard(body, now, wall)

    def _overlook(self, call: Any) -> float | None:
        if call is not self._call:
            return None
        if clocks.now() < self._until:
            return self._until
        call.cancel()
        return None

    def _hang_up(self) -> None:
        self._turn.leave()
        call, self._call = self._call, None
        if call is not None:
            call.cancel()


_END = object()


class _Lookout(threading.Thread):
    """Reads the events of a watch beside the work."""

    def __init__(self, watch: Watch, cut: Callable[[], object] | None) -> None:
        super().__init__(name="usher-client-watch", daemon=True)
        self._watch = watch
        self._cut = cut
        self._why: Exception | None = None
        self.over = threading.Event()
        """Whether the work is over by itself."""

    def run(self) -> None:
        try:
            self._why = NoLongerAllowed(self._watch.not_allowed())
        except UsherFault as fault:
            self._why = fault
        except Exception:
            self._why = InternalFault()
        if self._cut is not None and not self.over.is_set():
            self._cut()

    def check(self) -> None:
        """Raises what the work is to be cut with."""
        if self._why is not None:
            raise self._why
        if not self._watch.allowed:
            # It is about to say why.
            self.join()
            self.check()
