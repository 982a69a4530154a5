"""Brings a route into its one form, or refuses it: nothing is decoded, nothing is repaired."""

from __future__ import annotations

import re

MAX_ROUTE_BYTES = 1024
MAX_METHOD_LETTERS = 16

_SEGMENTS = re.compile(r"/|(?:/[A-Za-z0-9._~!$&'()+,=:@-]+)+")
_METHOD = re.compile(rf"[A-Z]{{1,{MAX_METHOD_LETTERS}}}")


def canonical_route(route: str) -> str | None:
    """The route as rules see it; None when routers could read it in more than one way.

    Cut at the first `?`; one trailing slash is dropped. Percent-encoding, empty and dot segments, backslashes,
    `;`, `#`, `*`, control and non-ASCII characters have no canonical form.
    """
    path = route.split("?", 1)[0]
    if len(path) > MAX_ROUTE_BYTES or "//" in path:
        return None
    if len(path) > 1 and path.endswith("/"):
        path = path[:-1]
    if _SEGMENTS.fullmatch(path) is None:
        return None
    if "/." in path and any(segment in (".", "..") for segment in path.split("/")):
        return None
    return path


def bounded_route(route: str) -> bool:
    """Whether a text is short enough to be compared, whatever is in it but NUL, which stands for text that is none."""
    return (
        len(route) <= MAX_ROUTE_BYTES and "\0" not in route and len(route.encode("utf-8", "replace")) <= MAX_ROUTE_BYTES
    )


def well_formed_method(method: str) -> bool:
    """Whether a method is absent (empty) or a short upper-case word (RFC 9110, section 9.1, is wider)."""
    return not method or _METHOD.fullmatch(method) is not None
