"""The change log: what has changed since a revision, and how long that is known."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from sqlalchemy import Row as Record
from sqlalchemy import delete, select, update

from usherd.changes import Change, ChangeKind, Lookup, RowKind, Sought
from usherd.errors import ChangesCompacted, FieldInvalid
from usherd.store import Changes
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database
from usherd.stores.sql.requests import forget_old
from usherd.turns import Turn

BATCH = 1000
"""Revisions whose entries are deleted in one transaction."""

_entries = schema.change_log.c


async def changes(database: Database, after: int, limit: int) -> Changes:
    """As `Store.changes`."""
    async with database.reading() as connection:
        head, compacted = await database.head(connection)
        if after < compacted:
            raise ChangesCompacted
        if after > head:
            raise FieldInvalid("after", "a revision that there has been")
        mark = await connection.scalar(select(_entries.committed_at).where(_entries.revision == after).limit(1))
        in_order = select(schema.change_log).order_by(_entries.revision, _entries.place)
        records = (await connection.execute(in_order.where(_entries.revision > after).limit(limit + 1))).all()
        if len(records) <= limit:
            return Changes(await _changes(records), head, head, mark)
        # The transaction that the limit cuts comes next time; if it is the first, it comes whole.
        through = records[-1].revision - 1
        whole = [record for record in records if record.revision <= through]
        if not whole:
            through = records[0].revision
            # It may have changed very many rows, as all the places of a large team that is deleted.
            stream = await connection.stream(in_order.where(_entries.revision == through))
            return Changes(await _streamed(stream.partitions(limit)), through, head, mark)
    return Changes(await _changes(whole), through, head, mark)


async def _changes(records: Iterable[Record[Any]]) -> tuple[Change, ...]:
    found, turn = list[Change](), Turn(time.perf_counter)
    for record in records:
        found.append(_change(record))
        await turn.maybe_yield()
    return tuple(found)


async def _streamed(parts: AsyncIterator[Sequence[Record[Any]]]) -> tuple[Change, ...]:
    found: list[Change] = []
    async for part in parts:
        found += await _changes(part)
    return tuple(found)


def _change(record: Record[Any]) -> Change:
    return Change(
        revision=record.revision,
        kind=RowKind(record.kind),
        id=record.row_id,
        change=ChangeKind(record.change),
        lookups=tuple(Lookup(Sought(sought), tuple(key)) for sought, *key in json.loads(record.lookups)),
        committed_at=record.committed_at,
    )


async def compact(database: Database, keep_for: float, keep_at_least: int) -> int:
    """Deletes entries older than so many seconds, but not those of the last so many revisions, and returns up to which
    revision they are gone; requests that need not be remembered go with them.

    In small transactions: writers wait for none of them long.
    """
    while True:
        async with database.writing() as writing:
            connection = writing.connection
            head = writing.revision - 1
            compacted = await connection.scalar(select(schema.store.c.compacted)) or 0
            # The first that is still to be kept; whatever came before it goes.
            younger = select(_entries.revision).where(_entries.committed_at > writing.now - keep_for)
            kept = await connection.scalar(younger.order_by(_entries.committed_at).limit(1))
            through = min(head if kept is None else kept - 1, head - keep_at_least)
            await forget_old(connection, writing.now, BATCH)
            if through <= compacted:
                return int(compacted)
            target = min(through, compacted + BATCH)
            await connection.execute(delete(schema.change_log).where(_entries.revision <= target))
            await connection.execute(update(schema.store).values(compacted=target))
