"""Which database a URL means, and how it is spoken to."""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
from sqlalchemy import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from usherd.stores.sql.unusable import DatabaseUnusable

POSTGRESQL_OPTIONS = {
    "connect_timeout": 5.0,
    "statement_timeout": 10.0,
    "pool_size": 8.0,
    "statement_cache_size": 100.0,
}
"""Options of a PostgreSQL URL that are usherd's own, with their defaults. All others are libpq's, as `sslmode`, or
settings of the session. Times are seconds. `statement_cache_size=0` is for poolers that share sessions (PgBouncer)."""

_WHICH_SERVER = "target_session_attrs"
_THAT_WRITE = ("primary", "read-write")
BUSY_PATIENCE = 5.0
"""Seconds that a writer waits for other processes that write to the same SQLite file."""
_SQLITE_CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is."""

    path: str | None = None
    """The file of a SQLite database, or `:memory:`; None: it is a PostgreSQL."""
    dsn: str = field(default="", repr=False)
    """As asyncpg takes it. It may have a password in it."""
    options: dict[str, float] = field(default_factory=dict)


def address_of(url: str, *, any_server: bool = False) -> Address:
    """What the URL means. Raises DatabaseUnusable, whose text does not have the URL in it.

    Without `any_server`, nothing is asked of a PostgreSQL that follows another one: it may be behind by any time and
    does not know it, so that a replica would go back to what it knew before, and call that true.
    """
    scheme, found, rest = url.partition("://")
    if found and scheme == "sqlite":
        return Address(path=_sqlite_path(rest))
    if found and scheme in ("postgresql", "postgres"):
        return _postgresql(url, any_server)
    raise DatabaseUnusable("expected sqlite:///file, sqlite:////absolute/file or postgresql://user@host/database")


def _sqlite_path(rest: str) -> str:
    if not rest.startswith("/") or "?" in rest or len(rest) < 2:
        raise DatabaseUnusable("expected sqlite:///file or sqlite:////absolute/file, without a host or options")
    return rest[1:]


def _postgresql(url: str, any_server: bool) -> Address:
    try:
        parts = urlsplit(url)
    except ValueError:
        # Its text has the host in it, or what was taken for one.
        parts = None
    if parts is None:
        raise DatabaseUnusable("expected postgresql://user@host/database; brackets stand around an IPv6 address only")
    options, kept = dict(POSTGRESQL_OPTIONS), []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in options:
            kept.append((name, value))
            continue
        try:
            options[name] = float(value)
        except ValueError:
            options[name] = -1
        if not options[name] >= (0 if name == "statement_cache_size" else 1):
            raise DatabaseUnusable(f"{name}: expected a number of 1 or more")
    if not any_server:
        given = [value for name, value in kept if name == _WHICH_SERVER]
        if given and given[-1] not in _THAT_WRITE:
            raise DatabaseUnusable(f"{_WHICH_SERVER}: expected primary or read-write; a standby may be behind")
        kept += [] if given else [(_WHICH_SERVER, "primary")]
    return Address(dsn=urlunsplit(parts._replace(query=urlencode(kept))), options=options)


def engine_of(address: Address, *, patience: float = 0.0) -> AsyncEngine:
    """The engine for it. Statements may take `patience` seconds, if that is more than usual.

    SQL is never told with its parameters, which are what the directory knows of people.
    """
    return _postgresql_engine(address, patience) if address.path is None else _sqlite_engine(address.path)


def _postgresql_engine(address: Address, patience: float) -> AsyncEngine:
    options = address.options
    shared_sessions = options["statement_cache_size"] == 0
    timeout = max(options["statement_timeout"], patience)
    # A pooler that shares sessions passes no settings on, and would not take those that it does not know.
    settings = {} if shared_sessions else {
        "application_name": "usherd",
        "statement_timeout": str(int(timeout * 1000)),
        "idle_in_transaction_session_timeout": str(int(timeout * 2000)),
    }  # fmt: skip

    async def connect(*_: Any, **__: Any) -> asyncpg.Connection[Any]:
        return await asyncpg.connect(
            address.dsn,
            timeout=options["connect_timeout"],
            command_timeout=timeout + 1,
            statement_cache_size=int(options["statement_cache_size"]),
            server_settings=settings,
        )

    connect_args: dict[str, Any] = {"async_creator_fn": connect}
    if shared_sessions:
        connect_args["prepared_statement_cache_size"] = 0
        connect_args["prepared_statement_name_func"] = lambda: f"__usherd_{uuid.uuid4().hex}__"
    return create_async_engine(
        "postgresql+asyncpg://",
        connect_args=connect_args,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=int(options["pool_size"]),
        max_overflow=0,
        pool_timeout=options["connect_timeout"],
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
    )


def _sqlite_engine(path: str) -> AsyncEngine:
    _create_private(Path(path))
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=path),
        connect_args={"timeout": BUSY_PATIENCE},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=_SQLITE_CONNECTIONS,
        max_overflow=0,
        pool_timeout=BUSY_PATIENCE,
        hide_parameters=True,
    )
    listen(engine.sync_engine, "connect", _prepare_sqlite)
    listen(engine.sync_engine, "begin", _begin_sqlite)
    listen(engine.sync_engine, "invalidate", _abandon_sqlite)
    return engine


def _create_private(path: Path) -> None:
    """Creates the file, if it is not there, readable for its owner alone; SQLite gives the files beside it its mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise DatabaseUnusable(f"{path}: cannot be opened: {error.strerror or 'unknown error'}") from None


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver begins no transactions of its own: `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("SELECT count(*), coalesce(sum(name = 'change_log'), 0) FROM sqlite_master WHERE type = 'table'")
    tables, own = cursor.fetchone() or (0, 0)
    if tables and not own:
        # Another program's: it will be refused, and the journal's mode is kept in the file.
        cursor.close()
        return
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get("usherd_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _abandon_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry, __: BaseException | None) -> None:
    # Closed in the middle of a statement, as by a cancellation, a connection would keep its locks as long as anything
    # refers to the statement.
    with suppress(sqlite3.Error, ValueError):
        connection.rollback()
