"""Opens the ground that a configuration names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from usherd.config.settings import Settings
from usherd.ground import Ground
from usherd.kept_ground import opened_kept_ground
from usherd.memory_ground import MemoryGround


@asynccontextmanager
async def opened_ground(settings: Settings) -> AsyncIterator[Ground]:
    """The directory that this configuration names. Raises as `opened_kept_ground` where it is kept in a database."""
    if settings.store is None:
        yield MemoryGround(settings)
        return
    async with opened_kept_ground(settings, settings.store) as ground:
        yield ground
