"""The cache of decisions, for threads: keeps one stream open, and asks on it."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from usher.v1 import question_pb2
from usher_client import clocks
from usher_client.alarms import Alarms
from usher_client.calls_sync import outcome
from usher_client.decision import Decision
from usher_client.entries import Outcome
from usher_client.faults import UsherFault, fresh
from usher_client.keeping import CacheStatistics, DecisionCache
from usher_client.memory import Memory
from usher_client.question_key import Key
from usher_client.subscriptions import Subscriptions

ByItself = Callable[[float], Decision]
"""Asks with a call of its own, in so many seconds."""


class Cache:
    """One client's cache. Whoever touches the memory holds the lock, and nobody waits for anything else meanwhile."""

    def __init__(self, wanted: DecisionCache, subscribe: Callable[[Iterator[bytes]], Any], alarms: Alarms) -> None:
        """`subscribe` begins a call of Subscribe with what is to be sent on it."""
        self._memory = Memory(wanted)
        self._subscribe = subscribe
        self._alarms = alarms
        self._lock = threading.Lock()
        self._to_send = threading.Condition(self._lock)
        self._keeper: threading.Thread | None = None
        self._closed = threading.Event()

    def at_hand(self, key: Key) -> Decision | None:
        """The decision that may be served without asking."""
        with self._lock:
            return self._memory.look(key, clocks.now(), time.time())

    def ask(self, key: Key | None, question: question_pb2.Question, patience: float, alone: ByItself) -> Decision:
        """Asks what is not at hand: on the stream, or `alone`. Without a key it may not be kept. Raises UsherFault."""
        begun = clocks.now()
        if key is None:
            with self._lock:
                self._memory.passed_by()
        else:
            found = self._asked(key, question, begun, patience / 2)
            if isinstance(found, UsherFault):
                raise fresh(found)
            if found is not None:
                return found
        with self._lock:
            self._memory.asked_by_itself()
        return alone(max(0.001, patience - (clocks.now() - begun)))

    def statistics(self) -> CacheStatistics:
        """What was counted."""
        with self._lock:
            return self._memory.statistics()

    def close(self) -> None:
        """Ends the stream; who waits for an answer on it asks by itself."""
        self._closed.set()
        with self._lock:
            if self._memory.stream is not None:
                self._memory.lose(self._memory.stream)
            self._to_send.notify_all()

    def _asked(self, key: Key, question: question_pb2.Question, now: float, patience: float) -> Outcome:
        landed: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        with self._lock:
            flight = self._memory.join(key, question, now)
            if flight is not None:
                flight.waiting.add(landed.put)
            self._to_send.notify_all()
            if self._keeper is None and not self._closed.is_set():
                self._keeper = threading.Thread(target=self._keep, name="usher-client-cache", daemon=True)
                self._keeper.start()
        if flight is None:
            return None
        try:
            return landed.get(timeout=patience)
        except queue.Empty:
            return None
        finally:
            with self._lock:
                flight.waiting.discard(landed.put)

    def _keep(self) -> None:
        while not self._closed.is_set():
            begun = clocks.now()
            self._one_stream()
            with self._lock:
                wait = self._memory.next_wait(clocks.now() - begun, random.random())  # noqa: S311
            self._closed.wait(wait)

    def _one_stream(self) -> None:
        with self._lock:
            stream = self._memory.open(clocks.now())
        call = None
        try:
            call = self._begun(stream)
            if call is not None:
                self._alarms.at(0.0, partial(self._overlook, call, stream))
                while self._heard(stream, outcome(partial(next, call, None))):
                    pass
        except UsherFault:
            pass  # the stream is lost, and the next one is opened after a while
        finally:
            with self._lock:
                self._memory.lose(stream)
                self._to_send.notify_all()
            if call is not None:
                call.cancel()

    def _begun(self, stream: Subscriptions) -> Any:
        try:
            return self._subscribe(self._messages(stream))
        except Exception:
            # Such as of the gateway's own function that gives its credential: whoever asks by itself hears of it.
            return None

    def _heard(self, stream: Subscriptions, body: object) -> bool:
        with self._lock:
            heard = self._memory.heard(stream, body, clocks.now(), time.time())
            if stream.wants_to_send:
                self._to_send.notify_all()
            return heard

    def _messages(self, stream: Subscriptions) -> Iterator[bytes]:
        while True:
            with self._lock:
                while True:
                    if self._memory.stream is not stream:
                        return
                    message = stream.next_message()
                    if message is not None:
                        break
                    self._to_send.wait()
            yield message

    def _overlook(self, call: Any, stream: Subscriptions) -> float | None:
        """Ends the call when the stream has been silent for too long, or is over otherwise."""
        now = clocks.now()
        with self._lock:
            over = self._memory.overdue(stream, now)
        if over:
            call.cancel()
            return None
        return min(now + _LOOK, stream.due)


_LOOK = 0.5
"""Seconds between two looks at the clock: a machine may sleep longer than its timers know."""
