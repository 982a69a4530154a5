"""Databases for tests: each promise holds for SQLite, in memory and in a file, and for PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from stores.support import Hands
from tools.postgres import Postgres
from usherd.stores.sql.database import Database, opened_database
from usherd.stores.sql.sql_store import SqlStore, store_in

OpenDatabase = Callable[[], AbstractAsyncContextManager[Database]]
"""Opens the test's database, which has its tables; each time another replica, where the database is shared."""


@pytest.fixture(name="clock")
def _clock() -> Hands:
    return Hands()


@pytest.fixture(name="postgresql_url")
def _postgresql_url(postgres: Postgres) -> str:
    return postgres.new_database()


@pytest.fixture(name="sqlite_url")
def _sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/directory.db"


@pytest.fixture(name="shared_url", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def _shared_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database that several replicas, or processes, can open."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(name="any_url", params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def _any_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    return "sqlite:///:memory:" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(name="open_database")
def _open_database(shared_url: str, clock: Hands) -> OpenDatabase:
    return partial(opened_database, shared_url, upgrade=True, clock=clock)


@pytest.fixture(name="database")
async def _database(any_url: str, clock: Hands) -> AsyncIterator[Database]:
    async with opened_database(any_url, upgrade=True, clock=clock) as database:
        yield database


@pytest.fixture(name="store")
async def _store(database: Database) -> AsyncIterator[SqlStore]:
    """A store under a policy whose only issuer is `idp`."""
    async with store_in(database, bare_ids_for="idp") as store:
        yield store
