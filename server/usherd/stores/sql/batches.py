"""Cuts long lists of values into a few sizes of IN lists, so that there are few statements to prepare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, or_

LONGEST = 256
"""Values of one list. SQLite takes 32,766 in a statement."""
MOST_TUPLES = 64
"""Tuples of one list, which are longer."""

ValueT = TypeVar("ValueT")


def storable(value: object) -> bool:
    """Whether a row can have that value: PostgreSQL has no NUL in texts, and neither has surrogates."""
    if isinstance(value, tuple):
        return all(map(storable, value))
    if not isinstance(value, str):
        return True
    return "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)


def batches(values: Iterable[ValueT]) -> Iterator[list[ValueT]]:
    """The distinct values in lists of 1, 4, 16, 64 or 256; what a list has too few of, it has twice.

    Values that no row can have are left out.
    """
    distinct = [value for value in dict.fromkeys(values) if storable(value)]
    longest = MOST_TUPLES if distinct and isinstance(distinct[0], tuple) else LONGEST
    for begin in range(0, len(distinct), longest):
        batch = distinct[begin : begin + longest]
        size = 1
        while size < len(batch):
            size *= 4
        yield batch + batch[-1:] * (size - len(batch))


def one_of(columns: Sequence[ColumnElement[Any]], tuples: Iterable[tuple[Any, ...]]) -> ColumnElement[bool]:
    """Whether the columns together are one of these tuples. Written out: SQLite searches no index for a list of tuples,
    and would look at the whole table."""
    return or_(*(and_(*(column == value for column, value in zip(columns, each, strict=True))) for each in tuples))
