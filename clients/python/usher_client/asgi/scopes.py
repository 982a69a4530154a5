"""Reads what a scope says of its request, and takes out of it what only this middleware may put there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from urllib.parse import quote, unquote

from usher_client.asgi.protocol import Scope
from usher_client.http.credential import HEADERS
from usher_client.http.reading import Reading
from usher_client.http.request import route_of

KEY: Final = "usher.decision"
"""Where in a scope the decision is."""

IDENTITY_PREFIX: Final = b"x-usherd-"
"""What the headers begin with that gateways get an identity from: never the sender's."""

# What may stand in a path as it is (RFC 3986, section 3.3).
_PLAIN = "/:@!$&'()*+,;=~-._"


def wanted_headers(reading: Reading) -> frozenset[bytes]:
    """The lower-case names of the headers that are read."""
    configured = (reading.header, reading.model_header, reading.team_header, reading.team_alias_header)
    usual = (*HEADERS, "cookie", "origin", "upgrade", "content-type", "content-encoding")
    return frozenset(each.encode() for each in (*usual, *configured) if each is not None)


def texts_of(scope: Scope, wanted: Collection[bytes]) -> list[tuple[str, str]]:
    """The headers of these names, as texts."""
    return [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name.lower() in wanted
    ]


def path_of(scope: Scope) -> str:
    """The path as it came, without what the app is mounted at.

    An app goes by the path that the server, or a middleware further out, decoded for it. Where the raw one says
    something else, or is not known, that decoded path is asked about, with everything encoded that is not plain.
    """
    mount = scope.get("root_path", "").rstrip("/")
    return route_of(_target(scope["path"], scope.get("raw_path")), quote(mount, safe=_PLAIN) if mount else "")


def _target(path: str, raw: object) -> str:
    if isinstance(raw, bytes):
        target = raw.decode("latin-1")
        if "?" not in target and unquote(target) == path:
            return target
    return quote(path, safe=_PLAIN)


def without_identity(scope: Scope) -> dict[str, Any]:
    """A copy of the scope in which nobody is anybody yet."""
    headers = [pair for pair in scope["headers"] if not _names_identity(pair[0])]
    return {key: value for key, value in scope.items() if key != KEY} | {"headers": headers}


def _names_identity(name: bytes) -> bool:
    # Some frameworks take an underscore for a hyphen.
    return name[:1] in b"xX" and name.lower().replace(b"_", b"-").startswith(IDENTITY_PREFIX)
