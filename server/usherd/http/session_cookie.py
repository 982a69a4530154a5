"""Finds the session's token among a browser's cookies (seed behaviour, section 4.3)."""

from __future__ import annotations

import re

PREFIX = "litellm_ui_token_"
"""What names of such cookies begin with; the rest is when it was set, in seconds."""

MAX_COOKIES = 64
"""Cookies that are looked at."""

_NUMBER = re.compile(r"[0-9]{1,20}")


def session_cookie(header: str) -> str:
    """The value of the newest session's cookie; empty: there is none.

    Of several the one with the greatest number in its name. Where a name ends with no number, they are compared as
    texts, as the reference does.
    """
    found: dict[str, str] = {}
    for part in header.split(";", MAX_COOKIES)[:MAX_COOKIES]:
        name, equals, value = part.strip(" \t").partition("=")
        if equals and name.startswith(PREFIX):
            # The first of a name counts: browsers send the one of the longer path first (RFC 6265, section 5.4).
            found.setdefault(name, value.strip('"'))
    if not found:
        return ""
    numbers = {name: name.removeprefix(PREFIX) for name in found}
    if all(_NUMBER.fullmatch(number) for number in numbers.values()):
        return found[max(found, key=lambda name: int(numbers[name]))]
    return found[max(found)]
