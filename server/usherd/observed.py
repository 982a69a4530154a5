"""Tells an observer how questions are answered. Where there is none, answers at hand are found without a step more."""

from __future__ import annotations

from collections.abc import Callable

from usherd.domain import Decision, Question
from usherd.ports import Cache, Observer, Stage, Stopwatch

AnswerAtHand = Callable[[bytes, Callable[[], Question]], Decision | None]
"""As `AtHand.answer`."""


def observed(at_hand: AnswerAtHand, observer: Observer) -> AnswerAtHand:
    """The same, and the observer hears whether there was an answer."""

    looked_up, cache = observer.looked_up, Cache.ANSWERS

    def answer(encoded: bytes, read: Callable[[], Question]) -> Decision | None:
        decision = at_hand(encoded, read)
        looked_up(cache, found=decision is not None)
        return decision

    return answer


class Laps:
    """How long the stages of one question take, one after the other. Without an observer nothing is measured."""

    __slots__ = ("_observer", "_since", "_stopwatch")

    def __init__(self, stopwatch: Stopwatch, observer: Observer | None) -> None:
        """The first stage begins now."""
        self._stopwatch = stopwatch
        self._observer = observer
        self._since = 0.0 if observer is None else stopwatch()

    def end(self, stage: Stage) -> None:
        """That stage ends now, and the next one begins."""
        if self._observer is not None:
            before, self._since = self._since, self._stopwatch()
            self._observer.took(stage, self._since - before)
