"""Cuts long lists of values into a few sizes of IN lists, so that there are few statements to prepare, and many records
into statements that keep nobody waiting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Executable, and_, or_
from sqlalchemy.ext.asyncio import AsyncConnection

LONGEST = 256
"""Values of one list. SQLite takes 32,766 in a statement."""
MOST_TUPLES = 64
"""Tuples of one list, which are longer."""
RECORDS = 200
"""Records that one statement writes: to put so many into its words takes a millisecond or two."""

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


def conditions(
    columns: tuple[ColumnElement[Any], ColumnElement[Any]], pairs: Sequence[tuple[Any, Any]]
) -> Iterator[ColumnElement[bool]]:
    """Conditions one of which holds where both columns together are one of these pairs.

    Pairs that have much in common, as places of one team, are few conditions.
    """
    by, groups = min((_grouped(pairs, each) for each in (0, 1)), key=lambda found: len(found[1]))
    if len(groups) * MOST_TUPLES > len(pairs):
        yield from (one_of(columns, batch) for batch in batches(pairs))
        return
    for value, others in groups.items():
        if storable(value):
            yield from (and_(columns[by] == value, columns[1 - by].in_(batch)) for batch in batches(others))


def _grouped(pairs: Sequence[tuple[Any, Any]], by: int) -> tuple[int, dict[Any, list[Any]]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for pair in pairs:
        groups[pair[by]].append(pair[1 - by])
    return by, groups


async def execute_many(connection: AsyncConnection, statement: Executable, records: Sequence[dict[str, Any]]) -> None:
    """Executes it for each of these records, which may be none, and lets others go on in between."""
    for begin in range(0, len(records), RECORDS):
        await connection.execute(statement, records[begin : begin + RECORDS])
