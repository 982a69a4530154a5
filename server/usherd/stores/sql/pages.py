"""Pages of rows: after some row, in the order of ids, as many as are wanted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, and_, false, or_, select

from usherd.changes import RowKind
from usherd.store import Filter, Page, RowId, Stored
from usherd.stores.sql import rows, schema
from usherd.stores.sql.batches import storable
from usherd.stores.sql.database import Database
from usherd.stores.sql.fetch import TABLES, keys_of, read

_BEYOND = "\U0010ffff"
"""Sorts behind whatever an id can go on with."""


async def page(database: Database, kind: RowKind, wanted: Filter, after: RowId, limit: int) -> Page:
    """As `Store.page`."""
    query = select(TABLES[kind]).where(*_conditions(kind, wanted)).order_by(*keys_of(kind)).limit(limit + 1)
    if after:
        query = query.where(_behind(keys_of(kind), after))
    async with database.reading() as connection:
        revision = (await database.head(connection)).revision
        records = (await connection.execute(query)).all()
        found = await read(connection, kind, records[:limit])
    stored = tuple(Stored(row, rows.revision_of(row)) for row in found.values())
    return Page(stored, len(records) > limit, revision)


def _behind(keys: tuple[ColumnElement[str], ...], after: RowId) -> ColumnElement[bool]:
    """Written out: SQLite uses no index for a comparison of pairs with another collation."""
    if len(keys) == 1:
        return keys[0] > after[0]
    return and_(keys[0] >= after[0], or_(keys[0] > after[0], keys[1] > after[1]))


def _conditions(kind: RowKind, wanted: Filter) -> list[ColumnElement[bool]]:
    given = {name: value for name, value in wanted._asdict().items() if value not in ("", None)}
    if not storable(tuple(given.values())):
        return [false()]
    conditions = _filters(kind)
    # What a kind does not have matches nothing.
    return [conditions[name](value) if name in conditions else false() for name, value in given.items()]


def _filters(kind: RowKind) -> dict[str, Any]:
    """How rows of that kind are filtered, by the names of `Filter`."""
    table = TABLES[kind].c
    filters: dict[str, Any] = {}
    if kind is not RowKind.MEMBERSHIP:
        (key,) = keys_of(kind)
        filters["prefix"] = lambda text: and_(key >= text, key < text + _BEYOND)
    for name in ("alias", "organization", "issuer", "email", "blocked"):
        if name in table:
            filters[name] = table[name].__eq__
    if kind is RowKind.MEMBERSHIP:
        filters |= {"team": table.team_id.__eq__, "user": table.user_id.__eq__}
    if kind is RowKind.USER:
        filters["organization"] = lambda text: _of_user(schema.user_organizations, "organization_id", text)
        filters["team"] = lambda text: _of_user(schema.memberships, "team_id", text, ~schema.memberships.c.away)
        filters["issuer"] = lambda text: _of_user(schema.user_identities, "issuer", text)
    return filters


def _of_user(table: Table, column: str, text: str, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    return schema.users.c.id.in_(select(table.c.user_id).where(table.c[column] == text, *more))
