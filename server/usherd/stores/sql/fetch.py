"""Reads rows by their ids, many at once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy import Row as Record
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.changes import RowKind
from usherd.store import Place, Row, RowId
from usherd.stores.sql import rows, schema
from usherd.stores.sql.batches import LONGEST, batches, conditions
from usherd.turns import Turn

Read = Callable[[Record[Any]], Row]

TABLES: Mapping[RowKind, Table] = {
    RowKind.ORGANIZATION: schema.organizations,
    RowKind.TEAM: schema.teams,
    RowKind.USER: schema.users,
    RowKind.MEMBERSHIP: schema.memberships,
    RowKind.END_USER: schema.end_users,
    RowKind.MODEL: schema.models,
}


def _place(record: Record[Any]) -> Place:
    return Place(team=record.team_id, user=record.user_id, place=rows.membership(record), away=record.away)


_READ: Mapping[RowKind, Read] = {
    RowKind.ORGANIZATION: rows.organization,
    RowKind.TEAM: rows.team,
    RowKind.MEMBERSHIP: _place,
    RowKind.END_USER: rows.end_user,
    RowKind.MODEL: rows.model,
}


def keys_of(kind: RowKind) -> tuple[ColumnElement[str], ...]:
    """The columns that name a row of that kind, as `RowId` has them."""
    return tuple(TABLES[kind].primary_key.columns)


async def fetch(connection: AsyncConnection, kind: RowKind, ids: Iterable[RowId]) -> dict[RowId, Row]:
    """The rows of these ids, as far as they are there."""
    keys = keys_of(kind)
    if len(keys) == 1:
        return await fetch_where(connection, kind, keys[0], (each[0] for each in ids))
    first, second = keys
    found: dict[RowId, Row] = {}
    for condition in conditions((first, second), [(each[0], each[1]) for each in ids]):
        found |= await read(connection, kind, await connection.execute(select(TABLES[kind]).where(condition)))
    return found


async def fetch_where(
    connection: AsyncConnection, kind: RowKind, column: ColumnElement[Any], values: Iterable[Any]
) -> dict[RowId, Row]:
    """The rows in whose table that column has one of these values."""
    found: dict[RowId, Row] = {}
    for batch in batches(values):
        found |= await read(connection, kind, await connection.execute(select(TABLES[kind]).where(column.in_(batch))))
    return found


async def fetch_places(connection: AsyncConnection, side: RowKind, ids: Iterable[str]) -> dict[RowId, Row]:
    """All places of these teams or users (`side`), which may be very many."""
    places, found = schema.memberships, dict[RowId, Row]()
    column = places.c.team_id if side is RowKind.TEAM else places.c.user_id
    for batch in batches(ids):
        records = await connection.stream(select(places).where(column.in_(batch)))
        async for part in records.partitions(LONGEST):
            found |= await read(connection, RowKind.MEMBERSHIP, part)
    return found


async def read(connection: AsyncConnection, kind: RowKind, records: Iterable[Record[Any]]) -> dict[RowId, Row]:
    """The rows of these records, in their order. What other tables have of them is read too."""
    if kind is RowKind.USER:
        records = list(records)
        parts = await _parts(connection, [record.id for record in records])
        return {(record.id,): rows.user(record, parts[record.id]) for record in records}
    made, turn, found = _READ[kind], Turn(time.perf_counter), dict[RowId, Row]()
    for record in records:
        row = made(record)
        found[rows.row_id(row)] = row
        await turn.maybe_yield()
    return found


async def _parts(connection: AsyncConnection, users: list[str]) -> Mapping[str, Mapping[str, tuple[Any, ...]]]:
    found: dict[str, dict[str, list[Any]]] = {user: defaultdict(list) for user in users}
    for batch in batches(users):
        identities = schema.user_identities
        for record in await connection.execute(select(identities).where(identities.c.user_id.in_(batch))):
            found[record.user_id]["identities"].append((record.issuer, record.subject))
        sso_ids = schema.user_sso_ids
        for record in await connection.execute(select(sso_ids).where(sso_ids.c.user_id.in_(batch))):
            found[record.user_id]["sso_ids"].append(record.sso_id)
        places = schema.user_organizations
        for record in await connection.execute(select(places).where(places.c.user_id.in_(batch))):
            found[record.user_id]["organizations"].append(record.organization_id)
            if record.administers:
                found[record.user_id]["administers"].append(record.organization_id)
        teams = schema.memberships.c
        theirs = select(teams.user_id, teams.team_id).where(teams.user_id.in_(batch), ~teams.away)
        for record in await connection.execute(theirs):
            found[record.user_id]["teams"].append(record.team_id)
    return {user: {name: tuple(sorted(values)) for name, values in parts.items()} for user, parts in found.items()}
