"""What operators do with a database beside a server: they look at it, and upgrade it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from usherd.stores.sql import schema
from usherd.stores.sql import upgrade as upgrades
from usherd.stores.sql.failures import telling_failures
from usherd.stores.sql.unusable import DatabaseUnusable
from usherd.stores.sql.upgrade import Standing, Status
from usherd.stores.sql.urls import address_of, engine_of

PATIENCE = 3600.0
"""Seconds that one statement of an upgrade, or a count, may take."""
_COUNTED = (schema.organizations, schema.teams, schema.users, schema.memberships, schema.end_users, schema.models)


class Look(NamedTuple):
    """What there is to see in a database. All but `tables` is empty unless this usherd can work with it."""

    tables: Status
    store: str = ""
    revision: int = 0
    compacted: int = 0
    rows: Mapping[str, int] = MappingProxyType({})


async def upgrade(url: str) -> tuple[Status, Status]:
    """Upgrades it, and returns where it stood before and stands now. Raises DatabaseUnusable, DirectoryUnavailable."""
    with telling_failures():
        async with _opened(url) as engine:
            return await upgrades.upgrade(engine)


async def look(url: str) -> Look:
    """Looks at it. Raises DatabaseUnusable, DirectoryUnavailable."""
    path = address_of(url).path
    if path is not None and not await asyncio.to_thread(Path(path).exists):
        raise DatabaseUnusable(f"{path}: there is no such file; run: {upgrades.MEND}")
    with telling_failures():
        async with _opened(url) as engine:
            tables = await upgrades.status_of(engine)
            if tables.standing is not Standing.CURRENT:
                return Look(tables)
            async with engine.connect() as connection:
                columns = (schema.store.c.id, schema.store.c.revision, schema.store.c.compacted)
                store, revision, compacted = (await connection.execute(select(*columns))).one()
                counts = {
                    table.name: int(await connection.scalar(select(func.count()).select_from(table)) or 0)
                    for table in (*_COUNTED, schema.change_log)
                }
            return Look(tables, store, revision, compacted, counts)


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = engine_of(address_of(url), patience=PATIENCE)
    try:
        yield engine
    finally:
        await asyncio.shield(engine.dispose())
