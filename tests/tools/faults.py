"""The ways in which an identity provider fails, and what each looks like on the wire."""

from __future__ import annotations

import asyncio
import functools
import gzip
from collections.abc import Mapping
from enum import StrEnum

RETRY_AFTER = 60
"""Seconds that Fault.STATUS_429 asks for."""


class Fault(StrEnum):
    """A way to fail."""

    DOWN = "down"
    RESET = "reset"
    HANG = "hang"
    DRIP = "drip"
    NOT_HTTP = "not_http"
    ENDLESS_HEADERS = "endless_headers"
    STATUS_500 = "500"
    STATUS_400 = "400"
    STATUS_401 = "401"
    STATUS_403 = "403"
    STATUS_404 = "404"
    STATUS_429 = "429"
    STATUS_304 = "304"
    REDIRECT_301 = "301"
    REDIRECT_302 = "302"
    REDIRECT_307 = "307"
    REDIRECT_308 = "308"
    HTML = "html"
    HTML_SAID_TO_BE_JSON = "html_said_to_be_json"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    CUT_OFF = "cut_off"
    CUT_OFF_JSON = "cut_off_json"
    HUGE = "huge"
    GZIP_BOMB = "gzip_bomb"
    BAD_GZIP = "bad_gzip"
    UNKNOWN_ENCODING = "unknown_encoding"
    EMPTY_SET = "empty_set"
    NOT_AN_OBJECT = "not_an_object"
    ERROR_OBJECT = "error_object"
    DOUBLED_KEYS = "doubled_keys"
    DEEP = "deep"
    MANY_KEYS = "many_keys"
    ONLY_BAD_KEYS = "only_bad_keys"
    OTHER_ISSUER = "other_issuer"
    SLOW = "slow"
    FLAPPING = "flapping"


LATE_BUT_GOOD = frozenset({Fault.SLOW, Fault.FLAPPING})
"""Faults with which a provider is still of use: it answers after SLOW_SECONDS, or every other time only."""
SLOW_SECONDS = 0.7

HUGE_SIZE = 100 << 20
_BODIES: dict[Fault, bytes] = {
    Fault.HTML_SAID_TO_BE_JSON: b"<!doctype html><title>Sign in</title>",
    Fault.EMPTY_SET: b'{"keys": []}',
    Fault.NOT_AN_OBJECT: b'"keys"',
    Fault.ERROR_OBJECT: b'{"error": "temporarily_unavailable"}',
    Fault.OTHER_ISSUER: b'{"issuer": "https://other.example", "jwks_uri": "https://other.example/keys"}',
    Fault.DEEP: b'{"keys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    Fault.MANY_KEYS: b'{"keys": [' + b",".join([b"{}"] * 100_000) + b"]}",
    Fault.ONLY_BAD_KEYS: b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}, {"kty": "RSA"}, null, 7]}',
}
_STATUSES: dict[Fault, tuple[str, dict[str, str]]] = {
    Fault.STATUS_500: ("500 Internal Server Error", {}),
    Fault.STATUS_400: ("400 Bad Request", {}),
    Fault.STATUS_401: ("401 Unauthorized", {"WWW-Authenticate": "Basic"}),
    Fault.STATUS_403: ("403 Forbidden", {}),
    Fault.STATUS_404: ("404 Not Found", {}),
    Fault.STATUS_429: ("429 Too Many Requests", {"Retry-After": str(RETRY_AFTER)}),
    Fault.STATUS_304: ("304 Not Modified", {}),
    Fault.REDIRECT_301: ("301 Moved Permanently", {"Location": "/elsewhere"}),
    Fault.REDIRECT_302: ("302 Found", {"Location": "/elsewhere"}),
    Fault.REDIRECT_307: ("307 Temporary Redirect", {"Location": "/elsewhere"}),
    Fault.REDIRECT_308: ("308 Permanent Redirect", {"Location": "/elsewhere"}),
}


async def misbehave(fault: Fault, good: bytes, writer: asyncio.StreamWriter, status_headers: Mapping[str, str]) -> None:
    """Answers a request for the good document in that way. `status_headers` go with each bad status."""
    json_type = {"Content-Type": "application/json"}
    if fault in _STATUSES:
        status, headers = _STATUSES[fault]
        # A client that goes by the body alone would find a good key set here.
        body = b"" if fault is Fault.STATUS_304 else good
        writer.write(head(status, json_type | headers | status_headers) + body)
    elif fault in _BODIES:
        writer.write(head("200 OK", json_type) + _BODIES[fault])
    else:
        match fault:
            case Fault.RESET:
                writer.transport.abort()
            case Fault.HANG:
                await asyncio.Event().wait()
            case Fault.DRIP:
                writer.write(head("200 OK", json_type))
                for number in range(len(good)):
                    writer.write(good[number : number + 1])
                    await writer.drain()
                    await asyncio.sleep(1)
            case Fault.NOT_HTTP:
                writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
            case Fault.ENDLESS_HEADERS:
                writer.write(b"HTTP/1.1 200 OK\r\n")
                for _ in range(HUGE_SIZE >> 16):
                    writer.write(b"X-Filler: " + b"x" * (1 << 16) + b"\r\n")
                    await writer.drain()
            case Fault.HTML:
                writer.write(head("200 OK", {"Content-Type": "text/html"}) + good)
            case Fault.WRONG_CONTENT_TYPE:
                writer.write(head("200 OK", {"Content-Type": "image/png"}) + good)
            case Fault.CUT_OFF:
                writer.write(head("200 OK", json_type | {"Content-Length": str(len(good) + 1)}) + good)
            case Fault.CUT_OFF_JSON:
                writer.write(head("200 OK", json_type) + good[:-1])
            case Fault.HUGE:
                writer.write(head("200 OK", json_type))
                for _ in range(HUGE_SIZE >> 16):
                    writer.write(b" " * (1 << 16))
                    await writer.drain()
            case Fault.GZIP_BOMB:
                writer.write(head("200 OK", json_type | {"Content-Encoding": "gzip"}) + _bomb())
            case Fault.BAD_GZIP:
                writer.write(head("200 OK", json_type | {"Content-Encoding": "gzip"}) + good)
            case Fault.UNKNOWN_ENCODING:
                writer.write(head("200 OK", json_type | {"Content-Encoding": "br"}) + good)
            case Fault.DOUBLED_KEYS:
                writer.write(head("200 OK", json_type) + b'{"keys": [], ' + good.lstrip(b"{"))
            case _:
                raise ValueError(fault)


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b" " * HUGE_SIZE, 1)


def head(status: str, headers: Mapping[str, str]) -> bytes:
    """The head of an answer, after which the connection ends."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
