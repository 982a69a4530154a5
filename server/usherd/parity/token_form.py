"""Says in what a case's token, or the key that LiteLLM would verify it with, is not what usherd takes.

It shares no code with `authenticate/`, on purpose: a second opinion, so that a mistake in one shows as a difference.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from usherd.parity.cases import Json

MAX_TOKEN = 8192
"""Bytes of a token, as imported configurations have it."""
MAX_IDENTIFIER = 256
LATEST_DATE = 7_258_118_400
"""2200-01-01."""
MAX_DEPTH = 20
"""Of lists and objects."""
MAX_DIGITS = 64
"""Of a whole number."""
MAX_LENGTH = 1000
"""Elements of a list or members of an object."""
MAX_CLAIMS = 256
MIN_BITS = 2048
MIN_EXPONENT = 65537

_PARTS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_NEVER_DONE = frozenset({"crit", "b64", "zip", "enc", "cty"})
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class _Odd(Exception):
    """Not in the one canonical form."""


def is_odd(token: str) -> bool:
    """Whether a token has not the one canonical form, or asks for what is never done, or has claims of odd types."""
    if len(token) > MAX_TOKEN or not _PARTS.match(token):
        return True
    try:
        header, payload, _ = (_decoded(part) for part in token.split("."))
        claims = _object(payload)
        if len(claims) > MAX_CLAIMS:
            return True
        return not _NEVER_DONE.isdisjoint(_object(header)) or any(
            _is_odd_date(claims[name]) for name in ("exp", "nbf", "iat") if name in claims
        )
    except _Odd:
        return True


def odd_identifier(token: str, *names: str) -> bool:
    """Whether one of these claims is there and is no text that can name something."""
    try:
        claims = _object(_decoded(token.split(".")[1]))
    except (_Odd, IndexError):
        return False
    return any(name in claims and not _is_identifier(claims[name]) for name in names)


def _is_identifier(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_IDENTIFIER and _CONTROL.search(value) is None


def _is_odd_date(value: object) -> bool:
    return isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < LATEST_DATE


def _decoded(part: str) -> bytes:
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise _Odd from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise _Odd
    return data


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _Odd from None
    if not isinstance(found, dict) or _is_too_much(found):
        raise _Odd
    return found


def _is_too_much(value: object, depth: int = 1) -> bool:
    """Whether a value has a number, a text or a shape that no token needs."""
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, int):
        return bool(abs(value) >= 10**MAX_DIGITS)
    if not isinstance(value, (list, dict)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth > MAX_DEPTH or len(value) > MAX_LENGTH or any(_is_too_much(each, depth + 1) for each in inner)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Odd
    return found


def _no_constant(name: str) -> Any:
    raise _Odd


def key_of(token: str, document: object) -> Json | None:
    """The key that LiteLLM would verify a token with: the last of that id, or the only one for a token without id."""
    keys = document.get("keys") if isinstance(document, Mapping) and "keys" in document else document
    if not isinstance(keys, list):
        return None
    try:
        kid = _object(_decoded(token.split(".")[0])).get("kid")
    except _Odd:
        return None
    if kid is None and len(keys) == 1:
        return keys[0] if isinstance(keys[0], dict) else None
    found = [key for key in keys if isinstance(key, dict) and kid is not None and key.get("kid") == kid]
    return found[-1] if found else None


def is_unhygienic(key: Json) -> bool:
    """Whether it is an RSA key that nobody should trust: with private parts, short, or with a small exponent."""
    if key.get("kty") != "RSA":
        return False
    modulus, exponent = _number(key.get("n")), _number(key.get("e"))
    return not _PRIVATE.isdisjoint(key) or modulus.bit_length() < MIN_BITS or exponent < MIN_EXPONENT


def _number(text: object) -> int:
    if not isinstance(text, str):
        return 0
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
    except (binascii.Error, ValueError):
        return 0
