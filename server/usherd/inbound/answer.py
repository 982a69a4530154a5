"""What the end user of a request that may not pass is answered over HTTP, as OpenAI's clients expect it."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

from usherd.decide import answer_to
from usherd.domain import Verdict
from usherd.errors import Fault
from usherd.inbound.refused import TERMS, Cause

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
}
_OTHER = "invalid_request_error"
_FAULT = "The authorization service gave no decision. Try again."


class HttpAnswer(NamedTuple):
    """A whole answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


def denied(verdict: Verdict) -> HttpAnswer:
    """The answer of a denial."""
    answer = answer_to(verdict)
    return denial(verdict.reason.name, answer.http_status, answer.message, answer.www_authenticate)


def denial(reason: str, status: int, message: str, www_authenticate: str) -> HttpAnswer:
    """The same, by its parts; a status that is no client's error becomes 403."""
    status = status if 400 <= status <= 499 else 403
    param = "model" if reason.startswith("MODEL_") else None
    return _answer(status, message, reason.lower(), param, _header("www-authenticate", www_authenticate))


def refused(cause: Cause) -> HttpAnswer:
    """The answer to a request that was refused without asking."""
    terms = TERMS[cause]
    return _answer(terms.status, terms.message, cause.value, None, _header("www-authenticate", terms.www_authenticate))


def failed(fault: Fault) -> HttpAnswer:
    """The answer where there is no decision. It never says why."""
    return unavailable(fault.retry_after)


def unavailable(retry_after: float | None) -> HttpAnswer:
    """The same; `retry_after` in seconds, which are rounded up."""
    again = "" if retry_after is None else str(max(1, math.ceil(retry_after)))
    return _answer(503, _FAULT, "authorization_unavailable", None, _header("retry-after", again))


def _header(name: str, value: str) -> tuple[tuple[str, str], ...]:
    # A line break would begin another header.
    return ((name, value),) if value and value.isascii() and value.isprintable() else ()


def _answer(
    status: int, message: str, code: str, param: str | None, headers: tuple[tuple[str, str], ...]
) -> HttpAnswer:
    error = {"message": message, "type": _TYPES.get(status, _OTHER), "param": param, "code": code}
    body = json.dumps({"error": error}, separators=(",", ":"))
    return HttpAnswer(status, (("content-type", "application/json"), *headers), body)
