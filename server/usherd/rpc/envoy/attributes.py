"""Takes an HTTP request out of what Envoy asks with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from usherd.domain import Question
from usherd.inbound.body import REFUSED
from usherd.inbound.handed_on import GatewayRules
from usherd.inbound.headers import Headers
from usherd.inbound.refused import Cause, RequestRefused
from usherd.inbound.request import Received, Said, question_of
from usherd.rpc.envoy.wire import CheckRequest
from usherd.rpc.translate import MAX_ID

_PARTIAL = "x-envoy-auth-partial-body"
"""Says whether there is more of the body than Envoy sends."""
MODEL, BASE_PATH = b"model", b"base_path"
"""What a route's own settings (`context_extensions`) may have: its model, and what it takes off the path."""
_REQUEST_ID = "x-request-id"
_ALWAYS_READ = (
    *(_PARTIAL, _REQUEST_ID, "cookie", "origin", "upgrade"),
    *("content-type", "content-encoding", "content-length", "transfer-encoding"),
)


class Sent(NamedTuple):
    """What a client sent that must not be handed on as it is."""

    odd_headers: Sequence[bytes] = ()
    """Names of headers with `_` in them, which some readers take for others."""
    cookies: Sequence[bytes] = ()
    """Values of its `cookie` headers."""


class Taken(NamedTuple):
    """What Envoy asks about."""

    received: Received
    """With those headers alone that are read."""
    sent: Sent
    said: Said | None
    """What Envoy itself says of the model; None: the request says it."""
    base_path: str | None
    """What Envoy takes off the path on this route; None: what it takes off everywhere."""
    request_id: str

    def question(self, rules: GatewayRules) -> Question:
        """The question. Raises RequestRefused."""
        return question_of(self.received, rules.reading, self.said, self.base_path)[0]


class Taker:
    """Takes requests by the rules."""

    def __init__(self, rules: GatewayRules) -> None:
        self._rules = rules
        reading = rules.reading
        also = (reading.model_header, reading.team_header, reading.team_alias_header)
        names = (*_ALWAYS_READ, *rules.credential_headers, *(each for each in also if each is not None))
        self._read = frozenset(name.encode() for name in names)

    def taken(self, data: bytes) -> Taken:
        """The request in the bytes of a CheckRequest. Raises RequestRefused (REQUEST_UNREADABLE, BODY_TOO_LARGE)."""
        attributes = _attributes(data)
        http = attributes.request.http
        raw = len(http.header_map.headers) > 0
        pairs: list[tuple[str, str]] = []
        odd: list[bytes] = []
        cookies: list[bytes] = []
        for each in http.header_map.headers if raw else http.headers:
            name = each.key.lower()
            if name in self._read:
                value = (each.raw_value if raw else b"") or each.value
                pairs.append((name.decode(), _text(value)))
                if name == b"cookie":
                    cookies.append(value)
            if b"_" in name:
                odd.append(name)
        # Without a map Envoy has joined what it got several of.
        headers = Headers(pairs, joined=not raw)
        body = http.raw_body or http.body
        if len(body) > self._rules.max_body:
            raise RequestRefused(Cause.BODY_TOO_LARGE)
        if any(value.lower() != "false" for value in headers.values(_PARTIAL)):
            body = b""
        own = {each.key: each.value for each in attributes.context_extensions}
        said = Said(_text(own[MODEL])) if MODEL in own else _found_out(attributes, self._rules.model_metadata)
        return Taken(
            Received(_text(http.method), _text(http.path), headers, body),
            Sent(odd, cookies),
            said,
            _text(own[BASE_PATH]) if BASE_PATH in own else None,
            _request_id(headers, http.id),
        )


def _attributes(data: bytes) -> Any:
    try:
        attributes = CheckRequest.FromString(data).attributes
    except DecodeError:
        attributes = None
    if attributes is None or not attributes.request.HasField("http"):
        raise RequestRefused(Cause.REQUEST_UNREADABLE)
    return attributes


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return REFUSED


def _found_out(attributes: Any, place: tuple[str, str] | None) -> Said | None:
    if place is None:
        return None
    namespace, key = place
    for each in _of(namespace, attributes.metadata_context.filter_metadata):
        for found in _of(key, each.value.fields):
            # A number or a list is no name, and is read as an empty text, which is none either.
            return Said(_text(found.value.string_value))
    return Said(None)


def _of(key: str, entries: Iterable[Any]) -> Iterable[Any]:
    wanted = key.encode()
    return (each for each in entries if each.key == wanted)


def _request_id(headers: Headers, stream: bytes) -> str:
    named = headers.only(_REQUEST_ID) or _text(stream)
    return named if len(named) <= MAX_ID and named.isascii() and named.isprintable() else ""
