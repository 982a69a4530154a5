"""Turns events of living decisions into bytes."""

from __future__ import annotations

import functools
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import event_pb2
from usherd.domain import Decision
from usherd.errors import Fault
from usherd.rpc.faults import duration
from usherd.rpc.messages import decision_message, fault_message, whole_and_nanos
from usherd.watch.events import Cause, Changed, Checkpoint, EndedFor, Event, Expiring, Resync


def terms_of(max_silence: float) -> api.StreamTerms:
    """How living streams are served."""
    return api.StreamTerms(mode=api.MODE_WATCH, max_silence=duration(max_silence))


def authorize_event(event: Event, terms: api.StreamTerms | None) -> bytes:
    """An AuthorizeResponse with that event, which is no fault; `terms` in the first one."""
    if terms is None and isinstance(event.what, Checkpoint):
        return _checkpoint_alone(event.what.revision)
    message = api.AuthorizeResponse(terms=terms)
    _fill(message, event)
    return message.SerializeToString(deterministic=True)


def subscribe_event(event: Event, terms: api.StreamTerms | None) -> bytes:
    """A SubscribeResponse with that event; `terms` in the first one."""
    if terms is None and isinstance(event.what, Checkpoint):
        return _checkpoint_of_many(event.what.revision)
    message = api.SubscribeResponse(terms=terms, id=event.id, decision_id=event.about)
    if isinstance(event.what, Fault):
        message.fault.CopyFrom(fault_message(event.what))
    else:
        _fill(message, event)
    return message.SerializeToString(deterministic=True)


def _fill(message: api.AuthorizeResponse | api.SubscribeResponse, event: Event) -> None:
    match event.what:
        case Decision() as decision:
            message.decision.CopyFrom(decision_message(decision))
        case Checkpoint(revision):
            message.checkpoint.revision = revision
        case Changed(decision, cause):
            message.changed.decision.CopyFrom(decision_message(decision))
            message.changed.cause = _cause(cause)
        case Expiring(ends_at, cause):
            seconds, nanos = whole_and_nanos(ends_at)
            message.expiring.ends_at.CopyFrom(Timestamp(seconds=seconds, nanos=nanos))
            message.expiring.cause = _cause(cause)
        case EndedFor(decision, cause):
            message.ended.decision.CopyFrom(decision_message(decision))
            message.ended.cause = _cause(cause)
        case Resync(cause):
            message.resync.cause = _cause(cause)
        case fault:
            raise TypeError(f"no event: {type(fault).__name__}")


def _cause(cause: Cause) -> event_pb2.Cause:
    return cast(event_pb2.Cause, cause)


# Thousands of streams are told the same, every few seconds.
@functools.lru_cache(maxsize=16)
def _checkpoint_alone(revision: str) -> bytes:
    return api.AuthorizeResponse(checkpoint=event_pb2.Checkpoint(revision=revision)).SerializeToString()


@functools.lru_cache(maxsize=16)
def _checkpoint_of_many(revision: str) -> bytes:
    return api.SubscribeResponse(checkpoint=event_pb2.Checkpoint(revision=revision)).SerializeToString()
