"""A mapping whose changed copies leave the one that they are of as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from usherd.stores.sharded import Sharded

_ENTRIES = st.dictionaries(st.integers(0, 5000), st.integers(), max_size=30)


@given(first=_ENTRIES, changes=st.lists(_ENTRIES, max_size=5))
def test_each_copy_is_what_a_plain_dictionary_would_be_and_stays_so(
    first: dict[int, int], changes: list[dict[int, int]]
) -> None:
    plain = [dict(first)]
    sharded = [Sharded(first)]
    for change in changes:
        plain.append({**plain[-1], **change})
        sharded.append(sharded[-1].changed(change))

    keys = set().union(*plain, {-1, 5001})
    for expected, found in zip(plain, sharded, strict=True):
        assert {key: found.get(key) for key in keys} == {key: expected.get(key) for key in keys}


def test_without_a_change_there_is_no_copy() -> None:
    made = Sharded({"a": 1})

    assert made.changed({}) is made
    assert made.changed({"a": 1}) is not made


def test_empty_mappings_do_not_share_what_is_put_into_one() -> None:
    empty: Sharded[str, int] = Sharded()
    other: Sharded[str, int] = Sharded()
    assert empty.changed({"a": 1}).get("a") == 1
    assert empty.get("a") is None
    assert other.get("a") is None
