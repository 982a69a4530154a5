"""Turns decisions, refusals and faults into the bytes of a CheckResponse."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from usherd.decide import allows
from usherd.domain import MAX_DEPENDENCIES, Decision, Verdict
from usherd.errors import Code, Fault
from usherd.inbound.answer import HttpAnswer, denied, failed, refused
from usherd.inbound.cookies import without_sessions
from usherd.inbound.handed_on import DECISION_ID, GatewayRules, said
from usherd.inbound.refused import Cause
from usherd.rpc.answers import tag_and_length
from usherd.rpc.envoy.attributes import Sent
from usherd.rpc.envoy.wire import OVERWRITE_IF_EXISTS_OR_ADD, CheckResponse, HttpResponse, OkResponse, number

_STATUS, _DENIED, _OK, _METADATA = (
    number("CheckResponse", each) for each in ("status", "denied_response", "ok_response", "dynamic_metadata")
)
_HEADERS, _REMOVED = (number("OkResponse", each) for each in ("headers", "headers_to_remove"))
_HEADER, _ACTION = (number("HeaderOption", each) for each in ("header", "append_action"))
_CODES = {401: Code.UNAUTHENTICATED, 403: Code.PERMISSION_DENIED, 429: Code.RESOURCE_EXHAUSTED}

# In a Struct's entry and in a header alike; a test reads both.
_KEY, _VALUE = (number("StructEntry", each) for each in ("key", "value"))
_FIELDS, _STRING_VALUE = number("Struct", "fields"), number("Value", "string_value")
_OVERWRITE = bytes((_ACTION << 3, OVERWRITE_IF_EXISTS_OR_ADD))
"""The field that says so: a number, of one byte."""

_COOKIE = b"cookie"
_NOTHING = Sent()

_REMEMBERED = 32_768
"""Verdicts whose parts are kept, about 1 KB each: as many as the authorizer keeps verdicts unless told otherwise."""
_LONGEST_REMEMBERED = 4096
"""Bytes of the longest parts that are kept."""


class _Parts(NamedTuple):
    """What is the same in each answer with one verdict."""

    status: bytes
    """The whole field."""
    response: int
    """The number of the field that says how it goes on."""
    inner: bytes
    """What is in that."""
    metadata: bytes
    """What is in the metadata."""


class Answers:
    """Makes answers by the rules."""

    def __init__(self, rules: GatewayRules) -> None:
        self._headers = [(name, field) for name, field in rules.identity_headers.items() if field != DECISION_ID]
        self._names = frozenset(name.encode() for name in rules.identity_headers)
        self._own_id = [name.encode() for name, field in rules.identity_headers.items() if field == DECISION_ID]
        self._taken_off = () if rules.forward_credential else rules.credential_headers
        self._takes_sessions_off = rules.takes_sessions_off
        self._kept: OrderedDict[int, tuple[Verdict, _Parts]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def forget(self) -> None:
        """Forgets what is kept: verdicts of an authorizer that answers no more are not answered again."""
        self._kept.clear()

    def of(self, decision: Decision, sent: Sent = _NOTHING, *, keep: bool = False) -> bytes:
        """The answer. `keep`: the verdict was answered before, so that what is made of it is worth keeping."""
        parts = self._kept_parts(decision.verdict) if keep else self._parts(decision.verdict)
        return _framed(parts, decision, self._own(decision, sent) if parts.response == _OK else b"")

    def refused(self, cause: Cause, decision: Decision) -> bytes:
        """The answer to a request that nobody was asked about; `decision` is how it stands in the records."""
        return _framed(_denial(refused(cause), _metadata(decision.verdict)), decision)

    def _own(self, decision: Decision, sent: Sent) -> bytes:
        """What differs from answer to answer: the decision's id, headers that only look like ours, and cookies."""
        own = b"".join(_header(name, decision.decision_id.encode()) for name in self._own_id)
        for name in sent.odd_headers:
            if name not in self._names and name.replace(b"_", b"-") in self._names:
                own += _field(_REMOVED, name)
        if sent.cookies and self._takes_sessions_off:
            others = without_sessions(sent.cookies)
            if others is not None:
                own += _header(_COOKIE, others) if others else _field(_REMOVED, _COOKIE)
        return own

    def _kept_parts(self, verdict: Verdict) -> _Parts:
        # By identity; the entry holds the verdict, so that no other can get its identity.
        known = self._kept.get(id(verdict))
        if known is not None and known[0] is verdict:
            return known[1]
        parts = self._parts(verdict)
        if (
            len(parts.inner) + len(parts.metadata) <= _LONGEST_REMEMBERED
            and len(verdict.depends_on) <= MAX_DEPENDENCIES
        ):
            self._kept[id(verdict)] = (verdict, parts)
            if len(self._kept) > _REMEMBERED:
                self._kept.popitem(last=False)
        return parts

    def _parts(self, verdict: Verdict) -> _Parts:
        metadata = _metadata(verdict)
        if not allows(verdict):
            return _denial(denied(verdict), metadata)
        made = OkResponse()
        for name, field in self._headers:
            if text := said(verdict, field):
                _set(made.headers, name, text)
            else:
                made.headers_to_remove.append(name.encode())
        made.headers_to_remove.extend(name.encode() for name in self._taken_off)
        return _Parts(_field(_STATUS, b""), _OK, made.SerializeToString(), metadata)


