"""Money, periods and JSON of LiteLLM's tables."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usherd.imports.values import MOST_MICRO_USD, NotJson, from_json, is_set, micro_usd, period, rate


@given(st.integers(0, 2**43))
def test_an_amount_of_whole_millionths_is_exact(micros: int) -> None:
    # Up to some millions of dollars a float tells all of them apart.
    assert micro_usd(micros / 1_000_000) == (micros, "")


@given(st.floats(0, 9e11))
def test_any_other_amount_is_the_nearest_millionth(dollars: float) -> None:
    found = micro_usd(dollars)
    assert found.value is not None
    assert abs(found.value - Decimal(repr(dollars)) * 1_000_000) <= Decimal("0.5")
    assert (found.note == "") == (found.value == Decimal(repr(dollars)) * 1_000_000)


@pytest.mark.parametrize(
    ("dollars", "micros"),
    [
        (None, None),
        (0.0, 0),
        (0.1, 100_000),
        (29.99, 29_990_000),
        (-1.0, 0),
        (math.nan, 0),
        (math.inf, None),
        (1e300, MOST_MICRO_USD),
        ("10", 0),
        (True, 0),
    ],
)
def test_what_is_no_amount_is_no_way_to_spend_more(dollars: Any, micros: int | None) -> None:
    found = micro_usd(dollars)
    assert found.value == micros
    assert bool(found.note) == (dollars in (-1.0, math.inf, 1e300, "10") or dollars is True or dollars != dollars)


@pytest.mark.parametrize(
    ("text", "seconds", "noted"),
    [
        (None, None, False),
        ("", None, False),
        ("30", 30, False),
        ("30s", 30, False),
        ("5m", 300, False),
        ("24h", 86_400, False),
        ("30d", 2_592_000, False),
        ("1w", 604_800, False),
        ("1mo", 2_592_000, True),
        ("0d", None, True),
        ("9999d", None, True),
        ("monthly", None, True),
        ("30 d", None, True),
        ("٣d", None, True),
        (30, None, True),
    ],
)
def test_a_period_is_whole_seconds(text: Any, seconds: int | None, noted: bool) -> None:
    found = period(text)
    assert found.value == seconds
    assert bool(found.note) == noted


@pytest.mark.parametrize(("value", "found"), [(None, None), (0, 0), (10, 10), (-1, 0), (2**60, 2**53), (1.5, 0)])
def test_a_rate_that_is_none_lets_nothing_through(value: Any, found: int | None) -> None:
    assert rate(value).value == found


def test_json_may_be_written_as_a_text_that_holds_json() -> None:
    assert from_json('{"a": 1}') == {"a": 1}
    assert from_json('"{\\"a\\": 1}"') == {"a": 1}
    assert from_json(None) is None
    for text in ("", "{", "[" * 100_000):
        with pytest.raises(NotJson):
            from_json(text)


@pytest.mark.parametrize("value", [None, False, "", [], {}, "{}", "[]", "null", '""', '"{}"'])
def test_what_is_empty_says_nothing(value: Any) -> None:
    assert not is_set(value)


@pytest.mark.parametrize("value", [0, 0.0, 1, True, "a", ["a"], '{"a": 1}', "not json", "nothing", "{"])
def test_all_else_says_something_and_so_does_a_limit_of_0(value: Any) -> None:
    assert is_set(value)
