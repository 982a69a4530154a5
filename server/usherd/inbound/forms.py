"""Reads forms: only what every reader must read alike."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from urllib.parse import parse_qsl

from usherd.inbound.names import meant

MAX_FIELDS = 1000
"""Fields of a form that are looked at; a form with more is not read."""
MAX_ENCODED = 20_000
"""Characters of a form that are written as `%` and two digits."""

_BOUNDARY = re.compile(
    r'multipart/form-data\s*;\s*boundary=(?:"([^"\\\r\n]{1,70})"|([^\s";,\\]{1,70}))\s*', re.IGNORECASE
)
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)")
_DISPOSITION = re.compile(
    r'form-data;[ \t]*name="([^"\\\r\n]*)"(;[ \t]*filename(?:\*=[^";\r\n]*|="(?:[^"\\\r\n]|\\.)*"))*[ \t]*',
    re.IGNORECASE,
)
_PLAIN = re.compile(r"text/plain[ \t]*(?:;[ \t]*charset=\"?utf-8\"?[ \t]*)?", re.IGNORECASE)


class FormUnreadable(Exception):
    """It is no form, or one that readers may read differently."""


Fields = list[tuple[str, str]]
"""Names and values, in their order. Files are not among them."""


def urlencoded(body: bytes) -> Fields:
    """The fields of `application/x-www-form-urlencoded`. Raises FormUnreadable."""
    found: Fields | None = None
    if body.count(b"%") > MAX_ENCODED:
        raise FormUnreadable
    with contextlib.suppress(ValueError):
        found = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS, separator="&"
        )
    if found is None:
        raise FormUnreadable
    return found


def multipart(body: bytes, content_type: str, names: Collection[str]) -> Fields:
    """The fields of `multipart/form-data` (RFC 7578) that is there to its end. Raises FormUnreadable, also where a file
    may be meant by one of these names: it is no text, and some readers hand its content out as if it were."""
    named = _BOUNDARY.fullmatch(content_type)
    if named is None:
        raise FormUnreadable
    delimiter = b"\r\n--" + (named[1] or named[2]).encode("latin-1", "replace")
    first, *parts = (b"\r\n" + body).split(delimiter, MAX_FIELDS + 1)
    if any(delimiter[2:] in part for part in parts):
        # Some readers take a boundary behind a bare line feed for one.
        raise FormUnreadable
    if first or len(parts) < 2 or len(parts) > MAX_FIELDS or not re.fullmatch(rb"--[ \t]*(?:\r\n)?", parts[-1]):
        raise FormUnreadable
    return [field for part in parts[:-1] for field in _field(part, names)]


def _field(part: bytes, names: Collection[str]) -> Fields:
    head, gap, value = part.partition(b"\r\n\r\n")
    if not gap or not head.startswith(b"\r\n"):
        raise FormUnreadable
    headers: dict[bytes, str] = {}
    for line in head[2:].split(b"\r\n"):
        found = _HEADER.fullmatch(line)
        if found is None or found[1].lower() in headers:
            raise FormUnreadable
        headers[found[1].lower()] = found[2].decode("latin-1")
    disposition = _DISPOSITION.fullmatch(headers.get(b"content-disposition", ""))
    if disposition is None:
        raise FormUnreadable
    if disposition[2] is not None:
        if meant(disposition[1].encode("latin-1").decode(errors="replace"), names) is not None:
            raise FormUnreadable
        return []
    is_text = _PLAIN.fullmatch(headers.get(b"content-type", "text/plain")) is not None
    if not is_text or b"content-transfer-encoding" in headers or not disposition[1].isascii():
        raise FormUnreadable
    return [(disposition[1], _text(value))]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        pass
    raise FormUnreadable
