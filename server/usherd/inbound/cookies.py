"""The session among a browser's cookies: finds its token, or refuses to choose, and takes it off what is handed on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from usherd.inbound.refused import Cause, RequestRefused

PREFIX = "litellm_ui_token_"
"""What names of such cookies begin with; the rest is when it was set, in seconds."""

Key = TypeVar("Key")

_NUMBER = re.compile(r"[0-9]{1,20}")
_SESSION = re.compile(rb"(?:^|,)\s*" + PREFIX.encode())
"""Begins a session's cookie, also behind a comma: so several `cookie` headers may have been joined."""


def session_cookie(headers: Iterable[str]) -> str | None:
    """The value of the newest session's cookie; None: there is none.

    Of several the one with the greatest number in its name. Where a name ends with no number, they are compared as
    texts. Raises RequestRefused (CREDENTIALS_AMBIGUOUS) for one name, or one number, with two values.
    """
    found: dict[str, str] = {}
    for header in headers:
        for part in header.split(";"):
            name, equals, value = part.strip(" \t").partition("=")
            if equals and name.startswith(PREFIX):
                _put(found, name, _unquoted(value.strip(" \t")))
    if not found:
        return None
    suffixes = [name.removeprefix(PREFIX) for name in found]
    if not all(map(_NUMBER.fullmatch, suffixes)):
        return found[max(found)]
    numbers: dict[int, str] = {}
    for suffix, value in zip(suffixes, found.values(), strict=True):
        _put(numbers, int(suffix), value)
    return numbers[max(numbers)]


def without_sessions(headers: Sequence[bytes]) -> bytes | None:
    """One `cookie` header in place of these, with none of a session's cookies: empty if there is no other; None: there
    is none of a session. What is no UTF-8 goes with them, for no message could say it."""
    parts = [part for header in headers for part in header.split(b";")]
    others = [part.strip() for part in parts if _SESSION.search(part) is None]
    if len(others) == len(parts):
        return None
    return b"; ".join(part for part in others if part and _is_text(part))


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _put(found: dict[Key, str], key: Key, value: str) -> None:
    if found.setdefault(key, value) != value:
        raise RequestRefused(Cause.CREDENTIALS_AMBIGUOUS)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
