"""Every promise of DirectoryService is kept over each store that there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tools.directory_world import Client, directory
from tools.memory_store import MemoryStore
from usherd.store import Store
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.sql_store import store_in


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    url = f"sqlite:///{tmp_path}/directory.db"
    async with opened_database(url, upgrade=True) as database, store_in(database) as kept:
        yield kept


@pytest.fixture
async def call(store: Store) -> AsyncIterator[Client]:
    async with directory(store) as client:
        yield client
