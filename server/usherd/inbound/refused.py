"""What is refused without asking: requests that no question can be made of."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from usherd.reasons import Reason


class Terms(NamedTuple):
    """What the end user is told, and what the records say."""

    status: int
    message: str
    www_authenticate: str
    reason: Reason
    """The nearest of the contract's reasons: what counts and logs know the denial by."""


class Cause(Enum):
    """Why. The value is the code in the answer."""

    CREDENTIALS_AMBIGUOUS = "credentials_ambiguous"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    REQUEST_UNREADABLE = "request_unreadable"
    """The bytes are no request, or one that is not HTTP."""


TERMS = {
    Cause.CREDENTIALS_AMBIGUOUS: Terms(
        400,
        "The request carries two different credentials.",
        'Bearer error="invalid_request"',
        Reason.TOKEN_MALFORMED,
    ),
    Cause.ORIGIN_NOT_ALLOWED: Terms(
        403, "A session cookie acts only on requests from an allowed origin.", "", Reason.SESSION_INVALID
    ),
    Cause.BODY_TOO_LARGE: Terms(413, "The request body is too large.", "", Reason.MODEL_INVALID),
    Cause.REQUEST_UNREADABLE: Terms(400, "The request cannot be read.", "", Reason.ROUTE_AMBIGUOUS),
}


class RequestRefused(Exception):
    """There is nothing to ask: the answer is a denial."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause
