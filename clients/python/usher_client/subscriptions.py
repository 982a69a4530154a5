"""One stream of Subscribe, without the stream: what it has told, what is under way, and what to send next.

It has no clock and does no I/O: `now` is the time of a clock that never goes back, `wall` that of the calendar.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usher_client.answers import decision_of, fault_from, parse, promised_silence
from usher_client.decision import Decision
from usher_client.entries import Counts, Entry, Flight, Outcome, StreamOver
from usher_client.faults import BadAnswer, Overloaded
from usher_client.keeping import MAX_ENTRIES
from usher_client.question_key import Key

MOST_CHANGES = 256
"""Additions and removals in a message, and additions under way."""
MOST_BYTES = 128 * 1024
"""Of a message: the server takes 256 KiB, and ends a stream with a larger one."""
FIRST_WORD = 5.0
"""Seconds from the first addition to the first message, at most."""

LONGEST_FLIGHT = 60.0
"""Seconds that an addition is waited for, while the stream speaks of others."""


class Subscriptions:
    """What one stream has told. It is made when the stream is opened, and thrown away when that is over."""

    def __init__(self, most: int, counts: Counts) -> None:
        self._most = most
        self._counts = counts
        self._held: OrderedDict[Key, Entry] = OrderedDict()
        self._flights: dict[Key, Flight] = {}
        self._by_id: dict[int, Entry | Flight] = {}
        self._last_id = 0
        self._adds: deque[tuple[int, question_pb2.Question]] = deque()
        self._removes: deque[int] = deque()
        self._max_silence = 0.0
        self.there = False
        """Whether its first message has been read."""
        self.due = math.inf
        """When it is over unless something is heard before, by the clock that never goes back."""

    @property
    def entries(self) -> int:
        """How many decisions are kept."""
        return len(self._held)

    # What is asked.

    def look(self, key: Key, now: float, wall: float) -> Decision | None:
        """The decision that may be served. Raises StreamOver when the stream was silent for too long."""
        if now > self.due:
            raise StreamOver(silent=self.there)
        entry = self._held.get(key)
        if entry is None or not self.there:
            return None
        if wall >= entry.until:
            self._give_up(entry)
            return None
        self._held.move_to_end(key)
        return entry.decision

    def join(self, key: Key, question: question_pb2.Question, now: float) -> Flight | None:
        """What to wait for; None: ask by itself. The question is added unless it is under way."""
        if not self.there:
            if not self._flights:
                # Its answer brings the terms. Nobody waits for a stream that may never speak.
                self._add(key, question, now)
                self.due = now + FIRST_WORD
            return None
        flight = self._flights.get(key)
        if flight is None and len(self._flights) < min(MOST_CHANGES, self._most):
            while self._held and len(self._by_id) >= self._most:
                self._give_up(next(iter(self._held.values())))
                self._counts.evicted += 1
            flight = self._add(key, question, now)
        return flight

    @property
    def wants_to_send(self) -> bool:
        """Whether there is something to send."""
        return bool(self._adds or self._removes)

    def next_message(self) -> bytes | None:
        """What to send now; None: nothing."""
        if not self.wants_to_send:
            return None
        message = api.SubscribeRequest()
        # The server adds before it removes: on a stream that is full, one more would be its end.
        full = len(self._by_id) + len(self._removes) > MAX_ENTRIES
        if not (full and self._removes):
            size = 0
            while self._adds and len(message.add) < MOST_CHANGES:
                number, question = self._adds[0]
                size += question.ByteSize() + 32
                if message.add and size > MOST_BYTES:
                    break
                message.add.add(id=number, question=question)
                self._adds.popleft()
        while self._removes and len(message.add) + len(message.remove) < MOST_CHANGES:
            message.remove.append(self._removes.popleft())
        return message.SerializeToString()

    # What is told.

    def heard(self, body: object, now: float, wall: float) -> None:
        """Takes a message. Raises StreamOver when it is, or was, the end."""
        if now > self.due:
            raise StreamOver(silent=self.there)
        try:
            message = parse(api.SubscribeResponse, body)
            if not self.there:
                self._max_silence = promised_silence(message.terms)
        except BadAnswer:
            raise StreamOver from None
        self.there = True
        self.due = now + self._max_silence
        kind = message.WhichOneof("event")
        if message.id == 0:
            if kind != "checkpoint":
                raise StreamOver
            self._let_go(now)
            return
        about = self._by_id.get(message.id)
        if isinstance(about, Flight):
            self._answered(about, message, kind, wall)
        elif about is not None:
            self._told(about, message, kind, wall)

    def close(self) -> None:
        """It is over: who waits asks by itself."""
        self._held.clear()
        self._by_id.clear()
        flights, self._flights = tuple(self._flights.values()), {}
        for flight in flights:
            flight.land(None)

    def _let_go(self, now: float) -> None:
        """Additions that nobody ever answered make room for others."""
        for flight in [each for each in self._flights.values() if now - each.added > LONGEST_FLIGHT]:
            del self._flights[flight.key]
            self._leave(flight.id, over=False)
            flight.land(None)

    def _answered(self, flight: Flight, message: api.SubscribeResponse, kind: str | None, wall: float) -> None:
        del self._flights[flight.key]
        outcome: Outcome = None
        if kind == "decision":
            try:
                decision = decision_of(message.decision)
            except BadAnswer as bad:
                outcome = bad
            else:
                if decision.decision_id == message.decision_id:
                    outcome = decision
                    until = _until(decision, wall)
                    if until is not None:
                        self._by_id[flight.id] = self._held[flight.key] = Entry(flight.id, flight.key, decision, until)
                        flight.land(outcome)
                        return
        elif kind == "fault":
            fault = fault_from(message.fault)
            outcome = None if isinstance(fault, Overloaded) else fault
        elif kind == "ended":
            self._counts.ended += 1
        self._leave(flight.id, over=kind in _OVER)
        flight.land(outcome)

    def _told(self, entry: Entry, message: api.SubscribeResponse, kind: str | None, wall: float) -> None:
        # A decision_id that is another than the one that is held: one of both sides is wrong about what holds.
        known = message.decision_id == entry.decision.decision_id
        if kind == "expiring" and known:
            return
        if kind == "changed":
            self._counts.changed += 1
            if known:
                try:
                    decision = decision_of(message.changed.decision)
                except BadAnswer:
                    pass
                else:
                    until = _until(decision, wall)
                    if until is not None:
                        entry.decision, entry.until = decision, until
                        return
        elif kind == "ended":
            self._counts.ended += 1
        self._give_up(entry, over=kind in _OVER)

    def _add(self, key: Key, question: question_pb2.Question, now: float) -> Flight:
        self._last_id += 1
        flight = Flight(self._last_id, key, now)
        self._flights[key] = self._by_id[flight.id] = flight
        self._adds.append((flight.id, question))
        return flight

    def _give_up(self, entry: Entry, *, over: bool = False) -> None:
        del self._held[entry.key]
        self._leave(entry.id, over=over)

    def _leave(self, number: int, *, over: bool) -> None:
        del self._by_id[number]
        if not over:
            self._removes.append(number)


_OVER = frozenset({"ended", "resync", "fault"})
"""Events with which the server has ended the subscription itself."""


def _until(decision: Decision, wall: float) -> float | None:
    """Until when it may be served, by the calendar; None: it may not be kept."""
    if not decision.cacheable or decision.valid_until is None:
        return None
    until = decision.valid_until.timestamp()
    return until if until > wall else None
