"""What is sealed opens under the same secret and name only, whole and unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usherd.authenticate.sealed import MIN_SECRET, OVERHEAD, Seal

SECRET = b"s" * MIN_SECRET
SEAL = Seal(SECRET)


@given(name=st.text(), made=st.floats(allow_nan=False), expires=st.floats(allow_nan=False), value=st.binary())
def test_what_was_sealed_opens(name: str, made: float, expires: float, value: bytes) -> None:
    data = SEAL.seal(name, made, expires, value)

    assert Seal(SECRET).open(name, data) == (made, expires, value)
    assert len(data) == len(value) + OVERHEAD


def test_nothing_of_it_can_be_read() -> None:
    assert b"canary" not in SEAL.seal("name", 1.0, 2.0, b"canary" * 10)
    assert SEAL.seal("name", 1.0, 2.0, b"canary") != SEAL.seal("name", 1.0, 2.0, b"canary")


def test_no_bit_of_it_can_be_changed() -> None:
    data = SEAL.seal("name", 1.0, 2.0, b"value")
    for place in range(len(data) * 8):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        assert SEAL.open("name", bytes(changed)) is None


def test_neither_less_nor_more_opens() -> None:
    data = SEAL.seal("name", 1.0, 2.0, b"value")

    assert [SEAL.open("name", data[:size]) for size in range(len(data))] == [None] * len(data)
    assert SEAL.open("name", data + b"\0") is None


def test_under_another_name_or_secret_it_does_not_open() -> None:
    data = SEAL.seal("name", 1.0, 2.0, b"value")

    assert SEAL.open("other", data) is None
    assert Seal(b"t" * MIN_SECRET).open("name", data) is None


@given(st.binary(max_size=200))
def test_bytes_that_were_never_sealed_do_not_open(data: bytes) -> None:
    assert SEAL.open("name", data) is None
    assert SEAL.open("name", b"\x01" + data) is None


def test_a_secret_that_could_be_found_by_trying_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Seal(b"s" * (MIN_SECRET - 1))
