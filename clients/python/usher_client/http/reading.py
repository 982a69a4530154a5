"""How requests are read: what a gateway configures once, and why a request may be refused without asking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

Headers = Sequence[tuple[str, str]]
"""Names in any case, and values, in the order in which they came."""

DEFAULT_MAX_BODY: Final = 32 * 1024 * 1024

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#]+")
_BASE_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,=:@-]+)+")


class RequestRefused(Exception):
    """A request that is refused without asking. Its code says why, and `refusal_answer` what to answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        """credentials_ambiguous, origin_not_allowed or body_too_large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where a request carries what. Raises ValueError for what is no header name, origin or path."""

    header: str | None = None
    """The one header whose value is the credential. None: the four usual ones, then session cookies."""
    origins: Sequence[str] = ()
    """The origins ("https://ui.example") whose pages may act with a session cookie."""
    base_path: str = ""
    """What every path begins with and the policy's routes do not: "/gateway". Empty: nothing."""
    model_header: str | None = None
    """A header that names the model in place of the body: only one that this gateway itself goes by."""
    team_header: str | None = None
    """A header with the id of the team that the user wants to act for. None: no header counts."""
    team_alias_header: str | None = None
    """A header with that team's alias. None: no header counts."""
    max_body: int = DEFAULT_MAX_BODY
    """Bytes of a body that are read; a larger one is refused."""

    def __post_init__(self) -> None:
        for name in ("header", "model_header", "team_header", "team_alias_header"):
            value = getattr(self, name)
            if value is not None:
                if not isinstance(value, str) or _NAME.fullmatch(value) is None:
                    raise ValueError(f"{name}: expected the name of a header")
                object.__setattr__(self, name, value.lower())
        if isinstance(self.origins, str) or not all(_ORIGIN.fullmatch(each) for each in self.origins):
            raise ValueError("origins: expected a sequence of origins, such as https://ui.example without a path")
        object.__setattr__(self, "origins", tuple(self.origins))
        if self.base_path and _BASE_PATH.fullmatch(self.base_path) is None:
            raise ValueError("base_path: expected a path that begins with a slash and ends with none")
        if not isinstance(self.max_body, int) or isinstance(self.max_body, bool) or self.max_body < 0:
            raise ValueError("max_body: expected a number of bytes")


def values_of(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    """The values of the header of that lower-case name, without white space around them."""
    return [value.strip(" \t") for each, value in headers if each.lower() == name]


def agreed(values: list[str], otherwise: str | None) -> str | None:
    """What all values say, None where that is nothing, and `otherwise` where they differ.

    An empty header is none: who clears one writes that. Beside another of its name it is one that differs.
    """
    if not values:
        return None
    return values[0] or None if all(each == values[0] for each in values) else otherwise