def failure(fault: Fault) -> bytes:
    """The answer where there is no decision: an error, with which Envoy does as it was told. Who does not know errors
    of this kind takes it for a denial."""
    answer = CheckResponse(error_response=_http(failed(fault)))
    answer.status.code = Code.UNAVAILABLE
    return bytes(answer.SerializeToString())


def _framed(parts: _Parts, decision: Decision, more: bytes = b"") -> bytes:
    """The answer: what is written one after the other is one message."""
    inner = parts.inner + more
    metadata = parts.metadata + _entry("decision_id", decision.decision_id) + _entry("revision", decision.revision)
    return b"".join(
        (
            parts.status,
            tag_and_length(parts.response, len(inner)),
            inner,
            tag_and_length(_METADATA, len(metadata)),
            metadata,
        )
    )


def _denial(answer: HttpAnswer, metadata: bytes) -> _Parts:
    status = CheckResponse()
    status.status.code = _CODES.get(answer.status, Code.INVALID_ARGUMENT)
    return _Parts(status.SerializeToString(), _DENIED, _http(answer).SerializeToString(), metadata)


def _http(answer: HttpAnswer) -> Any:
    made = HttpResponse(body=answer.body.encode())
    made.status.code = answer.status
    for name, value in answer.headers:
        _set(made.headers, name, value)
    return made


def _set(headers: Any, name: str, value: str) -> None:
    option = headers.add(append_action=OVERWRITE_IF_EXISTS_OR_ADD)
    option.header.key, option.header.value = name.encode(), value.encode()


def _header(name: bytes, value: bytes) -> bytes:
    """A header that is set, as `_set` does, without a message in between."""
    pair = _field(_KEY, name) + _field(_VALUE, value)
    return _field(_HEADERS, _field(_HEADER, pair) + _OVERWRITE)


def _metadata(verdict: Verdict) -> bytes:
    """What access logs and other filters read, but for what differs from answer to answer."""
    holder = verdict.principal
    told = {
        "effect": verdict.effect.name,
        "reason": verdict.reason.name,
        "team": "" if holder is None else holder.team_id,
        "user": "" if holder is None else holder.user_id,
        "model": verdict.resolved_model,
    }
    return b"".join(_entry(name, text) for name, text in told.items())


def _entry(name: str, text: str) -> bytes:
    """One member of a Struct. One that would be empty is left out."""
    if not text:
        return b""
    value = _field(_STRING_VALUE, text.encode())
    return _field(_FIELDS, _field(_KEY, name.encode()) + _field(_VALUE, value))


def _field(field: int, content: bytes) -> bytes:
    return tag_and_length(field, len(content)) + content
