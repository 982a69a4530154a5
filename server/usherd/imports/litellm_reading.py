"""Reads a LiteLLM database from beginning to end, in one snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from usherd.imports.litellm_read import Read, Record
from usherd.imports.litellm_tables import TABLES
from usherd.stores.sql.litellm_source import opened_source

Heard = Callable[[str, int, int], None]
"""Hears of progress: the kind of rows, how many were read, and how many there are."""


class Reading(NamedTuple):
    """What was read."""

    read: Read
    absent: tuple[str, ...]
    """Tables that this LiteLLM does not have."""
    unknown: tuple[str, ...]
    """Columns, as TABLE.COLUMN, that usherd does not know: what is in them is not carried over."""


async def read_litellm(url: str, heard: Heard) -> Reading:
    """All tables. Raises DatabaseUnusable and DirectoryUnavailable, as `opened_source`."""
    required = [table.name for table in TABLES if table.required]
    wanted = {table.name: (*table.read, *table.told) for table in TABLES}
    records: dict[str, list[Record]] = {}
    unknown: list[str] = []
    async with opened_source(url, wanted, required) as source:
        for table in TABLES:
            if table.name not in source.tables:
                continue
            unknown += [f"{table.name}.{name}" for name in sorted(source.columns(table.name) - table.known)]
            total = await source.count(table.name)
            found = records.setdefault(table.name, [])
            heard(table.kind, 0, total)
            async for batch in source.rows(table.name, wanted[table.name], table.key):
                found += batch
                heard(table.kind, len(found), max(total, len(found)))
    absent = tuple(table.name for table in TABLES if table.name not in records)
    return Reading(Read(records), absent, tuple(unknown))
