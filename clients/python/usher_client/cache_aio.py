"""The cache of decisions, for asyncio: keeps one stream open, and asks on it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from usher.v1 import question_pb2
from usher_client import clocks
from usher_client.calls_aio import outcome
from usher_client.decision import Decision
from usher_client.entries import Flight, Outcome
from usher_client.faults import UsherFault, fresh
from usher_client.keeping import CacheStatistics, DecisionCache
from usher_client.memory import Memory
from usher_client.question_key import Key
from usher_client.subscriptions import Subscriptions

ByItself = Callable[[float], Awaitable[Decision]]
"""Asks with a call of its own, in so many seconds."""


class AsyncCache:
    """One client's cache; it belongs to the event loop of the first question."""

    def __init__(self, wanted: DecisionCache, subscribe: Callable[[], Any]) -> None:
        """`subscribe` begins a call of Subscribe."""
        self._memory = Memory(wanted)
        self._subscribe = subscribe
        self._to_send = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False

    def at_hand(self, key: Key) -> Decision | None:
        """The decision that may be served without asking."""
        return self._memory.look(key, clocks.now(), time.time())

    async def ask(self, key: Key | None, question: question_pb2.Question, patience: float, alone: ByItself) -> Decision:
        """Asks what is not at hand: on the stream, or `alone`. Without a key it may not be kept. Raises UsherFault."""
        begun = clocks.now()
        if key is None:
            self._memory.passed_by()
        else:
            flight = self._memory.join(key, question, begun)
            self._go_on()
            if flight is not None:
                found = await _landed(flight, patience / 2)
                if isinstance(found, UsherFault):
                    raise fresh(found)
                if found is not None:
                    return found
        self._memory.asked_by_itself()
        return await alone(max(0.001, patience - (clocks.now() - begun)))

    def statistics(self) -> CacheStatistics:
        """What was counted."""
        return self._memory.statistics()

    async def close(self) -> None:
        """Ends the stream; who waits for an answer on it asks by itself."""
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    def _go_on(self) -> None:
        self._to_send.set()
        if self._keeper is None and not self._closed:
            self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            begun = clocks.now()
            await self._one_stream()
            await asyncio.sleep(self._memory.next_wait(clocks.now() - begun, random.random()))  # noqa: S311

    async def _one_stream(self) -> None:
        memory = self._memory
        stream = memory.open(clocks.now())
        try:
            call = self._subscribe()
        except Exception:
            # Such as of the gateway's own function that gives its credential: whoever asks by itself hears of it.
            memory.lose(stream)
            return
        tasks = [asyncio.create_task(self._send(call, stream)), asyncio.create_task(self._overlook(call, stream))]
        try:
            while memory.heard(stream, await outcome(call.read), clocks.now(), time.time()):
                if stream.wants_to_send:
                    self._to_send.set()
        except UsherFault:
            pass  # the stream is lost, and the next one is opened after a while
        finally:
            memory.lose(stream)
            call.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _send(self, call: Any, stream: Subscriptions) -> None:
        try:
            while True:
                self._to_send.clear()
                while (message := stream.next_message()) is not None:
                    await outcome(partial(call.write, message))
                await self._to_send.wait()
        except UsherFault:
            call.cancel()

    async def _overlook(self, call: Any, stream: Subscriptions) -> None:
        """Ends the call when the stream has been silent for too long."""
        while True:
            now = clocks.now()
            if self._memory.overdue(stream, now):
                call.cancel()
                return
            await asyncio.sleep(min(_LOOK, stream.due - now))


_LOOK = 0.5
"""Seconds between two looks at the clock: a machine may sleep longer than its timers know."""


async def _landed(flight: Flight, patience: float) -> Outcome:
    landing: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def tell(found: Outcome) -> None:
        if not landing.done():
            landing.set_result(found)

    flight.waiting.add(tell)
    try:
        async with asyncio.timeout(patience):
            return await landing
    except TimeoutError:
        return None
    finally:
        flight.waiting.discard(tell)
