"""Session cookies of LiteLLM's user interface: `litellm_ui_token_<number>`, of which the greatest number counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from usher_client.http.errors import HttpAnswer
from usher_client.http.reading import RequestRefused

PREFIX: Final = "litellm_ui_token_"

_NUMBER = re.compile(r"[0-9]{1,20}")
_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_COMPACT_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LOCATION = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?")
# What browsers keep: a larger one is dropped without a word, and the user asked to log in for ever.
_MAX_COOKIE = 4096
_MAX_CLEARED = 100
_ATTRIBUTES = "Secure; HttpOnly; SameSite=Strict"


def read_sessions(cookies: Iterable[str]) -> str:
    """The token of the session cookie that counts, out of all `cookie` headers. Empty: there is none.

    Raises RequestRefused where one name, or one number, has two values.
    """
    by_name: dict[str, str] = {}
    by_number: dict[int, str] = {}
    for name, value in _session_pairs(cookies):
        if by_name.setdefault(name, value) != value:
            raise RequestRefused("credentials_ambiguous")
        suffix = name[len(PREFIX) :]
        if _NUMBER.fullmatch(suffix) and by_number.setdefault(int(suffix), value) != value:
            raise RequestRefused("credentials_ambiguous")
    if not by_name:
        return ""
    if all(_NUMBER.fullmatch(each[len(PREFIX) :]) for each in by_name):
        return by_number[max(by_number)]
    return by_name[max(by_name)]


def set_session(token: str, now: float, location: str) -> HttpAnswer:
    """Sets a session as a cookie and sends the browser on to a place of this site; `now` is Unix time in seconds.

    Raises ValueError, whose text never has the token, for one that is no compact JWS or larger than browsers keep,
    and for a location that may be on another site.
    """
    if _COMPACT_JWS.fullmatch(token) is None:
        raise ValueError("token: expected a compact JWS")
    if _LOCATION.fullmatch(location) is None:
        raise ValueError("location: expected a path of this site, in printable ASCII")
    name = f"{PREFIX}{int(now)}"
    if len(name) + len(token) > _MAX_COOKIE:
        raise ValueError("token: larger than what browsers keep in a cookie")
    headers = (
        ("location", location),
        ("set-cookie", f"{name}={token}; Path=/; {_ATTRIBUTES}"),
        ("cache-control", "no-store"),
    )
    return HttpAnswer(303, headers, b"")


def clear_sessions(cookies: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The headers that clear every session cookie that these `cookie` headers have, on both of its paths.

    At most 100 names: no browser sends more.
    """
    names = dict.fromkeys(name for name, _ in _session_pairs(cookies) if _COOKIE_NAME.fullmatch(name))
    return tuple(
        ("set-cookie", f"{name}=; Path={path}; Max-Age=0; {_ATTRIBUTES}")
        for name in list(names)[:_MAX_CLEARED]
        for path in ("/", "/ui")
    )


def _session_pairs(cookies: Iterable[str]) -> Iterator[tuple[str, str]]:
    for header in cookies:
        for pair in header.split(";"):
            name, equals, value = pair.lstrip(" \t").partition("=")
            if equals and name.startswith(PREFIX):
                value = value.strip(" \t")
                if len(value) > 1 and value[0] == value[-1] == '"':
                    value = value[1:-1]
                yield name, value
