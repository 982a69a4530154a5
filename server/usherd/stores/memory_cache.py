"""Keeps bytes for a while in this process: bounded, and never one past its time."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import NamedTuple

from aiocache import SimpleMemoryCache

from usherd.ports import Clock


class Entry(NamedTuple):
    """Something kept. A tuple, which no reader can change. Dates are seconds since the epoch."""

    made_at: float
    expires_at: float
    value: bytes


class MemoryCache:
    """The entries put last, at most `max_entries` with at most `max_bytes` of values.

    When the backend fails, nothing is found and nothing is kept: things get slower, not wrong. `patience` is how many
    seconds one call of the backend may take.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        max_entries: int,
        max_bytes: int,
        backend: SimpleMemoryCache | None = None,
        patience: float = 1.0,
    ) -> None:
        # aiocache logs keys, and in places values.
        logging.getLogger("aiocache").setLevel(logging.WARNING)
        self._clock = clock
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._backend = backend if backend is not None else SimpleMemoryCache()
        # The backend's own time limit is `asyncio.wait_for`, which in Python 3.11 can lose a cancellation.
        self._backend.timeout = None
        self._patience = patience
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0
        self.failures = 0
        """How often the backend failed."""

    async def get(self, key: str) -> Entry | None:
        """The entry of that key, if it is there and its time is not over."""
        try:
            async with asyncio.timeout(self._patience):
                found = await self._backend.get(key)
        except Exception:  # whatever the backend raises, it is a miss
            self.failures += 1
            return None
        match found:
            case (float(made_at), float(expires_at), bytes(value)) if self._clock() < expires_at:
                return Entry(made_at, expires_at, value)
            case _:
                return None

    async def put(self, key: str, entry: Entry) -> None:
        """Keeps the entry. Not at all, if its time is over, for to aiocache 0 seconds are for ever."""
        ttl = entry.expires_at - self._clock()
        size = len(entry.value)
        if not ttl > 0 or size > self._max_bytes:
            await self.drop(key)
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._backend.set(key, tuple(entry), ttl=ttl)
        except Exception:  # whatever the backend raises, it is not kept
            self.failures += 1
            return
        self._bytes += size - self._sizes.pop(key, 0)
        self._sizes[key] = size
        while len(self._sizes) > self._max_entries or self._bytes > self._max_bytes:
            await self.drop(next(iter(self._sizes)))

    async def drop(self, key: str) -> None:
        """Forgets the entry of that key."""
        self._bytes -= self._sizes.pop(key, 0)
        try:
            async with asyncio.timeout(self._patience):
                await self._backend.delete(key)
        except Exception:  # it stays until its time is over, and every read checks that
            self.failures += 1
