"""A fault is no answer: it is raised, it is falsy, and its text is a constant.

UsherFault            no decision could be made                         gRPC status
├── InvalidRequest        the gateway sent what it must not             INVALID_ARGUMENT
├── Precondition          it does not fit that server's state           FAILED_PRECONDITION
├── CallerUnknown         the gateway has not shown who it is           UNAUTHENTICATED
├── CallerNotAllowed      the gateway itself may not ask this           PERMISSION_DENIED
├── Unavailable           the server, its keys or facts are out of reach  UNAVAILABLE
├── Overloaded            more than the server, or the client, takes    RESOURCE_EXHAUSTED
├── OutOfTime             the deadline came first                       DEADLINE_EXCEEDED
├── BadAnswer             an OK answer that is no usable decision       OK
├── Closed                the client was closed before the answer came  none
└── InternalFault         a bug, or any other status                    all others
"""

from __future__ import annotations

from typing import ClassVar

import grpc

from usher_client.decision import Decision


class UsherFault(Exception):
    """No decision could be made. Never a denial, never an allowance: a gateway fails closed on it."""

    text: ClassVar[str] = "no decision could be made"

    def __init__(self, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"{self.text} ({reason})" if reason else self.text)
        self.reason = reason
        """The contract's FaultReason without its prefix, such as "KEYS_UNAVAILABLE"; empty when none was sent."""
        self.retry_after = retry_after
        """Seconds that the server advises to wait before asking again, 0 to 3600; None: no advice."""

    @property
    def allowed(self) -> bool:
        """Never."""
        return False

    def __bool__(self) -> bool:
        # Faults stand beside decisions in the results of a batch: `if result:` must not let one pass.
        return False


def fresh(fault: UsherFault) -> UsherFault:
    """The same fault once more: an exception that several raise would show each of them where the others were."""
    return type(fault)(fault.reason, fault.retry_after)


class InvalidRequest(UsherFault):
    """The gateway sent something that only a gateway controls and that is wrong. Do not retry."""

    text = "the request is not valid"


class Precondition(UsherFault):
    """The request does not fit the state of this server, such as a revision of another store."""

    text = "the request does not fit the server's state"


class CallerUnknown(UsherFault):
    """The gateway has not shown who it is."""

    text = "the caller has not shown who it is"


class CallerNotAllowed(UsherFault):
    """The gateway itself may not make this call."""

    text = "the caller may not make this call"


class Unavailable(UsherFault):
    """The server, or what it needs for a decision, is out of reach or too old. Asking later may help."""

    text = "not available"


class Overloaded(UsherFault):
    """The server has as much work as it takes on, or a message was larger than one side takes."""

    text = "too much work or too large"


class OutOfTime(UsherFault):
    """The deadline came before a decision."""

    text = "the deadline came before a decision"


class BadAnswer(UsherFault):
    """The server answered OK with something that is no decision by the contract."""

    text = "the answer is not a decision"


class InternalFault(UsherFault):
    """A bug in the server, or a status that usherd does not answer with."""

    text = "internal error"


class Closed(UsherFault):
    """The client was closed before the answer came."""

    text = "the client is closed"


class ListDenied(Exception):
    """The question is denied whatever the model, so there is no list of models. This is an answer, not a fault."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(f"denied ({decision.reason})")
        self.decision = decision


_BY_CODE: dict[int, type[UsherFault]] = {
    3: InvalidRequest,
    4: OutOfTime,
    7: CallerNotAllowed,
    8: Overloaded,
    9: Precondition,
    14: Unavailable,
    16: CallerUnknown,
}


def fault_class(code: int) -> type[UsherFault]:
    """The fault that goes with a gRPC status code; InternalFault for any that usherd does not answer with."""
    return _BY_CODE.get(code, InternalFault)


def code_of(fault: type[UsherFault]) -> int:
    """The gRPC status code that a fault goes with; 13 (INTERNAL) for those that no server ends a call with."""
    return next((code for code, kind in _BY_CODE.items() if kind is fault), 13)


def code_number(code: object) -> int:
    """The number of a gRPC status code; 2 (UNKNOWN) for whatever is none."""
    return int(code.value[0]) if isinstance(code, grpc.StatusCode) else 2
