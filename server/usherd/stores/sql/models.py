"""Reads the catalogue that a database keeps."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from usherd.store import ModelRow
from usherd.stores.sql import rows, schema
from usherd.stores.sql.database import Database

_READ_AT_ONCE = 200
"""Rows that are read before others get their turn: some two milliseconds."""


async def models_in(database: Database, most: int) -> tuple[ModelRow, ...]:
    """The models, as they are at one moment, sorted by name (code points), at most so many. Raises
    DirectoryUnavailable."""
    name, found = schema.models.c.name, list[ModelRow]()
    query = select(schema.models).order_by(name)
    async with database.reading() as connection:
        while len(found) < most:
            size = min(_READ_AT_ONCE, most - len(found))
            behind = query.where(name > found[-1].name) if found else query
            records = (await connection.execute(behind.limit(size))).all()
            found += map(rows.model, records)
            if len(records) < size:
                break
            await asyncio.sleep(0)
    return tuple(found)
