"""What becomes of a decision that somebody goes on relying on (the contract's events)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from usherd.domain import Decision
from usherd.errors import Fault


class Cause(IntEnum):
    """The contract's `Cause`, number by number."""

    TOKEN_EXPIRED = 1
    TOKEN_REVOKED = 2
    SESSION_REVOKED = 3
    KEY_REMOVED = 4
    DIRECTORY = 5
    BUDGET = 6
    POLICY = 7
    TOKEN_REFUSED = 8
    INTROSPECTION = 9
    SERVER = 10


class Checkpoint(NamedTuple):
    """Nothing has changed for anything on the stream whose decision was told."""

    revision: str
    """As `Decision.revision`."""


class Changed(NamedTuple):
    """There is another decision now."""

    decision: Decision
    cause: Cause


class Expiring(NamedTuple):
    """The decision will end soon."""

    ends_at: float
    """Seconds since the epoch."""
    cause: Cause


class EndedFor(NamedTuple):
    """The decision has ended for good."""

    decision: Decision
    """The denial that holds instead."""
    cause: Cause


class Resync(NamedTuple):
    """Nobody here can tell any more: ask again."""

    cause: Cause


What = Decision | Checkpoint | Changed | Expiring | EndedFor | Resync | Fault
"""A fault ends its subscription: there is no decision, or none that can be kept up."""


KINDS = ("decision", "checkpoint", "changed", "expiring", "ended", "resync", "fault")
"""The names of events in the contract."""

_KINDS = {
    Decision: "decision",
    Checkpoint: "checkpoint",
    Changed: "changed",
    Expiring: "expiring",
    EndedFor: "ended",
    Resync: "resync",
}


def kind_of(what: What) -> str:
    """The event's name in the contract."""
    return _KINDS.get(type(what), "fault")


class Event(NamedTuple):
    """One event of a stream."""

    id: int
    """Of the subscription; 0: of all of the stream."""
    about: str
    """The id of the decision that it is about; empty with 0 and for a fault in place of a first decision."""
    what: What


def explains(event: Event) -> bool:
    """Whether there is an explanation in it."""
    what = event.what
    decision = what.decision if isinstance(what, Changed | EndedFor) else what
    return isinstance(decision, Decision) and decision.verdict.explanation is not None
