"""What a watch does next, and what it tells: the rules, without a clock and without I/O."""

from __future__ import annotations

import math
from collections import deque
from datetime import UTC
from enum import Enum, auto
from typing import Final, NamedTuple

from usher.v1 import authorization_service_pb2 as api
from usher_client.answers import cause_of, decision_of, parse, promised_silence
from usher_client.decision import Decision
from usher_client.events import Changed, Decided, Ended, Event, Expiring, Unknown
from usher_client.faults import BadAnswer, OutOfTime, Unavailable, UsherFault

SILENCE_OF_ONCE: Final = 15.0
"""Seconds that an answer of a server stands which does not say how long it may be silent."""
_FIRST_WAIT: Final = 0.01
_LONGEST_WAIT: Final = 1.0
_LONGEST_LOOK: Final = 5.0
_SHORTEST_LOOK: Final = 0.1
_LASTED: Final = 1.0


class Do(Enum):
    """What the driver is to do next."""

    ASK = auto()
    """Give up the call, if there is one, and begin another."""
    READ = auto()
    """Read a message of the call until the given time."""
    WAIT = auto()
    """Give up the call, if there is one, and wait until the given time."""
    STOP = auto()
    """Give up the call, if there is one: there is nothing more."""


class Step(NamedTuple):
    """One step of the driver."""

    do: Do
    until: float = math.inf
    """By the clock that never goes back."""


