"""What a server may say on a stream, as bytes: for tests of what a client makes of it."""

from __future__ import annotations

from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from clients.scripted import allow, deny
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, event_pb2, fault_pb2

FAR = 4_000_000_000
"""An instant, in seconds since the epoch, that no test lives to see."""


def terms(silence: float = 15.0, mode: int = api.MODE_WATCH) -> api.StreamTerms:
    return api.StreamTerms(
        mode=mode,  # type: ignore[arg-type]
        max_silence=Duration(seconds=int(silence), nanos=round(silence % 1 * 1e9)),
    )


def may(name: str = "A", until: float = FAR, **more: Any) -> decision_pb2.Decision:
    """An allowance that may be kept."""
    return allow(**{"decision_id": name, "valid_until": stamp(until), **more})


def may_not(name: str = "D", until: float = FAR, **more: Any) -> decision_pb2.Decision:
    """A denial that may be kept."""
    return deny(**{"decision_id": name, "valid_until": stamp(until), "cacheable": True, **more})


def stamp(at: float) -> Timestamp:
    return Timestamp(seconds=int(at), nanos=round(at % 1 * 1e9))


def first(number: int, decision: decision_pb2.Decision, given: api.StreamTerms | None = None) -> bytes:
    """The first event of a subscription."""
    return told(number, decision.decision_id, given, decision=decision)


def changed(number: int, about: str, decision: decision_pb2.Decision, cause: int = event_pb2.CAUSE_DIRECTORY) -> bytes:
    return told(number, about, changed=event_pb2.Changed(decision=decision, cause=cause))  # type: ignore[arg-type]


def ended(number: int, about: str, decision: decision_pb2.Decision | None = None) -> bytes:
    denial = decision or may_not()
    return told(number, about, ended=event_pb2.Ended(decision=denial, cause=event_pb2.CAUSE_TOKEN_REVOKED))


def expiring(number: int, about: str) -> bytes:
    return told(number, about, expiring=event_pb2.Expiring(ends_at=stamp(FAR), cause=event_pb2.CAUSE_TOKEN_EXPIRED))


def resync(number: int = 0) -> bytes:
    return told(number, "", resync=event_pb2.Resync(cause=event_pb2.CAUSE_SERVER))


def checkpoint(number: int = 0, given: api.StreamTerms | None = None) -> bytes:
    return told(number, "", given, checkpoint=event_pb2.Checkpoint(revision="store:8"))


def fault(number: int, code: int = fault_pb2.CODE_UNAVAILABLE) -> bytes:
    reason = fault_pb2.FAULT_REASON_KEYS_UNAVAILABLE
    return told(number, "", fault=fault_pb2.Fault(code=code, reason=reason))  # type: ignore[arg-type]


def nothing(number: int, about: str = "") -> bytes:
    """No event, or one that this client is too old to know."""
    return told(number, about)


def told(number: int, about: str, given: api.StreamTerms | None = None, **event: Any) -> bytes:
    return api.SubscribeResponse(id=number, decision_id=about, terms=given, **event).SerializeToString()


def watched(given: api.StreamTerms | None = None, **event: Any) -> bytes:
    """A message of Authorize."""
    return api.AuthorizeResponse(terms=given, **event).SerializeToString()
