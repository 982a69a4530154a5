"""Reads a few members of a JSON object: every one of a name, so that none is hidden behind a second one."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, Final, NoReturn

from usher_client.http.json_skim import skimmed_members
from usher_client.http.names import meant
from usher_client.http.not_json import NotJson

LARGE: Final = 128 * 1024
"""Bytes from which on a text is skimmed: built, it could be thirty times as large, and hold the process up."""

_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_BLANK = re.compile(r"[ \t\n\r]*")


def members(text: bytes, names: Collection[str]) -> dict[str, list[str]]:
    """The texts of the values that these names have, each as often as it is named, and twice where another name may be
    meant for it (`names.meant`). Raises NotJson."""
    if len(text) > LARGE:
        return skimmed_members(text, names)
    try:
        return _members(text.decode(), names)
    except (ValueError, StopIteration, RecursionError):
        pass  # raised below, without what stood there
    raise NotJson


def _members(text: str, names: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    at = _past_blank(text, 0)
    if text[at : at + 1] != "{":
        raise NotJson
    at = _past_blank(text, at + 1)
    if text[at : at + 1] == "}":
        at += 1
    else:
        while True:
            if text[at : at + 1] != '"':
                raise NotJson
            name, at = _string(text, at + 1, True)
            colon = _COLON.match(text, at)
            if colon is None:
                raise NotJson
            begin = colon.end()
            _, at = _value(text, begin)
            if (known := meant(name, names)) is not None:
                found.setdefault(known, []).extend([text[begin:at]] * (1 if known == name else 2))
            at = _past_blank(text, at)
            follows = text[at : at + 1]
            at += 1
            if follows == "}":
                break
            if follows != ",":
                raise NotJson
            at = _past_blank(text, at)
    if _past_blank(text, at) != len(text):
        raise NotJson
    return found


def _no_constant(_: str) -> NoReturn:
    raise NotJson  # NaN and Infinity are Python's, and not JSON's


# Both are what `json` itself is made of, and written in C.
_string: Any = json.decoder.scanstring  # type: ignore[attr-defined]
_value: Any = json.JSONDecoder(parse_constant=_no_constant).scan_once  # type: ignore[attr-defined]


def _past_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at
