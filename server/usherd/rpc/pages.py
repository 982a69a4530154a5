"""Makes page tokens that are good for one question at one revision, and tells them from all others."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from usherd.domain import Question
from usherd.errors import FaultReason, InvalidRequest

_DIGEST = 16
MAX_TOKEN = 1024
"""Characters of the longest page token that is looked at."""


class Pages:
    """The page tokens of one process, which has a secret of its own."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def token(self, question: Question, revision: str, after: str) -> str:
        """The token of the page that begins after the model `after`; empty `after`: there is none, so empty."""
        if not after:
            return ""
        body = _joined((revision, after))
        return base64.urlsafe_b64encode(self._digest(question, body) + body).decode()

    def open(self, question: Question, token: str) -> tuple[str, str]:
        """(revision, after) of a token that was made for that question; ("", "") for none.

        Raises InvalidRequest (PAGE_INVALID) for every other token.
        """
        if not token:
            return "", ""
        try:
            content = base64.b64decode(token, altchars=b"-_", validate=True) if len(token) <= MAX_TOKEN else b""
        except (binascii.Error, ValueError):
            content = b""
        digest, body = content[:_DIGEST], content[_DIGEST:]
        if not hmac.compare_digest(digest, self._digest(question, body)):
            raise InvalidRequest(FaultReason.PAGE_INVALID)
        size = int.from_bytes(body[:4], "big")
        return body[4 : 4 + size].decode(), body[8 + size :].decode()

    def _digest(self, question: Question, body: bytes) -> bytes:
        asked = (
            question.token,
            question.route,
            question.method,
            *_optional(question.model),
            *_optional(question.team_id),
            *_optional(question.team_alias),
            question.end_user_id,
            question.organization_id,
            "changes guardrails" if question.modifies_guardrails else "",
            *question.fallback_models,
        )
        return hashlib.blake2b(body + _joined(asked), key=self._secret, digest_size=_DIGEST).digest()


def _optional(value: str | None) -> tuple[str, str]:
    return ("", "") if value is None else ("set", value)


def _joined(parts: tuple[str, ...]) -> bytes:
    """The parts with their lengths in front, so that no two lists of parts look alike."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