class Vigil:
    """One question that is watched. `now` is by a clock that never goes back, `wall` by the calendar.

    The driver takes what is to be told (`next_event`), else does the next step and says what came of it (`asked`,
    `heard`, `lost`). The order makes sure that what was told last is what holds.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._events: deque[Event] = deque()
        self._held: Decision | None = None
        self._unconfirmed: Decision | None = None
        """An answer in mode ONCE, which counts when its call ends with OK."""
        self._calling = False
        self._begun = False
        """Whether the call that is under way has brought its first message."""
        self._due = math.inf
        """When the call that is under way is over unless something is heard before."""
        self._until = math.inf
        """Up to when what is held stands, unless something is heard before."""
        self._silence = SILENCE_OF_ONCE
        self._ask_at = -math.inf
        self._asked_at = -math.inf
        self._wait = 0.0
        self._over = False
        self.fault: UsherFault | None = None
        """Why there is no first decision, once it is over; else what the last attempt to ask ended with."""

    @property
    def failed(self) -> bool:
        """Whether it is over without a first decision."""
        return self._over and self._held is None

    def fault_of_time(self) -> UsherFault:
        """What a call ends with that has taken too long."""
        return Unavailable() if self._begun else OutOfTime()

    def next_event(self) -> Event | None:
        """What is to be told now."""
        return self._events.popleft() if self._events else None

    def step(self, now: float, wall: float) -> Step:
        """What to do next; there may be something to tell then."""
        if self._calling and now >= self._due:
            self.lost(self.fault_of_time(), now)
        if self._over:
            return Step(Do.STOP)
        if self._calling:
            return Step(Do.READ, self._due)
        if self._held is None:
            return Step(Do.ASK)
        left = self._left(now, wall)
        if left <= 0:
            self._end(Unknown(fault=Unavailable() if self.fault is None else self.fault))
            return Step(Do.STOP)
        if now >= self._ask_at:
            return Step(Do.ASK)
        return Step(Do.WAIT, min(self._ask_at, now + left))

    def asked(self, now: float, wall: float) -> None:
        """A call has begun."""
        self._calling, self._begun, self._unconfirmed = True, False, None
        self._asked_at = now
        self._due = now + self._patience
        if self._held is not None:
            self._due = min(self._due, now + self._left(now, wall))

    def heard(self, body: object, now: float, wall: float) -> None:
        """A message came. What was in a buffer while this process stood still may be old."""
        if now > self._due:
            self.lost(self.fault_of_time(), now)
            return
        try:
            message = parse(api.AuthorizeResponse, body)
            if self._begun:
                self._take(message, now)
            else:
                self._take_first(message, now, wall)
        except BadAnswer as bad:
            self.lost(bad, now)

    def closed(self, now: float, wall: float) -> None:
        """The call ended with OK."""
        answer = self._unconfirmed
        if answer is None:
            self.lost(Unavailable() if self._begun else BadAnswer(), now)
            return
        if now > self._due:
            self.lost(OutOfTime(), now)
            return
        self._calling, self._wait = False, 0.0
        self._answered(answer, now)
        self._until = now + SILENCE_OF_ONCE
        # No message will say when it is over.
        half = (_ends_at(answer) - wall) / 2
        self._ask_at = now + max(_SHORTEST_LOOK, min(_LONGEST_LOOK, half))

    def lost(self, fault: UsherFault, now: float) -> None:
        """The call is over without a word about the decision."""
        self._calling = False
        self.fault = fault
        if self._held is None:
            self._over = True
            return
        lasted = self._begun and self._unconfirmed is None and now - self._asked_at >= _LASTED
        self._wait = min(_LONGEST_WAIT, _FIRST_WAIT if lasted or not self._wait else 2 * self._wait)
        self._ask_at = now + self._wait

    def give_up(self, fault: UsherFault) -> None:
        """It cannot be asked any more."""
        self._calling = False
        self.fault = fault
        self._over = True
        if self._held is not None:
            self._events.append(Unknown(fault=fault))

    def _left(self, now: float, wall: float) -> float:
        """Seconds for which what is held stands."""
        return min(self._until - now, _ends_at(self._held) - wall)

    def _take_first(self, message: api.AuthorizeResponse, now: float, wall: float) -> None:
        if message.WhichOneof("event") != "decision":
            raise BadAnswer
        decision = decision_of(message.decision)
        if message.terms.mode in (api.MODE_UNSPECIFIED, api.MODE_ONCE):
            self._begun, self._unconfirmed = True, decision
            return
        self._silence = promised_silence(message.terms)
        self._begun = True
        self._answered(decision, now)
        self._listened(now)

    def _take(self, message: api.AuthorizeResponse, now: float) -> None:
        if self._unconfirmed is not None:
            raise BadAnswer
        match message.WhichOneof("event"):
            case "checkpoint":
                pass
            case "changed":
                self._held = decision_of(message.changed.decision)
                self._events.append(Changed(decision=self._held, cause=cause_of(message.changed.cause)))
            case "expiring":
                self._expiring(message)
            case "ended":
                denial = decision_of(message.ended.decision)
                if denial.allowed:
                    raise BadAnswer
                self._end(Ended(decision=denial, cause=cause_of(message.ended.cause)))
            case "resync":
                self._listened(now)
                self.lost(Unavailable(), now)
                return
            case _:
                raise BadAnswer
        self._listened(now)

    def _expiring(self, message: api.AuthorizeResponse) -> None:
        try:
            ends_at = message.expiring.ends_at.ToDatetime(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise BadAnswer from None
        allowed = self._held is not None and self._held.allowed
        self._events.append(Expiring(ends_at=ends_at, cause=cause_of(message.expiring.cause), allowed=allowed))

    def _listened(self, now: float) -> None:
        self._due = self._until = now + self._silence

    def _answered(self, decision: Decision, now: float) -> None:
        before, self._held = self._held, decision
        if before is None:
            self._events.append(Decided(decision=decision))
        elif (before.allowed, before.reason) != (decision.allowed, decision.reason):
            again = Decided(decision=decision) if decision.allowed else Changed(decision=decision, cause="")
            self._events.append(again)

    def _end(self, event: Event) -> None:
        self._calling = False
        self._over = True
        self._events.append(event)


def _ends_at(decision: Decision | None) -> float:
    """Until when it stands, by the calendar."""
    # A denial that may not be kept says that it is over at once; and yet nothing is allowed by waiting.
    if decision is None or not decision.allowed or decision.valid_until is None:
        return math.inf
    return decision.valid_until.timestamp()
