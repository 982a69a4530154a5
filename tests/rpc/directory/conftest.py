"""Every promise of DirectoryService is kept over each store that there is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tools.directory_world import Client, directory
from tools.memory_store import MemoryStore
from usherd.store import Store


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers end at once: their callers are done."""
    monkeypatch.setattr("usherd.rpc.server._MOMENT", 0.005)


@pytest.fixture(params=["memory"])
async def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore()


@pytest.fixture
async def call(store: Store) -> AsyncIterator[Client]:
    async with directory(store) as client:
        yield client
