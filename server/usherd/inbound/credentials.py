"""Finds the credential that a request carries: one, or none, or it is refused."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Literal, NamedTuple

from usherd.inbound.cookies import session_cookie
from usherd.inbound.headers import Headers
from usherd.inbound.refused import Cause, RequestRefused

AUTHORIZATION = "authorization"
KEYS = ("api-key", "x-api-key", "x-goog-api-key")
"""Headers that carry a token without a scheme."""

Source = Literal["none", "authorization", "api-key", "x-api-key", "x-goog-api-key", "header", "cookie"]

_SCHEME = re.compile(r"(?:bearer|basic) +(.+)", re.IGNORECASE | re.DOTALL)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods on which a cookie may act wherever the request comes from: they change nothing."""


class Credential(NamedTuple):
    """What was found, and where. A tuple: one is made for each call."""

    token: str
    """Empty: there is none."""
    source: Source

    def __repr__(self) -> str:
        return f"Credential(source={self.source!r})"


def credential(headers: Headers, method: str, header: str | None, origins: Set[str]) -> Credential:
    """The credential of a request. `header`: the name, in lower case, of the only header that counts; None: those that
    usually carry one do, and then the session's cookie. `origins` are those from which a cookie may act on any method.

    Raises RequestRefused (CREDENTIALS_AMBIGUOUS, ORIGIN_NOT_ALLOWED).
    """
    if header is not None:
        return _one([(_bare(value), "header") for value in headers.distinct(header)])
    found: list[tuple[str, Source]] = [(_bare(value), "authorization") for value in headers.distinct(AUTHORIZATION)]
    for name in KEYS:
        for value in headers.distinct(name):
            found.append((value, name))  # type: ignore[arg-type]
    if found:
        return _one(found)
    token = session_cookie(headers.values("cookie"))
    if token is None:
        return _NONE
    if (method not in _SAFE or names_websocket(headers)) and not _comes_from(headers, origins):
        raise RequestRefused(Cause.ORIGIN_NOT_ALLOWED)
    return Credential(token, "cookie")


_NONE = Credential("", "none")


def _one(found: list[tuple[str, Source]]) -> Credential:
    if not found:
        return _NONE
    if len(found) > 1 and any(token != found[0][0] for token, _ in found):
        raise RequestRefused(Cause.CREDENTIALS_AMBIGUOUS)
    return Credential(*found[0])


def _bare(value: str) -> str:
    scheme = _SCHEME.fullmatch(value)
    return value if scheme is None else scheme[1]


def names_websocket(headers: Headers) -> bool:
    """Whether it has a handshake's headers: a page of anybody may open a websocket, and the browser sends its cookies
    along."""
    return any("websocket" in value.lower() for value in headers.values("upgrade"))


def _comes_from(headers: Headers, origins: Set[str]) -> bool:
    named = headers.values("origin")
    return len(named) == 1 and named[0] in origins
