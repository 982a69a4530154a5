"""A living stream of the fake: what has to be said on it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import Any, cast

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, event_pb2, question_pb2
from usher_client.testing.rules import Failure, Outcome

Said = api.AuthorizeResponse | api.SubscribeResponse | Failure | None
"""A message, what the stream ends with, or its end with OK."""


class Line:
    """One stream. Whoever calls its methods but `said` holds the fake's lock."""

    def __init__(self, outcome: Callable[[question_pb2.Question], Outcome], revision: Callable[[], int]) -> None:
        self._outcome = outcome
        self._revision = revision
        self._living: dict[int, tuple[question_pb2.Question, decision_pb2.Decision]] = {}
        self._queue: queue.SimpleQueue[Said] = queue.SimpleQueue()

    def message(self, number: int, about: str, **event: Any) -> Said:
        """The message with that event."""
        return api.SubscribeResponse(id=number, decision_id=about, **event)

    def failed(self, number: int, failure: Failure) -> None:
        """There is no decision, or none any more."""
        self._living.pop(number, None)
        self.say(self.message(number, "", fault=failure.message()))

    def add(self, number: int, question: question_pb2.Question) -> None:
        """Answers the question, and keeps the answer true."""
        outcome = self._outcome(question)
        if isinstance(outcome, Failure):
            self.failed(number, outcome)
            return
        decision = outcome.decision(question, self._revision())
        self._living[number] = (question, decision)
        self.say(self.message(number, decision.decision_id, decision=decision))
        if outcome.final:
            self._end(number, decision, decision, "TOKEN_REFUSED")

    def remove(self, number: int) -> None:
        """Nothing is told of it any more."""
        self._living.pop(number, None)

    def look_again(self, cause: str) -> None:
        """The rules have changed."""
        for number, (question, before) in tuple(self._living.items()):
            outcome = self._outcome(question)
            if isinstance(outcome, Failure):
                self.failed(number, outcome)
                continue
            decision = outcome.decision(question, self._revision())
            if outcome.final:
                self._end(number, before, decision, cause)
            elif _verdict(decision) != _verdict(before):
                self._living[number] = (question, decision)
                changed = event_pb2.Changed(decision=decision, cause=_cause(cause))
                self.say(self.message(number, before.decision_id, changed=changed))

    def say(self, said: Said) -> None:
        """Says it when its turn comes."""
        self._queue.put(said)

    def said(self, every: float) -> Iterator[Said]:
        """All of it, with a checkpoint where there was nothing else for so many seconds; to its end."""
        terms: api.StreamTerms | None = api.StreamTerms(mode=api.MODE_WATCH)
        while True:
            try:
                said = self._queue.get(timeout=every)
            except queue.Empty:
                said = self.message(0, "", checkpoint=event_pb2.Checkpoint(revision=f"fake:{self._revision()}"))
            if terms is not None and not isinstance(said, Failure | None):
                said.terms.CopyFrom(terms)
                terms = None
            yield said
            if isinstance(said, Failure | None):
                return

    def _end(self, number: int, before: decision_pb2.Decision, decision: decision_pb2.Decision, cause: str) -> None:
        del self._living[number]
        ended = event_pb2.Ended(decision=decision, cause=_cause(cause))
        self.say(self.message(number, before.decision_id, ended=ended))
        self.ended()

    def ended(self) -> None:
        """A subscription has ended."""


class LoneLine(Line):
    """A stream of Authorize: of one question, with which it ends."""

    def message(self, number: int, about: str, **event: Any) -> Said:
        """The message with that event."""
        return api.AuthorizeResponse(**event)

    def failed(self, number: int, failure: Failure) -> None:
        """There is no decision, or none any more."""
        self._living.pop(number, None)
        self.say(failure)

    def ended(self) -> None:
        """The question has ended."""
        self.say(None)


def _verdict(decision: decision_pb2.Decision) -> bytes:
    verdict = decision_pb2.Decision()
    verdict.CopyFrom(decision)
    for name in ("decision_id", "revision", "valid_until"):
        verdict.ClearField(name)
    return verdict.SerializeToString(deterministic=True)


def _cause(word: str) -> event_pb2.Cause:
    return cast(event_pb2.Cause, event_pb2.Cause.Value(f"CAUSE_{word}"))
