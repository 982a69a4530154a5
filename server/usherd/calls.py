"""What an edge tells of the calls that it serves: who called, what was asked, what was answered, how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from usherd.domain import Decision
from usherd.errors import FaultReason


class Trace(NamedTuple):
    """The trace that a call belongs to (W3C Trace Context, section 3.2.2), as its caller says."""

    trace_id: str
    """32 lower-case hexadecimal digits, not all 0."""
    span_id: str
    """16 of them: the caller's span."""
    sampled: bool


class Call(NamedTuple):
    """One call. What is the same for all calls of a method may be one and the same object."""

    method: str
    """Its full name, as `/usher.v1.AuthorizationService/Check`."""
    may_explain: bool = False
    """Whether its caller may see explanations."""
    caller: str = ""
    """The caller's configured name; empty where callers are not told apart."""
    trace: Trace | None = None
    """None: it came with none, or nobody wants to know."""
    lasting: bool = False
    """Whether it is a stream that lives for as long as its caller wants: how long that was says nothing of the server.
    Known when it ends."""


class Asked(NamedTuple):
    """What was asked, without the token: texts that an end user wrote."""

    route: str
    method: str
    model: str | None


class Ended(Enum):
    """How a call ended that did not end with a fault."""

    ANSWERED = "answered"
    CANCELLED = "cancelled"
    """Its caller went away, or the server did, before there was an answer."""
    NOT_FOUND = "not_found"
    """It asked about something that is not here: of the health service alone, whose protocol says so."""


Ending = FaultReason | Ended
"""How a call ended."""


class Listener(Protocol):
    """Hears of every call, in the middle of it: it neither waits nor takes long."""

    def decided(self, call: Call, request_id: str, asked: Callable[[], Asked], decision: Decision) -> None:
        """A decision was made, and is about to be sent; a batch has many. `asked` is for those who want to know.

        Raises Fault where the answer must not leave without having been heard.
        """

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        """The call has ended, after so many seconds. It raises nothing."""


class Listeners:
    """Several as one. Each is told, in order, unless one before it raises Fault."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = tuple(listeners)

    def __iter__(self) -> Iterator[Listener]:
        return iter(self._listeners)

    def decided(self, call: Call, request_id: str, asked: Callable[[], Asked], decision: Decision) -> None:
        """As `Listener.decided`."""
        for each in self._listeners:
            each.decided(call, request_id, asked, decision)

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        """As `Listener.ended`."""
        for each in self._listeners:
            each.ended(call, ending, seconds)


def one_by_one(listener: Listener | None) -> Sequence[Listener]:
    """Each of those that listen, in order.

    What has many parts is told whole to one before the next hears of it: that hears of nothing then that is held back.
    """
    if listener is None:
        return ()
    return tuple(listener) if isinstance(listener, Listeners) else (listener,)
