"""What a client has been told and has not been told otherwise. No clock and no I/O; a lock, if any, is its owner's."""

from __future__ import annotations

from usher.v1 import question_pb2
from usher_client.decision import Decision
from usher_client.entries import Counts, Flight, StreamOver
from usher_client.keeping import CacheStatistics, DecisionCache
from usher_client.question_key import Key, keepable
from usher_client.subscriptions import Subscriptions

LASTED = 5.0
"""Seconds that a stream has to last for the next one to be opened soon."""
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0


class Memory:
    """Serves what the stream that is open has told, and nothing else: with the stream, everything is gone at once."""

    def __init__(self, wanted: DecisionCache) -> None:
        self._most = wanted.max_entries
        self._counts = Counts()
        self._wait = 0.0
        self._first: tuple[Key, question_pb2.Question] | None = None
        self.stream: Subscriptions | None = None
        """What the stream that is open has told."""

    def look(self, key: Key, now: float, wall: float) -> Decision | None:
        """The decision that may be served."""
        stream = self.stream
        if stream is not None:
            try:
                decision = stream.look(key, now, wall)
            except StreamOver as over:
                self.lose(stream, silent=over.silent)
            else:
                if decision is not None:
                    self._counts.hits += 1
                    return decision
        self._counts.misses += 1
        return None

    def join(self, key: Key, question: question_pb2.Question, now: float) -> Flight | None:
        """What to wait for; None: ask by itself."""
        if not keepable(key, question):
            return None
        if self.stream is None:
            self._first = (key, question)
            return None
        return self.stream.join(key, question, now)

    def passed_by(self) -> None:
        """A question cannot be kept, whatever its answer."""
        self._counts.misses += 1

    def asked_by_itself(self) -> None:
        """A question is asked with a call of its own."""
        self._counts.asked_by_itself += 1

    def open(self, now: float) -> Subscriptions:
        """A stream is being opened, and there was none. The last question that was asked meanwhile is its first."""
        self.stream = Subscriptions(self._most, self._counts)
        if self._first is not None:
            self.stream.join(*self._first, now)
            self._first = None
        return self.stream

    def heard(self, stream: Subscriptions, body: object, now: float, wall: float) -> bool:
        """Takes a message of that stream. False: it is over, and whoever reads it is to end it."""
        if stream is not self.stream:
            return False
        try:
            stream.heard(body, now, wall)
        except StreamOver as over:
            self.lose(stream, silent=over.silent)
        return stream is self.stream

    def overdue(self, stream: Subscriptions, now: float) -> bool:
        """Whether that stream is over, by silence or otherwise, and whoever reads it is to end it."""
        if stream is self.stream and now >= stream.due:
            self.lose(stream, silent=stream.there)
        return stream is not self.stream

    def lose(self, stream: Subscriptions, *, silent: bool = False) -> None:
        """That stream is over; nothing happens if that was known."""
        if stream is not self.stream:
            return
        self.stream = None
        self._counts.streams_lost += stream.there
        self._counts.silences += silent
        stream.close()

    def next_wait(self, lasted: float, chance: float) -> float:
        """Seconds until a stream is opened after one that lasted so long; `chance`, from 0 to 1, spreads clients."""
        self._wait = min(_LONGEST_WAIT, _FIRST_WAIT if lasted >= LASTED or not self._wait else 2 * self._wait)
        return self._wait * (0.8 + 0.4 * chance)

    def statistics(self) -> CacheStatistics:
        """What was counted."""
        counts = self._counts
        return CacheStatistics(
            entries=0 if self.stream is None else self.stream.entries,
            hits=counts.hits,
            misses=counts.misses,
            asked_by_itself=counts.asked_by_itself,
            evicted=counts.evicted,
            changed=counts.changed,
            ended=counts.ended,
            streams_lost=counts.streams_lost,
            silences=counts.silences,
        )
