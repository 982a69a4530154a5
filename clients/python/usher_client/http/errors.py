"""What to answer a request that may not pass: errors as OpenAI's clients expect them, out of constants alone."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Final

from usher_client.decision import Decision
from usher_client.faults import UsherFault

_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_HEADER_VALUE = re.compile(r"[\x20-\x7e]+")
_NO_DECISION: Final = ("The authorization service gave no decision. Try again.", "authorization_unavailable")

_REFUSALS: Final = {
    "credentials_ambiguous": (400, "The request carries two different credentials."),
    "origin_not_allowed": (403, "A session cookie acts only on requests from an allowed origin."),
    "body_too_large": (413, "The request body is too large."),
}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer; header names are lower-case."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Among them may be a session's cookie."""
    body: bytes


def denial_answer(denial: Decision) -> HttpAnswer:
    """The answer to a request that was denied. Whatever it is given, the status is an error's."""
    return _answer(_status(denial), _denied(denial), denial.www_authenticate)


def fault_answer(fault: UsherFault | None = None) -> HttpAnswer:
    """The answer where there is no decision: a 503 that never says why.

    It advises to wait a second at least: who comes back at once makes an outage worse.
    """
    answer = _answer(503, _unavailable(), "")
    wait = None if fault is None else fault.retry_after
    if wait is None:
        return answer
    return HttpAnswer(answer.status, (*answer.headers, ("retry-after", str(max(1, math.ceil(wait))))), answer.body)


def refusal_answer(code: str) -> HttpAnswer:
    """The answer to a request that was refused without asking (`RequestRefused.code`). Raises KeyError for another."""
    status, message = _REFUSALS[code]
    challenge = 'Bearer error="invalid_request"' if code == "credentials_ambiguous" else ""
    return _answer(status, _error(message, _type(status), None, code), challenge)


def sse_denial(denial: Decision) -> bytes:
    """The event that ends a `text/event-stream` which a denial cuts."""
    return _event(_denied(denial))


def sse_fault() -> bytes:
    """The event that ends a `text/event-stream` whose decision is unknown."""
    return _event(_unavailable())


def _status(denial: Decision) -> int:
    return denial.http_status if 400 <= denial.http_status <= 499 else 403


def _type(status: int) -> str:
    return _TYPES.get(status, "invalid_request_error")


def _denied(denial: Decision) -> bytes:
    param = "model" if denial.reason.startswith("MODEL_") else None
    return _error(denial.message, _type(_status(denial)), param, denial.reason.lower())


def _unavailable() -> bytes:
    message, code = _NO_DECISION
    return _error(message, "service_unavailable_error", None, code)


def _error(message: str, kind: str, param: str | None, code: str) -> bytes:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json.dumps({"error": error}, separators=(",", ":")).encode()


def _event(error: bytes) -> bytes:
    return b"event: error\ndata: " + error + b"\n\n"


def _answer(status: int, body: bytes, challenge: str) -> HttpAnswer:
    headers = [("content-type", "application/json")]
    # It comes from usherd, but a line break in a header would be another header.
    if _HEADER_VALUE.fullmatch(challenge):
        headers.append(("www-authenticate", challenge))
    return HttpAnswer(status, tuple(headers), body)
