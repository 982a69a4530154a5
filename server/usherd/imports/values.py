"""Reads single values of LiteLLM's tables: money in floats, periods in words, JSON in JSON."""

from __future__ import annotations

import json
import math
import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

MOST_MICRO_USD = 10**18 - 1
"""Less than a trillion dollars: the most that a row can have."""
MOST_RATE = 2**53
LONGEST_PERIOD = 3660 * 86_400
"""Seconds."""
DAYS_OF_A_MONTH = 30

_PERIOD = re.compile(r"([0-9]{1,9})(mo|s|m|h|d|w)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "mo": DAYS_OF_A_MONTH * 86_400}


class Read(NamedTuple):
    """A value as usherd has it."""

    value: int | None
    note: str = ""
    """What is other than it was; empty: nothing."""


def micro_usd(dollars: Any) -> Read:
    """A maximum in millionths of a dollar. What is no amount is 0: no limit is lost by being strange."""
    if dollars is None:
        return Read(None)
    if isinstance(dollars, bool) or not isinstance(dollars, int | float | Decimal) or math.isnan(dollars):
        return Read(0, "is no amount of money, and is 0 here")
    if dollars == math.inf:
        return Read(None, "is infinite, and is no limit here")
    if dollars < 0:
        return Read(0, "is below 0, and is 0 here")
    # The shortest decimal that is this float is what somebody wrote.
    exact = Decimal(repr(dollars) if isinstance(dollars, float) else dollars) * 1_000_000
    if exact > MOST_MICRO_USD:
        return Read(MOST_MICRO_USD, "is more than can be counted, and is the most that can")
    whole = exact.to_integral_value(ROUND_HALF_EVEN)
    return Read(int(whole), "" if whole == exact else "is rounded to a millionth of a dollar")


def period(text: Any) -> Read:
    """The seconds of a duration such as `30d` or `1mo`."""
    if text is None or text == "":
        return Read(None)
    found = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return Read(None, "is no duration: the budget never begins anew here")
    unit = found[2] or "s"
    seconds = int(found[1]) * _SECONDS[unit]
    if not 1 <= seconds <= LONGEST_PERIOD:
        return Read(None, "is shorter than a second or longer than 3660 days: the budget never begins anew here")
    return Read(seconds, f"counts months, which are {DAYS_OF_A_MONTH} days here" if unit == "mo" else "")


def rate(value: Any) -> Read:
    """Tokens, or requests, a minute."""
    if value is None:
        return Read(None)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return Read(0, "is no number from 0 on, and is 0 here")
    return (
        Read(value) if value <= MOST_RATE else Read(MOST_RATE, "is more than can be counted, and is the most that can")
    )


class NotJson(ValueError):
    """A text that is no JSON."""


def from_json(text: Any) -> Any:
    """What a JSON column holds: LiteLLM writes some as texts that hold JSON. Raises NotJson."""
    value = _loaded(text)
    if isinstance(value, str):
        try:
            return _loaded(value)
        except NotJson:
            return value
    return value


def _loaded(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise NotJson from None


def is_set(value: Any) -> bool:
    """Whether a value says anything: not null, false or empty, nor JSON for that. A 0 is a limit."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "[", '"', "n"):
        try:
            value = from_json(value)
        except NotJson:
            return True
    return bool(value) or (isinstance(value, int | float) and not isinstance(value, bool))
