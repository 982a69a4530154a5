"""Says what a document of an identity provider is, and in words of a closed set why one could not be had."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it came, and the entity tag (RFC 9110, section 8.8.3) that it came with."""

    body: bytes = field(repr=False)
    etag: str | None = field(default=None, repr=False)
    fetched_at: float | None = field(default=None, compare=False)
    """When it was asked for, in seconds since the epoch; None: just now."""


class Cause(StrEnum):
    """Why a document or its keys could not be used. Safe as a metric label: nothing that a peer wrote is among it."""

    URL_NOT_ALLOWED = "url_not_allowed"
    """Neither https nor, where that is allowed, http on loopback; or it carries credentials."""
    CONNECT = "connect"
    """No connection: refused, no such host, no TLS that can be trusted."""
    TIMEOUT = "timeout"
    """Not complete within the total time."""
    PROTOCOL = "protocol"
    """The connection broke, or what came was no HTTP or was cut short."""
    REDIRECT = "redirect"
    STATUS = "status"
    """Any status but 200, and 304 to a conditional request."""
    CREDENTIALS_REFUSED = "credentials_refused"
    """401: it does not know us, or not by this secret."""
    REQUEST_REFUSED = "request_refused"
    """400, 403, 413 and their like: it does not answer this question, which may be the token's doing or ours."""
    CONTENT_TYPE = "content_type"
    CONTENT_ENCODING = "content_encoding"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    """Not strict JSON: cut short, HTML, doubled names, too deep."""
    NOT_A_DISCOVERY_DOCUMENT = "not_a_discovery_document"
    ISSUER_MISMATCH = "issuer_mismatch"
    """The discovery document is another issuer's (OpenID Connect Discovery 1.0, section 4.3; RFC 8414, 3.3)."""
    NOT_AN_ANSWER = "not_an_answer"
    """JSON that does not say whether a token is active (RFC 7662, section 2.2)."""
    NOT_A_KEY_SET = "not_a_key_set"
    NO_USABLE_KEY = "no_usable_key"
    NOT_READABLE = "not_readable"
    """A key file that cannot be opened."""
    INTERNAL = "internal"
    """A bug."""


class LoadFailed(Exception):
    """A document or its keys could not be had. What was known before stays as it was, but for withdrawn keys."""

    def __init__(
        self, cause: Cause, retry_after: float | None = None, *, withdrawn: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(cause.value)
        self.cause = cause
        self.retry_after = retry_after
        """Seconds that the peer asked to be left alone for; None: it did not."""
        self.withdrawn = withdrawn
        """Key ids that a key set without any usable key has for unusable ones. They are never part of the text."""
