"""Reads what a call asks for out of its metadata, and says what a call that may not pass ends with."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

import grpc

from usher_client.decision import Decision
from usher_client.http.credential import read_credential
from usher_client.http.reading import Reading, RequestRefused
from usher_client.http.request import Asked, read_request

REASON: Final = "usherd-reason"
_METHOD: Final = re.compile(r"/[A-Za-z0-9_.]+/[A-Za-z0-9_]*")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Ending:
    """What a call ends with instead of an answer."""

    code: grpc.StatusCode
    text: str
    reason: str

    @property
    def trailers(self) -> tuple[tuple[str, str], ...]:
        """What is sent beside the status."""
        return ((REASON, self.reason),)


UNKNOWN: Final = Ending(
    grpc.StatusCode.UNAVAILABLE,
    "The authorization service gave no decision. Try again.",
    "authorization_unavailable",
)

_REFUSALS: Final = {
    "credentials_ambiguous": Ending(
        grpc.StatusCode.INVALID_ARGUMENT, "The call carries two different credentials.", "credentials_ambiguous"
    ),
    "origin_not_allowed": Ending(
        grpc.StatusCode.PERMISSION_DENIED,
        "A session cookie acts only on requests from an allowed origin.",
        "origin_not_allowed",
    ),
}

_CODES: Final = {401: grpc.StatusCode.UNAUTHENTICATED, 429: grpc.StatusCode.RESOURCE_EXHAUSTED}


def denied(denial: Decision) -> Ending:
    """What a call ends with that is denied from the beginning."""
    return _told(denial, _CODES.get(denial.http_status, grpc.StatusCode.PERMISSION_DENIED))


def cut(denial: Decision | None) -> Ending:
    """What a stream ends with that is denied later; None: nobody knows."""
    return UNKNOWN if denial is None else denied(denial)


def read_call(
    method: str, metadata: Iterable[tuple[str, str | bytes]] | None, reading: Reading
) -> tuple[str, Asked] | Ending:
    """The token and what is asked for; or what the call ends with without asking."""
    headers = [(name, value) for name, value in metadata or () if isinstance(value, str)]
    try:
        token = read_credential("POST", headers, reading).token
    except RequestRefused as refused:
        return _REFUSALS[refused.code]
    return token, read_request("POST", method, headers, b"", reading)


def unasked_methods(unasked: Collection[str]) -> frozenset[str]:
    """Checks what a program wrote. Raises ValueError for what is no method's full name, or service's with its slash."""
    if isinstance(unasked, str) or not all(_METHOD.fullmatch(each) for each in unasked):
        raise ValueError("unasked: expected full names, as /grpc.health.v1.Health/Check or /grpc.health.v1.Health/")
    return frozenset(unasked)


def is_unasked(method: str, unasked: frozenset[str]) -> bool:
    """Whether nobody is asked about this method."""
    return method in unasked or method[: method.rfind("/") + 1] in unasked


def _told(denial: Decision, code: grpc.StatusCode) -> Ending:
    text = denial.message if _PRINTABLE.fullmatch(denial.message) else ""
    return Ending(code, text, denial.reason.lower())
