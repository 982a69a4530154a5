"""Makes page tokens that are good for one list, on every replica: they hold no secret, and none is needed to go on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

from usherd.errors import FaultReason, InvalidRequest
from usherd.rpc.translate import DEFAULT_PAGE, MAX_PAGE
from usherd.store import RowId

MAX_TOKEN = 2048
"""Characters of the longest page token that is looked at."""

_DIGEST = 16


def size_of(request: Any) -> int:
    """How many rows a page may have. Raises InvalidRequest (PAGE_INVALID)."""
    if not 0 <= request.page_size <= MAX_PAGE:
        raise InvalidRequest(FaultReason.PAGE_INVALID)
    return request.page_size or DEFAULT_PAGE


def token(method: str, request: Any, last: RowId) -> str:
    """The token of the page that begins after that row; of none: empty."""
    if not last:
        return ""
    body = b"".join(len(part).to_bytes(2, "big") + part for part in map(str.encode, last))
    return base64.urlsafe_b64encode(_digest(method, request, body) + body).decode()


def after(method: str, request: Any) -> RowId:
    """The row that the page begins after; of none: the first page.

    Raises InvalidRequest (PAGE_INVALID) for a token of another list.
    """
    given: str = request.page_token
    if not given:
        return ()
    try:
        content = base64.b64decode(given, altchars=b"-_", validate=True) if len(given) <= MAX_TOKEN else b""
    except (binascii.Error, ValueError):
        content = b""
    body = content[_DIGEST:]
    if not body or not hmac.compare_digest(content[:_DIGEST], _digest(method, request, body)):
        raise InvalidRequest(FaultReason.PAGE_INVALID)
    parts: list[str] = []
    try:
        while body:
            end = 2 + int.from_bytes(body[:2], "big")
            parts.append(body[2:end].decode())
            body = body[end:]
    except UnicodeDecodeError:
        # Somebody has worked out a digest of their own.
        parts.clear()
    # No row's id has it, and some databases refuse to be asked for it.
    if not parts or any("\0" in part for part in parts):
        raise InvalidRequest(FaultReason.PAGE_INVALID)
    return tuple(parts)


def _digest(method: str, request: Any, body: bytes) -> bytes:
    asked = type(request)()
    asked.CopyFrom(request)
    # A list may go on in pages of another size.
    asked.page_token, asked.page_size = "", 0
    listed = method.encode() + b"\0" + asked.SerializeToString(deterministic=True)
    return hashlib.blake2b(len(listed).to_bytes(4, "big") + listed + body, digest_size=_DIGEST).digest()
