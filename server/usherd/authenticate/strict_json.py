"""Reads JSON that has one meaning only: what two parsers could read differently is refused (RFC 8259, section 4).

Python's own C parser does the reading; the rules ride on its hooks and on two looks at the text, so that a token's
header costs a few microseconds.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

MAX_DEPTH = 20
"""The deepest nesting of lists and objects that is read, unless the caller says otherwise."""
MAX_INTEGER_DIGITS = 64
"""No claim or key member is a longer number (long ones are text), and long numbers are slow to read."""

_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
# The quote at the end is optional: without it, an unclosed string would be searched again from each of its quotes.
_REFUSED = object()


class StrictJsonError(Exception):
    """The bytes are not strict JSON. It holds neither them nor the parser's own error, which quotes them."""


def load(data: bytes, *, max_size: int | None = None, max_depth: int = MAX_DEPTH) -> object:
    """The value that UTF-8 JSON text stands for.

    Refused: other encodings, a byte order mark, names that are doubled within an object (whichever way they are
    escaped), NaN and the infinities (also as numbers too large for a float), integers of more than
    `MAX_INTEGER_DIGITS` digits, unpaired surrogates, and nesting deeper than `max_depth`, which must stay below 100
    so that the parser's recursion cannot end the stack. `max_size` is in bytes.

    Raises StrictJsonError.
    """
    if max_size is not None and len(data) > max_size:
        raise StrictJsonError
    value = _REFUSED
    try:
        text = data.decode("utf-8")
        if not _deeper_than(text, max_depth):
            value = _decode(text)
            # A pair of surrogates becomes one character; only an unpaired one is left for the encoder to refuse.
            if "\\ud" in text or "\\uD" in text:
                json.dumps(value, ensure_ascii=False).encode("utf-8")
    except ValueError:
        value = _REFUSED
    # Raised out here so that the parser's error, with the text in it, is not its context.
    if value is _REFUSED:
        raise StrictJsonError
    return value


def _deeper_than(text: str, depth: int) -> bool:
    if text.count("[") + text.count("{") <= depth:
        return False
    level = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        first = text[found.start()]
        if first in "[{":
            level += 1
            if level > depth:
                return True
        elif first in "]}":
            level -= 1
    return False


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        raise ValueError
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _constant(_text: str) -> NoReturn:
    raise ValueError


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
).decode
