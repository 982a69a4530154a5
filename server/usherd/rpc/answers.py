"""Turns decisions into bytes: the same decision always gives the same bytes."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2
from usherd.domain import MAX_DEPENDENCIES, Decision, Verdict
from usherd.errors import Fault, Overloaded
from usherd.rpc.messages import decision_message, fault_message, verdict_message, whole_and_nanos

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of the longest answer: what gRPC clients take unless they are told otherwise."""


# The same in an AuthorizeResponse; a test compares the bytes of both.
_DECISION = api.CheckResponse.DESCRIPTOR.fields_by_name["decision"].number
_DECISION_ID = decision_pb2.Decision.DESCRIPTOR.fields_by_name["decision_id"].number
_VALID_UNTIL = decision_pb2.Decision.DESCRIPTOR.fields_by_name["valid_until"].number
_LENGTH_DELIMITED = 2

_TERMS_ONCE = api.AuthorizeResponse(terms=api.StreamTerms(mode=api.MODE_ONCE)).SerializeToString(deterministic=True)


def check_response(decision: Decision, *, keep: bool = False) -> bytes:
    """A CheckResponse with that decision. `keep`: its verdict was answered before, so its bytes are worth keeping."""
    return _framed(decision, b"", keep=keep)


def authorize_response(decision: Decision, *, keep: bool = False) -> bytes:
    """An AuthorizeResponse with that decision, first and last of its stream; `keep` as in `check_response`."""
    return _framed(decision, _TERMS_ONCE, keep=keep)


def forget_kept() -> None:
    """Forgets the bytes that were kept: verdicts of an authorizer that answers no more are not answered again."""
    _verdicts.clear()


def batch_response(ids: Sequence[str], results: Sequence[Decision | Fault]) -> bytes:
    """A BatchCheckResponse with the result of each id, in that order.

    Claims that are passed on can make an answer longer than a client takes. The decisions that no longer fit are
    replaced by a fault of their own, so that a long one costs nobody but its batch's last items an answer.
    """
    response = api.BatchCheckResponse()
    room = MAX_ANSWER - len(ids) * _ROOM_FOR_FAULT
    for each, result in zip(ids, results, strict=True):
        if isinstance(result, Fault):
            response.results.add(id=each, fault=fault_message(result))
            continue
        message = decision_message(result)
        size = message.ByteSize()
        if size <= room:
            room -= size
            response.results.add(id=each, decision=message)
        else:
            room = 0
            response.results.add(id=each, fault=fault_message(Overloaded()))
    return response.SerializeToString(deterministic=True)


_ROOM_FOR_FAULT = 512
"""Bytes that a result surely takes without its decision: the longest id, frames and a fault."""


def models_response(
    models: Sequence[tuple[str, str]], next_page_token: str, denial: Decision | None, revision: str
) -> bytes:
    """A ListModelsResponse with these (name, resolved model) pairs."""
    response = api.ListModelsResponse(
        models=[api.ListModelsResponse.Model(name=name, resolved_model=resolved) for name, resolved in models],
        next_page_token=next_page_token,
        denial=None if denial is None else decision_message(denial),
        revision=revision,
    )
    return response.SerializeToString(deterministic=True)


_REMEMBERED = 32_768
"""Verdicts whose bytes are kept, about 1 KB each: as many as the authorizer keeps verdicts unless told otherwise."""

_LONGEST_REMEMBERED = 4096
"""Bytes of the longest verdict that is kept: what an end user or a token can make longer must not fill the memory."""

_validity = Timestamp()
# Filled and read within one call, never across an await: making a message anew costs three times as much. It has
# numbers alone, because a message keeps the room of each text that was ever put into it.

_verdicts: OrderedDict[int, tuple[Verdict, bytes]] = OrderedDict()


def _framed(decision: Decision, behind: bytes, *, keep: bool) -> bytes:
    """The field with the Decision, and what comes behind it.

    The Decision is written in parts, in the order of its fields: the verdict, whose bytes stay, and the rest. What is
    written one after the other is one message (the wire format's law of concatenation); to put a message into another
    one would copy it, which costs more.
    """
    verdict = _verdict_bytes(decision.verdict) if keep else _serialised(decision.verdict)
    own = decision.decision_id.encode()
    _validity.seconds, _validity.nanos = whole_and_nanos(decision.valid_until)
    validity = _validity.SerializeToString()
    revision, cacheable = _shared(decision.revision, decision.cacheable)
    id_head = tag_and_length(_DECISION_ID, len(own)) if own else b""
    rest = b"".join((id_head, own, revision, tag_and_length(_VALID_UNTIL, len(validity)), validity))
    size = len(verdict) + len(rest) + len(cacheable)
    return b"".join((tag_and_length(_DECISION, size), verdict, rest, cacheable, behind))


# As many as there are sizes of answers that are kept.
@functools.lru_cache(maxsize=4096)
def tag_and_length(field: int, size: int) -> bytes:
    """What stands in front of a field that has so many bytes."""
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(size)


def _varint(number: int) -> bytes:
    """The number in the wire format: seven bits a byte, the low ones first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


@functools.lru_cache(maxsize=64)
def _shared(revision: str, cacheable: bool) -> tuple[bytes, bytes]:
    """(revision, cacheable), each as a field: many answers have them in common."""
    return (
        decision_pb2.Decision(revision=revision).SerializeToString(),
        decision_pb2.Decision(cacheable=cacheable).SerializeToString(),
    )


def _serialised(verdict: Verdict) -> bytes:
    return verdict_message(verdict).SerializeToString(deterministic=True)


def _verdict_bytes(verdict: Verdict) -> bytes:
    # By identity, which costs nothing to compare; the entry holds the verdict, so that no other can get its identity.
    known = _verdicts.get(id(verdict))
    if known is not None and known[0] is verdict:
        return known[1]
    data = _serialised(verdict)
    # The bytes leave out dependencies beyond the most that are sent, but the entry would hold them all.
    if len(data) <= _LONGEST_REMEMBERED and len(verdict.depends_on) <= MAX_DEPENDENCIES:
        _verdicts[id(verdict)] = (verdict, data)
        if len(_verdicts) > _REMEMBERED:
            _verdicts.popitem(last=False)
    return data
