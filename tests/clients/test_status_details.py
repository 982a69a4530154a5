"""Status details are read by our own declaration of them, and whatever is in them never raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.scripted import details
from usher_client.status_details import read_details

NAME = "grpc-status-details-bin"


@pytest.mark.parametrize(
    ("trailer", "expected"),
    [
        (details("KEYS_UNAVAILABLE"), ("KEYS_UNAVAILABLE", None)),
        (details("KEYS_UNAVAILABLE", retry_after=0.25), ("KEYS_UNAVAILABLE", 0.25)),
        (details("A_REASON_OF_THE_FUTURE"), ("A_REASON_OF_THE_FUTURE", None)),
        (details("KEYS_UNAVAILABLE", domain="example.com"), ("", None)),
        (details("words of a stranger"), ("", None)),
        (details("X" * 65), ("", None)),
        (details("OVERLOADED", retry_after=3601), ("OVERLOADED", None)),
        (b"", ("", None)),
    ],
)
def test_only_words_and_delays_of_the_contract_are_taken(trailer: bytes, expected: tuple[str, float | None]) -> None:
    assert read_details(((NAME, trailer),)) == expected


def test_no_trailers_are_no_details() -> None:
    assert read_details(None) == ("", None)


@given(st.binary(max_size=300) | st.integers(0, 60).flatmap(lambda cut: st.just(details("OVERLOADED")[:cut])))
def test_bytes_that_are_no_details_are_none(trailer: bytes) -> None:
    reason, retry_after = read_details(((NAME, trailer),))

    assert reason in ("", "OVERLOADED")
    assert retry_after is None or 0 <= retry_after <= 3600
