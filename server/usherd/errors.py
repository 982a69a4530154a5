"""A refusal is an answer; a fault is no answer.

    Refusal            the holder of the token is told no           OK response, DENY with its reason
    Fault              no decision could be made                    an error status; the gateway fails closed
    ├── InvalidRequest     the gateway sent what it must not        INVALID_ARGUMENT
    ├── Precondition       it does not fit this server's state      FAILED_PRECONDITION
    ├── FieldInvalid       a field has a value that it may not have INVALID_ARGUMENT
    ├── NotFound           there is nothing of that name            NOT_FOUND
    ├── AlreadyExists      there is something of that name          ALREADY_EXISTS
    ├── EtagMismatch       it has changed meanwhile                 ABORTED
    ├── BrokenReference    something names it, or it names nothing  FAILED_PRECONDITION
    ├── ChangesCompacted   what happened then is no longer kept     OUT_OF_RANGE
    ├── NoStore            this server keeps no directory           FAILED_PRECONDITION
    ├── CallerUnknown      the caller has not shown who it is       UNAUTHENTICATED
    ├── CallerNotAllowed   the caller itself may not ask this       PERMISSION_DENIED
    │   └── ExplanationNotAllowed
    ├── Unavailable        keys or facts are out of reach           UNAVAILABLE
    │   ├── KeysUnavailable
    │   ├── DirectoryUnavailable
    │   ├── RevocationsUnavailable
    │   ├── IntrospectionUnavailable
    │   ├── DecisionLogUnavailable
    │   ├── SessionsUnavailable
    │   ├── RevisionNotReached
    │   └── ShuttingDown
    ├── Overloaded         as much work as the server takes on      RESOURCE_EXHAUSTED
    ├── ListFull           no more tokens can be revoked            RESOURCE_EXHAUSTED
    ├── RequestTooLarge    more bytes than a method takes           RESOURCE_EXHAUSTED
    ├── SlowReader         a stream that nobody reads               RESOURCE_EXHAUSTED
    ├── OutOfTime          the deadline came first                  DEADLINE_EXCEEDED
    └── InternalFault      a bug; the text says nothing             INTERNAL

Texts are constants: no token, key, claim value or exception text ever stands in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import ClassVar

from usherd.reasons import Reason


class Code(IntEnum):
    """gRPC status codes that a fault can end with (the numbers are gRPC's)."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class FaultReason(IntEnum):
    """The contract's `FaultReason`, number by number (`proto/usher/v1/fault.proto` says what each means)."""

    REQUEST_UNDECODABLE = 1
    QUESTION_MISSING = 2
    MODE_UNKNOWN = 3
    ITEM_COUNT = 4
    ITEM_ID = 5
    TOKEN_COUNT = 6
    REVISION_MALFORMED = 7
    PAGE_INVALID = 8
    REQUEST_ID = 9
    SUBSCRIPTION_ID = 10
    SUBSCRIPTION_COUNT = 11
    FIELD_INVALID = 12
    REVISION_OF_OTHER_STORE = 20
    EXPLANATION_NOT_ALLOWED = 21
    CALLER_UNKNOWN = 22
    CALLER_NOT_ALLOWED = 23
    NOT_FOUND = 24
    ALREADY_EXISTS = 25
    ETAG_MISMATCH = 26
    REFERENCE = 27
    CHANGES_COMPACTED = 28
    NO_STORE = 29
    KEYS_UNAVAILABLE = 40
    DIRECTORY_UNAVAILABLE = 41
    REVISION_NOT_REACHED = 42
    SHUTTING_DOWN = 43
    REVOCATIONS_UNAVAILABLE = 44
    INTROSPECTION_UNAVAILABLE = 45
    DECISION_LOG_UNAVAILABLE = 46
    SESSIONS_UNAVAILABLE = 47
    OVERLOADED = 60
    DEADLINE_EXCEEDED = 61
    INTERNAL = 62
    SLOW_READER = 63


class Refusal(Exception):
    """The token, or what is asked with it, is refused: an answer, which becomes a DENY with this reason."""

    def __init__(
        self, reason: Reason, note: str = "", *, issuer: str = "", reference_status: int | None = None
    ) -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.reference_status = reference_status
        """The HTTP status of the reference, where it is not the one that goes with the reason there."""
        self.issuer = issuer
        """The name of the issuer whose rules refused; empty when no issuer was found yet."""
        self.note = note
        """One sentence for an operator's explanation; it never holds a value of the token or question."""


class Fault(Exception):
    """No decision could be made. Never a denial, never an allowance."""

    code: ClassVar[Code] = Code.INTERNAL
    reason: FaultReason = FaultReason.INTERNAL
    message: str = "internal error"
    retry_after: ClassVar[float | None] = None
    """Seconds to wait before asking again; None: no advice."""
    details: tuple[tuple[str, str], ...] = ()
    """(name, text) of what is told beside the message: names and rules of the contract, never a value."""

    def __init__(self) -> None:
        super().__init__(self.message)


_INVALID_REQUESTS: dict[FaultReason, str] = {
    FaultReason.REQUEST_UNDECODABLE: "the request's bytes are not a message of this method",
    FaultReason.QUESTION_MISSING: "question: required",
    FaultReason.MODE_UNKNOWN: "mode: expected MODE_UNSPECIFIED, MODE_ONCE or MODE_WATCH",
    FaultReason.ITEM_COUNT: "items: expected 1 to 1000",
    FaultReason.ITEM_ID: "items.id: expected 1 to 128 bytes, each id once",
    FaultReason.TOKEN_COUNT: "items.question.token: expected at most 16 distinct tokens in one batch",
    FaultReason.REVISION_MALFORMED: "options.at_least_as_fresh: expected a revision that a decision carried",
    FaultReason.PAGE_INVALID: "page_size: expected 0 to 1000; page_token: expected one of this question and revision",
    FaultReason.REQUEST_ID: "options.request_id: expected printable ASCII, at most 128 bytes",
    FaultReason.SUBSCRIPTION_ID: "add.id: expected a number above all that this stream has used",
    FaultReason.SUBSCRIPTION_COUNT: "add, remove: expected at most 256 a message, and 10000 subscriptions a stream",
}


class InvalidRequest(Fault):
    """The gateway sent something that only a gateway controls and that is wrong."""

    code = Code.INVALID_ARGUMENT

    def __init__(self, reason: FaultReason) -> None:
        self.reason = reason
        self.message = _INVALID_REQUESTS[reason]
        super().__init__()


class Precondition(Fault):
    """The revision asked for belongs to another store."""

    code = Code.FAILED_PRECONDITION
    reason = FaultReason.REVISION_OF_OTHER_STORE
    message = "options.at_least_as_fresh: a revision of another store"


class FieldInvalid(Fault):
    """A field of a request has a value that it may not have."""

    code = Code.INVALID_ARGUMENT
    reason = FaultReason.FIELD_INVALID

    def __init__(self, field: str, expected: str) -> None:
        """`field` is its path in the request, as `team.limit.tpm`; `expected` the rule. Neither holds a value."""
        self.details = (("field", field), ("expected", expected))
        self.message = f"{field}: expected {expected}"
        super().__init__()


class NotFound(Fault):
    """There is nothing of that name."""

    code = Code.NOT_FOUND
    reason = FaultReason.NOT_FOUND
    message = "there is nothing of that name"


class AlreadyExists(Fault):
    """There is something else of that name, or with that identity."""

    code = Code.ALREADY_EXISTS
    reason = FaultReason.ALREADY_EXISTS
    message = "there is something of that name, or with that identity, already"


class EtagMismatch(Fault):
    """It has changed since the etag was read."""

    code = Code.ABORTED
    reason = FaultReason.ETAG_MISMATCH
    message = "it has changed since the etag was read"


class BrokenReference(Fault):
    """Other things still name it, or it names something that does not exist."""

    code = Code.FAILED_PRECONDITION
    reason = FaultReason.REFERENCE
    message = "something else still names it, or it names something that does not exist"


class ChangesCompacted(Fault):
    """Changes since that revision are no longer kept: who wants to know reads everything anew."""

    code = Code.OUT_OF_RANGE
    reason = FaultReason.CHANGES_COMPACTED
    message = "changes since that revision are no longer kept"


class NoStore(Fault):
    """This server keeps no directory of its own."""

    code = Code.FAILED_PRECONDITION
    reason = FaultReason.NO_STORE
    message = "this server keeps no directory of its own; expected directory.url in its configuration"


class CallerUnknown(Fault):
    """The caller has shown nothing, or nothing that is known, that says who it is."""

    code = Code.UNAUTHENTICATED
    reason = FaultReason.CALLER_UNKNOWN
    message = "the caller has not shown who it is"


class CallerNotAllowed(Fault):
    """The caller is known, and may not make this call."""

    code = Code.PERMISSION_DENIED
    reason = FaultReason.CALLER_NOT_ALLOWED
    message = "this caller may not make this call"


class ExplanationNotAllowed(CallerNotAllowed):
    """This caller may not see explanations."""

    reason = FaultReason.EXPLANATION_NOT_ALLOWED
    message = "options.explain: this caller may not see explanations"


class Unavailable(Fault):
    """Something that a decision needs is out of reach or too old. Asking again may help."""

    code = Code.UNAVAILABLE
    retry_after = 1.0


class KeysUnavailable(Unavailable):
    """The issuer's keys were never loaded, or are past their stale bound."""

    reason = FaultReason.KEYS_UNAVAILABLE
    message = "the keys of the token's issuer are not available"


class DirectoryUnavailable(Unavailable):
    """The directory cannot be read, or is older than its staleness bound."""

    reason = FaultReason.DIRECTORY_UNAVAILABLE
    message = "the directory is not available"


class RevocationsUnavailable(Unavailable):
    """The list of revoked tokens cannot be read, or is too old."""

    reason = FaultReason.REVOCATIONS_UNAVAILABLE
    message = "the list of revoked tokens is not available"


class IntrospectionUnavailable(Unavailable):
    """The token's issuer could not be asked about it, or what it said is no answer (RFC 7662)."""

    reason = FaultReason.INTROSPECTION_UNAVAILABLE
    message = "the token's issuer cannot be asked about it"


class DecisionLogUnavailable(Unavailable):
    """The decision cannot be written down, and the configuration wants none to leave without that."""

    reason = FaultReason.DECISION_LOG_UNAVAILABLE
    message = "the decision log is not available"


class SessionsUnavailable(Unavailable):
    """Sessions cannot be made or looked up: their keys or their list are out of reach."""

    reason = FaultReason.SESSIONS_UNAVAILABLE
    message = "sessions are not available"


class RevisionNotReached(Unavailable):
    """The directory did not reach the wanted revision in time."""

    reason = FaultReason.REVISION_NOT_REACHED
    message = "the directory has not reached the revision asked for"


class ShuttingDown(Unavailable):
    """The server no longer takes questions."""

    reason = FaultReason.SHUTTING_DOWN
    message = "the server is shutting down"


class Overloaded(Fault):
    """The server has as much work as it takes on."""

    code = Code.RESOURCE_EXHAUSTED
    reason = FaultReason.OVERLOADED
    message = "the server is overloaded"
    retry_after = 1.0


class ListFull(Fault):
    """The list of revoked tokens has as many entries as it takes, and none is ever left out to make room."""

    code = Code.RESOURCE_EXHAUSTED
    reason = FaultReason.OVERLOADED
    message = "the list of revoked tokens is full; lift some, or revoke by subject or issuer"


class RequestTooLarge(Fault):
    """A request has more bytes than its method takes."""

    code = Code.RESOURCE_EXHAUSTED
    reason = FaultReason.OVERLOADED
    message = "the request has more bytes than this method takes"


class SlowReader(Fault):
    """A stream was not read for so long that it had to be cut."""

    code = Code.RESOURCE_EXHAUSTED
    reason = FaultReason.SLOW_READER
    message = "the stream was not read"


class OutOfTime(Fault):
    """The time ran out before there was a decision."""

    code = Code.DEADLINE_EXCEEDED
    reason = FaultReason.DEADLINE_EXCEEDED
    message = "the deadline came before a decision"


class InternalFault(Fault):
    """A bug in usherd. The text says nothing; the log says all."""


def _kinds(kind: type[Fault]) -> Iterator[type[Fault]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)


CODES: Mapping[FaultReason, Code] = {
    **{kind.reason: kind.code for kind in _kinds(Fault)},
    **dict.fromkeys(_INVALID_REQUESTS, InvalidRequest.code),
    FaultReason.INTERNAL: InternalFault.code,
}
"""The status that goes with each reason."""
