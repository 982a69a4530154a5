"""Finds the credential that a request carries, and refuses a request that carries two."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from usher_client.http.cookies import read_sessions
from usher_client.http.reading import Headers, Reading, RequestRefused, values_of

HEADERS: Final = ("authorization", "api-key", "x-api-key", "x-goog-api-key")
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_SCHEME = re.compile(r"(?:bearer|basic) +(?=[^ ])", re.IGNORECASE)
_USUAL: Final = Reading()


@dataclass(frozen=True, slots=True)
class Credential:
    """What to ask with, and where it stood."""

    token: str = field(repr=False)
    """Empty: the request carries none."""
    source: str
    """The header's lower-case name; "header" for a configured one; "cookie"; "none"."""


def read_credential(method: str, headers: Headers, reading: Reading = _USUAL) -> Credential:
    """The one credential of a request. Raises RequestRefused for two that differ, and for a cookie from elsewhere."""
    if reading.header is not None:
        token = _only([_without_scheme(each) for each in values_of(headers, reading.header) if each])
        return Credential(token, "header") if token else Credential("", "none")
    found: list[tuple[str, str]] = []
    for name in HEADERS:
        for value in values_of(headers, name):
            if value:
                found.append((_without_scheme(value) if name == "authorization" else value, name))
    if found:
        return Credential(_only([token for token, _ in found]), found[0][1])
    token = read_sessions(values_of(headers, "cookie"))
    if not token:
        return Credential("", "none")
    # A browser sends its cookies with whatever a page of anybody makes it send, and lets it talk on a websocket.
    if method not in SAFE_METHODS or any("websocket" in each.lower() for each in values_of(headers, "upgrade")):
        origins = values_of(headers, "origin")
        if len(origins) != 1 or origins[0] not in reading.origins:
            raise RequestRefused("origin_not_allowed")
    return Credential(token, "cookie")


def _only(tokens: list[str]) -> str:
    if any(each != tokens[0] for each in tokens):
        raise RequestRefused("credentials_ambiguous")
    return tokens[0] if tokens else ""


def _without_scheme(value: str) -> str:
    scheme = _SCHEME.match(value)
    return value[scheme.end() :] if scheme else value
