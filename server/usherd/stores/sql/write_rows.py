"""Writes rows that are others now, few statements for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Delete, Table, Update, and_, bindparam, delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.changes import RowKind
from usherd.facts import User
from usherd.store import RowId
from usherd.stores.sql.batches import execute_many
from usherd.stores.sql.fetch import TABLES, keys_of
from usherd.stores.sql.known import Moved
from usherd.stores.sql.rows import Values, values_of
from usherd.stores.sql.user_parts import PARTS, difference
from usherd.turns import Turn

_KINDS = (
    RowKind.ORGANIZATION,
    RowKind.TEAM,
    RowKind.USER,
    RowKind.MEMBERSHIP,
    RowKind.END_USER,
    RowKind.MODEL,
)
"""What names others comes after them."""


class _Records:
    """What is to be written of each table."""

    def __init__(self) -> None:
        self.gone: dict[Table, list[Values]] = defaultdict(list)
        self.new: dict[Table, list[Values]] = defaultdict(list)
        self.changed: dict[Table, list[Values]] = defaultdict(list)

    def add(self, moved: Moved, revision: int) -> None:
        """A row, with what other tables have of it."""
        table, before, now = TABLES[moved.kind], moved.before, moved.now
        if now is None:
            if before is not None:
                # What other tables have goes with it: they say so themselves.
                self.gone[table].append(_named(moved.kind, moved.id))
            return
        values = values_of(now, revision)
        if before is None:
            self.new[table].append(values)
        else:
            self.changed[table].append(_named(moved.kind, moved.id) | _without_key(moved.kind, values))
        if isinstance(now, User):
            for part in PARTS:
                gone, new = difference(before if isinstance(before, User) else None, now, part)
                self.gone[part] += [_bound(part, each) for each in gone]
                self.new[part] += new


async def write_rows(connection: AsyncConnection, moved: Iterable[Moved], revision: int, turn: Turn) -> None:
    """Makes the rows what they are now, at that revision."""
    records = _Records()
    for each in moved:
        records.add(each, revision)
        await turn.maybe_yield()
    # What goes, goes first: an identity may have moved from one user to another.
    for table in (*PARTS, *(TABLES[kind] for kind in reversed(_KINDS))):
        await execute_many(connection, _deletion(table), records.gone[table])
    for kind in _KINDS:
        table = TABLES[kind]
        await execute_many(connection, insert(table), records.new[table])
        await execute_many(connection, _change(table), records.changed[table])
    for table in PARTS:
        await execute_many(connection, insert(table), records.new[table])


def _deletion(table: Table) -> Delete:
    return delete(table).where(and_(*(each == bindparam(f"its_{each.name}") for each in table.primary_key)))


def _change(table: Table) -> Update:
    # Which columns are set, the records say.
    return update(table).where(and_(*(each == bindparam(f"its_{each.name}") for each in table.primary_key)))


def _named(kind: RowKind, row_id: RowId) -> Values:
    return {f"its_{column.key}": value for column, value in zip(keys_of(kind), row_id, strict=True)}


def _bound(table: Table, values: Values) -> Values:
    return {f"its_{column.name}": values[column.name] for column in table.primary_key}


def _without_key(kind: RowKind, values: Values) -> Values:
    keys = {column.key for column in keys_of(kind)}
    return {name: value for name, value in values.items() if name not in keys}
