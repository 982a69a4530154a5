"""Reads the tables of a LiteLLM proxy in PostgreSQL. Nothing is ever written there: the transaction is read only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import Text, cast, column, func, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.stores.sql.failures import telling_failures
from usherd.stores.sql.unusable import DatabaseUnusable
from usherd.stores.sql.urls import address_of, engine_of

BATCH = 1000
"""Rows that are fetched at a time."""

_OF_PRISMA = frozenset({"schema", "connection_limit", "pool_timeout", "pgbouncer", "socket_timeout"})
"""Options that LiteLLM's own URL may have, which no other client knows and usherd does not need."""
_TLS_OF_PRISMA = frozenset({"sslaccept", "sslidentity", "sslpassword"})

Record = Mapping[str, Any]
"""A row by the names of its columns. JSON is a text."""


def apart(url: str) -> tuple[str, str]:
    """The URL as PostgreSQL's clients know it, and the schema that it names. LiteLLM's own URL has Prisma's options.

    Raises DatabaseUnusable.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise DatabaseUnusable("expected postgresql://user@host/database: LiteLLM keeps its tables in PostgreSQL")
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    schema = dict(options).get("schema") or "public"
    for name, _ in options:
        if name in _TLS_OF_PRISMA:
            raise DatabaseUnusable(f"{name} is known to Prisma only; expected sslmode, sslrootcert, sslcert and sslkey")
    kept = [(name, value) for name, value in options if name not in _OF_PRISMA]
    return urlunsplit(parts._replace(query=urlencode(kept))), schema


class LitellmSource:
    """One snapshot of LiteLLM's tables."""

    def __init__(self, connection: AsyncConnection, schema: str, columns: Mapping[str, Mapping[str, str]]) -> None:
        self._connection = connection
        self._schema = schema
        self._columns = columns

    @property
    def tables(self) -> frozenset[str]:
        """The tables that are there."""
        return frozenset(self._columns)

    def columns(self, name: str) -> frozenset[str]:
        """The columns of a table that is there."""
        return frozenset(self._columns[name])

    async def count(self, name: str) -> int:
        """How many rows a table that is there has."""
        with telling_failures():
            counted = await self._connection.scalar(select(func.count()).select_from(table(name, schema=self._schema)))
        return int(counted or 0)

    async def rows(self, name: str, columns: Iterable[str], key: Sequence[str]) -> AsyncIterator[list[Record]]:
        """The rows of a table that is there, `BATCH` at a time, sorted by `key`, with those columns that it has."""
        types = self._columns[name]
        wanted = [each for each in columns if each in types]
        selected = [_selected(each, types[each]) for each in wanted]
        statement = select(*selected).select_from(table(name, schema=self._schema))
        statement = statement.order_by(*(column(each) for each in key))
        with telling_failures():
            result = await self._connection.stream(statement)
            async for batch in result.partitions(BATCH):
                yield [dict(zip(wanted, row, strict=True)) for row in batch]


def _selected(name: str, type_name: str) -> Any:
    return cast(column(name), Text).label(name) if type_name in ("json", "jsonb") else column(name)


@asynccontextmanager
async def opened_source(
    url: str, wanted: Mapping[str, Collection[str]], required: Sequence[str]
) -> AsyncIterator[LitellmSource]:
    """The tables of these names, of which those columns are wanted, in one snapshot.

    Raises DatabaseUnusable for a URL that is none, for a missing table of `required` and for one that may not be read;
    DirectoryUnavailable if the database is out of reach.
    """
    plain, schema = apart(url)
    engine = engine_of(address_of(plain, any_server=True))
    try:
        with telling_failures():
            connection = await engine.connect()
        try:
            with telling_failures():
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                found = await _columns(connection, schema, wanted)
            missing = [name for name in required if name not in found]
            if missing:
                raise DatabaseUnusable(
                    f"there is no table {missing[0]} in the schema {schema}; expected LiteLLM's database, and"
                    " ?schema=NAME in its URL where that is not public"
                )
            yield LitellmSource(connection, schema, found)
        finally:
            await connection.close()
    finally:
        await engine.dispose()


async def _columns(
    connection: AsyncConnection, schema: str, wanted: Mapping[str, Collection[str]]
) -> dict[str, dict[str, str]]:
    rows = await connection.execute(
        text(
            "SELECT c.relname, a.attname, t.typname, has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " JOIN pg_type t ON t.oid = a.atttypid"
            " WHERE n.nspname = :schema AND c.relname = ANY(:tables) AND c.relkind IN ('r', 'p', 'v', 'm')"
        ),
        {"schema": schema, "tables": list(wanted)},
    )
    found: dict[str, dict[str, str]] = {}
    hidden: set[str] = set()
    for row in rows:
        if row.readable:
            found.setdefault(row.relname, {})[row.attname] = row.typname
        elif row.attname in wanted[row.relname]:
            hidden.add(row.relname)
    if hidden:
        name = sorted(hidden)[0]
        # A table that is there and cannot be read may hold limits: going on without it would lose them.
        raise DatabaseUnusable(
            f'the table {name} may not be read; expected: GRANT SELECT ON "{schema}"."{name}" TO ...'
        )
    return found
