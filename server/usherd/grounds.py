"""Opens the ground that a configuration names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from usherd.config.settings import Settings, StoreSettings
from usherd.ground import Ground
from usherd.memory_ground import MemoryGround


@asynccontextmanager
async def opened_ground(settings: Settings) -> AsyncIterator[Ground]:
    """The directory that this configuration names. Raises as `opened_kept_ground` where it is kept in a database."""
    if settings.store is None:
        yield MemoryGround(settings)
        return
    # In a thread: whether usherd lives is told meanwhile.
    opened_kept_ground = await asyncio.to_thread(_speaking_sql)
    async with opened_kept_ground(settings, settings.store) as ground:
        yield ground


def _speaking_sql() -> Callable[[Settings, StoreSettings], AbstractAsyncContextManager[Ground]]:
    # Only where there is a database: SQL takes as long to import as half of the rest.
    from usherd.kept_ground import opened_kept_ground

    return opened_kept_ground
