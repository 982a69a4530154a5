"""Hears from a PostgreSQL that there are changes. Whoever misses that finds them by looking, only later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from usherd.stores.sql.database import Database
from usherd.stores.sql.failures import FAILURES

_PATIENCE = 5.0
_RETRY = 5.0
"""Seconds between two attempts to connect: meanwhile changes are found by looking."""
_ALIVE_EVERY = 30.0
"""Seconds after which a connection that says nothing is asked whether it still is one."""


@asynccontextmanager
async def woken(database: Database, wake: Callable[[], None]) -> AsyncIterator[None]:
    """`wake` is called whenever a database says that there are changes, as long as the block lasts. An SQLite never
    says so."""
    if not database.is_postgresql:
        yield
        return
    listening = asyncio.create_task(_listen(database, wake), name="notifications")
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def _listen(database: Database, wake: Callable[[], None]) -> None:
    while True:
        # Whatever it is that fails, looking does not: it tells of a database that is away.
        with suppress(*FAILURES):
            await _hear(database, wake)
        await asyncio.sleep(_RETRY * (0.5 + random.random()))  # noqa: S311


async def _hear(database: Database, wake: Callable[[], None]) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(
        database.address.dsn, timeout=_PATIENCE, command_timeout=_PATIENCE, statement_cache_size=0
    )
    lost = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(database.channel, lambda *_: wake())
        # What was said before nobody has heard.
        wake()
        while not lost.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_ALIVE_EVERY):
                    await lost.wait()
            await connection.execute("SELECT 1")
    finally:
        connection.terminate()
