"""The pages of sessions: the keys that verify them, and what the asker's own session says."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping

from usherd.domain import Decision
from usherd.errors import Fault
from usherd.http.server import ForHolder, Headers, Page, Write, text_page
from usherd.http.session_cookie import session_cookie
from usherd.sessions import SessionClaims, as_json

KEYS_AT = "/.well-known/jwks.json"
VALIDATE_AT = "/sso/session/validate"

_JSON = "application/json"
_KEY_SET = "application/jwk-set+json"
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")
_REFUSED = Page(401, _JSON, b'{"error":"the session is not valid"}\n', 'Bearer error="invalid_token"')
_NOBODY = Page(401, _JSON, b'{"error":"the session is not valid"}\n', "Bearer")


def session_pages(
    published: Callable[[], Mapping[str, object]],
    validate: Callable[[str], Awaitable[SessionClaims | Decision]],
) -> Mapping[str, Write | ForHolder]:
    """The pages by path. Both arguments raise Fault; why a session is refused is told to nobody here."""

    async def keys(accept: str) -> Page:
        try:
            return Page(200, _KEY_SET, _json(published()))
        except Fault:
            return text_page(503, "the keys are not available")

    async def own(headers: Headers) -> Page:
        token = _token(headers)
        if token is None:
            return _NOBODY
        try:
            found = await validate(token)
        except Fault:
            return text_page(503, "sessions are not available")
        return _REFUSED if isinstance(found, Decision) else Page(200, _JSON, _json({"data": dict(as_json(found))}))

    return {KEYS_AT: keys, VALIDATE_AT: ForHolder(own)}


def _token(headers: Headers) -> str | None:
    """The token that is shown; None: none, or what cannot be one. Two different ones are none (RFC 6750, section 2)."""
    if len(headers.authorization) > 1:
        return None
    cookie = session_cookie(headers.cookie)
    if not headers.authorization:
        return cookie or None
    found = _BEARER.fullmatch(headers.authorization[0].strip(" \t"))
    if found is None or (cookie and cookie != found[1]):
        return None
    return found[1]


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(dict(value), separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
