"""The small words of a configuration mean one thing, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usherd.config.document import parse_document
from usherd.config.patterns import check_route_pattern
from usherd.config.problems import ConfigError, Unusable
from usherd.config.scalars import bounded_bytes, check_url, duration_text, micro_usd, seconds, size_text
from usherd.permit.route_form import canonical_route
from usherd.permit.route_match import RouteSet


@given(st.integers(0, 10_000_000))
def test_a_duration_is_read_as_it_is_written(value: int) -> None:
    assert seconds(duration_text(float(value))) == float(value)


@given(st.integers(0, 2**29))
def test_a_size_is_read_as_it_is_written(value: int) -> None:
    assert bounded_bytes(size_text(value), 0, 2**30) == value


@pytest.mark.parametrize("text", ["", "30", "-1s", "1 s", "1w", "1e3s", "٣s", "infs", "nans", "1s\n", 30, True, None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(Unusable):
        seconds(text)


AMOUNTS = {1: 1_000_000, 0: 0, 0.25: 250_000, "0.000001": 1, 1e-06: 1, "12": 12_000_000, 0.1: 100_000}


@pytest.mark.parametrize(("text", "expected"), AMOUNTS.items())
def test_money_is_exact(text: object, expected: int) -> None:
    assert micro_usd(text) == expected


@pytest.mark.parametrize(
    "text", [True, None, -1, "-1", "1,5", "1e400", "inf", "nan", "0.0000001", [], float("nan"), 10**30]
)
def test_what_is_no_money_is_refused(text: object) -> None:
    with pytest.raises(Unusable):
        micro_usd(text)


@pytest.mark.parametrize(
    "url",
    ["https:///x", "https://a b", "ftp://a", "//a", "https://u@a", "https://a/#f", "https://a:99999999", "https://ä", "http://10.0.0.1",
     "http://127.0.0.1.example", "http://localhost.example", "javascript:alert(1)", "https://a\n", "http://[::1"],
)  # fmt: skip
def test_a_url_that_keys_must_not_come_from_is_refused(url: str) -> None:
    with pytest.raises(Unusable):
        check_url(url, loopback_http=True)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://localhost", "http://[::1]:8080/k", "https://a.example/k?x=1"]
)
def test_a_url_that_keys_may_come_from_is_taken(url: str) -> None:
    check_url(url, loopback_http=True)


_SEGMENT = st.from_regex(r"[A-Za-z0-9._~!$&'()+,=:@-]{1,8}", fullmatch=True)


@given(st.lists(_SEGMENT, min_size=1, max_size=5))
def test_a_literal_pattern_that_is_accepted_is_fitted_by_the_route_of_its_text(segments: list[str]) -> None:
    route = "/" + "/".join(segments)
    try:
        check_route_pattern(route)
    except Unusable:
        assert canonical_route(route) is None
    else:
        assert canonical_route(route) == route
        assert RouteSet([route]).grants("", route)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_text_makes_the_reader_fail_otherwise_than_with_a_problem(text: str | bytes) -> None:
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        document = parse_document(content, "x.yaml", Path())
    except ConfigError as error:
        said = [problem.text for problem in error.problems]
    else:
        said = [f"{len(document.lines)} lines"]

    assert len(said) == 1


PLAIN_WORDS = {
    "on": "on",
    "no": "no",
    "y": "y",
    "12:30": "12:30",
    "2024-01-01": "2024-01-01",
    "0x10": "0x10",
    ".inf": ".inf",
    "true": True,
    "~": None,
    "7": 7,
    "1e3": 1000.0,
}


@pytest.mark.parametrize(("text", "expected"), PLAIN_WORDS.items())
def test_a_plain_word_is_what_it_looks_like(text: str, expected: object) -> None:
    document = parse_document(f"a: {text}".encode(), "x.yaml", Path())

    assert document.value == {"a": expected}
