"""Bounds what calls may cost: how long each may last, and how much work is done at a time."""

from __future__ import annotations

import asyncio
import time
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from usherd.errors import OutOfTime, Overloaded, ShuttingDown

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one server takes on."""

    deadline: float = 2.0
    """Seconds a call may last at most, whatever its caller allows."""
    concurrency: int = 1024
    """Questions in work at a time; each item of a batch is one."""
    queue: int = 1024
    """Calls that may wait for their turn."""
    queue_time: float = 0.1
    """Seconds a call waits for its turn."""
    watchers: int = 64
    """Living streams of the health service; as many more may watch the directory."""
    management: int = 32
    """Calls in work at a time that manage what is kept: they never take the place of questions."""
    management_wait: float = 1.0
    """Seconds that such a call waits for its turn."""
    management_deadline: float = 30.0
    """Seconds that such a call may last at most: a thousand rows in one transaction take some."""
    living_streams: int = 10_000
    """Streams of living decisions at a time; they count neither against `concurrency` nor against `deadline`."""
    living_decisions: int = 100_000
    """Living decisions at a time, on all streams together."""
    checkpoint_every: float = 5.0
    """Seconds between two checkpoints on a stream."""
    max_staleness: float = 5.0
    """Seconds for which a living decision may fail to be looked at again."""
    read_within: float = 10.0
    """Seconds in which an event has to be taken by whoever reads the stream."""
    streams: int = 100
    """Calls at a time on one connection; clients are told, and hold back the rest."""
    backlog: int = 128
    """Calls that may wait in gRPC's core to be taken up, over all connections; further ones are refused. More than
    `streams`: one connection alone is never refused."""
    connections: int = 2000
    """Connections at a time, those that have not greeted included."""
    connection_age: float = 600.0
    """Seconds that a connection is used."""
    connection_grace: float = 10.0
    """Seconds that calls may finish after that."""
    connection_idle: float = 300.0
    """Seconds that a connection without a call stays."""
    handshake: float = 5.0
    """Seconds that a new connection may take to greet."""


async def within(seconds: float, work: Coroutine[Any, Any, Answer]) -> Answer:
    """What `work` returns. Raises OutOfTime after `seconds`, and cancels it.

    Most calls never wait for anything: `work` is run up to its first wait before a timer is armed, which otherwise
    would cost such a call more than all other bookkeeping.
    """
    if seconds <= 0:
        work.close()
        raise OutOfTime
    try:
        awaited = work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    try:
        async with asyncio.timeout(seconds) as timer:
            return await _rest(work, awaited)
    except TimeoutError:
        if not timer.expired():
            raise
    raise OutOfTime


@types.coroutine
def _rest(work: Coroutine[Any, Any, Answer], awaited: Any) -> Generator[Any, Any, Answer]:
    """Goes on with a coroutine that has run up to its first wait, as `await` would."""
    try:
        while True:
            try:
                sent = yield awaited
            except BaseException as thrown:  # forwarded, not swallowed: a cancellation belongs to `work`
                awaited = work.throw(thrown)
            else:
                awaited = work.send(sent)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


class Load(NamedTuple):
    """How much work a server has at a moment."""

    calls: int
    """Calls that are inside of the gate or wait before it. Answers at hand need neither."""
    waiting: int
    """Those that wait."""
    questions: int
    """Questions in work."""
    capacity: int
    """As many as are let in at a time."""


class Gate:
    """Lets in so much work at a time, in order of arrival, and everybody else waits a short while."""

    def __init__(self, limits: Limits, on_wait: Callable[[float], None] | None = None) -> None:
        """`on_wait` hears how many seconds each call waited that had to, whether it was let in then or not."""
        self._on_wait = on_wait
        self._calls = 0
        self._capacity = limits.concurrency
        self._queue_time = limits.queue_time
        self._queue_size = limits.queue
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._inside = 0
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._answering = asyncio.Event()
        self._answering.set()

    @property
    def inside(self) -> int:
        """The weight of the work that is inside."""
        return self._inside

    def load(self) -> Load:
        """The work that there is now."""
        waiting = len(self._waiting)
        return Load(self._calls + waiting, waiting, self._inside, self._capacity)

    @property
    def closed(self) -> bool:
        """Whether nobody is let in any more."""
        return self._closed

    def weigh(self, questions: int) -> int:
        """The weight of a call with so many questions: never more than fits in."""
        return min(questions, self._capacity)

    async def enter(self, weight: int) -> None:
        """Returns when the work may begin; `leave(weight)` must follow, whatever happens.

        Raises Overloaded when there was no room in time, ShuttingDown after `close`.
        """
        if self._closed:
            await self._answering.wait()
            raise ShuttingDown
        if not self._waiting and self._inside + weight <= self._capacity:
            self._take(weight)
            return
        if len(self._waiting) >= self._queue_size:
            raise Overloaded
        await self._wait(weight)

    async def _wait(self, weight: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        entry = (weight, turn)
        self._waiting.append(entry)
        admitted = False
        since = time.monotonic()
        try:
            async with asyncio.timeout(self._queue_time):
                await turn
            admitted = True
        except TimeoutError:
            raise Overloaded from None
        finally:
            if self._on_wait is not None:
                self._on_wait(time.monotonic() - since)
            if not admitted:
                self._withdraw(entry)

    def _withdraw(self, entry: tuple[int, asyncio.Future[None]]) -> None:
        if entry in self._waiting:
            self._waiting.remove(entry)
            self._admit()
        elif not entry[1].cancelled() and entry[1].exception() is None:
            # Its turn came in the same instant as its end.
            self.leave(entry[0])

    def leave(self, weight: int) -> None:
        """Makes room again."""
        self._inside -= weight
        self._calls -= 1
        self._admit()
        if self._inside == 0:
            self._empty.set()

    def _take(self, weight: int) -> None:
        self._inside += weight
        self._calls += 1
        self._empty.clear()

    def _admit(self) -> None:
        while self._waiting and self._inside + self._waiting[0][0] <= self._capacity:
            weight, turn = self._waiting.popleft()
            if not turn.done():
                self._take(weight)
                turn.set_result(None)

    def close(self) -> None:
        """From now on nobody gets in; what is inside may finish."""
        self._closed = True
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(ShuttingDown())

    async def empty(self) -> None:
        """Returns when nobody is inside."""
        await self._empty.wait()

    def hold(self) -> None:
        """Lets those who come to the closed gate stand there without a word, until `release`."""
        self._answering.clear()

    def release(self) -> None:
        """Turns away those who stand there."""
        self._answering.set()


def management_gate(limits: Limits) -> Gate:
    """The gate of calls that manage what is kept."""
    return Gate(replace(limits, concurrency=limits.management, queue_time=limits.management_wait))
