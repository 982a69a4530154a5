"""Keeps documents of identity providers for a while; the only file that knows aiocache."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict

from aiocache import SimpleMemoryCache

from usherd.ports import Clock
from usherd.stores.documents import Document


class ProviderCache:
    """A bounded cache of documents by URL. It may lose any of them at any time; it never returns one past its time.

    When the backend fails, nothing is found and nothing is kept: things get slower, not wrong. Values are tuples
    (seconds since the epoch when it ends, body, entity tag), which no reader can change. `patience` is how many
    seconds one call of the backend may take.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        max_documents: int = 256,
        max_bytes: int = 16 << 20,
        backend: SimpleMemoryCache | None = None,
        patience: float = 1.0,
    ) -> None:
        # aiocache logs keys, and in places values.
        logging.getLogger("aiocache").setLevel(logging.WARNING)
        self._clock = clock
        self._max_documents = max_documents
        self._max_bytes = max_bytes
        self._backend = backend if backend is not None else SimpleMemoryCache()
        # The backend's own time limit is `asyncio.wait_for`, which in Python 3.11 can lose a cancellation.
        self._backend.timeout = None
        self._patience = patience
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self.failures = 0
        """How often the backend failed."""
        self.hits = self.misses = 0
        """How often `get` found a document, and how often it did not."""

    async def get(self, url: str) -> Document | None:
        """The document of that URL, if it is there and its time is not over."""
        found = await self._found(url)
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    async def _found(self, url: str) -> Document | None:
        try:
            async with asyncio.timeout(self._patience):
                value = await self._backend.get(_cache_key(url))
        except Exception:  # whatever the backend raises, it is a miss
            self.failures += 1
            return None
        match value:
            case (float(expires_at), bytes(body), None | str() as etag) if self._clock() < expires_at:
                return Document(body=body, etag=etag)
            case _:
                return None

    async def put(self, url: str, document: Document, ttl: float) -> None:
        """Keeps the document for `ttl` seconds. Not at all, if that is not more than 0: to aiocache 0 is for ever."""
        cache_key = _cache_key(url)
        size = len(document.body)
        if not ttl > 0 or size > self._max_bytes:
            await self._drop(cache_key)
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._backend.set(cache_key, (self._clock() + ttl, document.body, document.etag), ttl=ttl)
        except Exception:  # whatever the backend raises, it is not kept
            self.failures += 1
            return
        self._sizes[cache_key] = size
        self._sizes.move_to_end(cache_key)
        while len(self._sizes) > self._max_documents or sum(self._sizes.values()) > self._max_bytes:
            await self._drop(next(iter(self._sizes)))

    async def drop(self, url: str) -> None:
        """Forgets the document of that URL."""
        await self._drop(_cache_key(url))

    async def _drop(self, cache_key: str) -> None:
        self._sizes.pop(cache_key, None)
        try:
            async with asyncio.timeout(self._patience):
                await self._backend.delete(cache_key)
        except Exception:  # it stays until its time is over, and every read checks that
            self.failures += 1


def _cache_key(url: str) -> str:
    # A digest: URLs may hold secrets, and backends log their keys.
    return "usherd:document:" + hashlib.blake2b(url.encode(), digest_size=32).hexdigest()
