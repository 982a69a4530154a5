"""Keeps bytes where replicas share them: in a Valkey or Redis, sealed, which may lose or garble all of it at any time.

Its outage makes things slower, never wrong: every failure is a miss. A value that is forged, moved from another key,
cut short, from the future or past its time is one, too.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from aiocache.backends.redis import RedisCache
from aiocache.serializers import NullSerializer
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from usherd.authenticate.sealed import OVERHEAD, Seal
from usherd.ports import Clock, Stopwatch
from usherd.stores.circuit import Circuit
from usherd.stores.memory_cache import Entry
from usherd.stores.told import Tell, Told

PATIENCE = 0.25
"""Seconds that one call may take, unless told otherwise."""
MAX_CONNECTIONS = 16
"""Connections at a time; further calls wait for one within their patience."""
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0
"""Seconds that it is left alone for after a failure: a hanging one costs a `PATIENCE` now and then, not one a call."""


class SharedCache:
    """Entries by key. Values of more than `max_size` bytes are neither kept nor read."""

    def __init__(
        self,
        backend: RedisCache,
        seal: Seal,
        *,
        clock: Clock,
        stopwatch: Stopwatch,
        max_size: int,
        patience: float = PATIENCE,
        tell: Tell = lambda works, fields: None,
    ) -> None:
        """`patience` is how many seconds one call may take, with the connection that it may need."""
        self._backend = backend
        self._seal = seal
        self._clock = clock
        self._max_size = max_size
        self._patience = patience
        self._circuit = Circuit(stopwatch, tolerated=0, first_pause=FIRST_PAUSE, last_pause=LAST_PAUSE)
        self._told = Told(stopwatch, tell)
        self.failures = 0
        """How often the backend failed."""

    async def get(self, key: str) -> Entry | None:
        """The entry of that key, if it is there, genuine, and its time is not over."""
        if not self._circuit.admits():
            return None
        try:
            async with asyncio.timeout(self._patience):
                # Not `get`: whoever can write there could make every read as large as they like.
                data = await self._backend.raw("getrange", key, 0, self._max_size + OVERHEAD)
        except Exception as error:  # whatever the backend raises, it is a miss
            self._failed(error)
            return None
        finally:
            self._circuit.abandoned()
        self._worked()
        opened = self._seal.open(key, data) if isinstance(data, bytes) else None
        if opened is None:
            return None
        entry = Entry(*opened)
        return entry if entry.made_at <= self._clock() < entry.expires_at else None

    async def put(self, key: str, entry: Entry) -> None:
        """Keeps the entry, if its time is not over."""
        ttl = entry.expires_at - self._clock()
        if not 0 < ttl < math.inf or len(entry.value) > self._max_size or not self._circuit.admits():
            return
        data = self._seal.seal(key, *entry)
        # Whole seconds: a fraction would be rounded down, and 0 is an error. The date within is the one that counts.
        # Not `set`, which calls what newer clients warn of.
        await self._within(self._backend.raw("set", key, data, ex=math.ceil(ttl)))

    async def drop(self, key: str) -> None:
        """Forgets the entry of that key, for all replicas."""
        if self._circuit.admits():
            await self._within(self._backend.delete(key))

    async def _within(self, call: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await call
        except Exception as error:  # whatever the backend raises, it is not kept
            self._failed(error)
        else:
            self._worked()
        finally:
            self._circuit.abandoned()

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self._circuit.failed()
        # The class alone is safe to tell.
        self._told.failed({"error_class": type(error).__name__})

    def _worked(self) -> None:
        self._circuit.succeeded()
        self._told.succeeded()


@asynccontextmanager
async def shared_cache(
    url: str,
    secret: bytes,
    *,
    clock: Clock,
    stopwatch: Stopwatch,
    max_size: int,
    patience: float = PATIENCE,
    tell: Tell = lambda works, fields: None,
) -> AsyncIterator[SharedCache]:
    """A cache at that address, open as long as the block is; nothing is connected before it is needed.

    `url` is redis://, rediss:// (TLS, whose certificate is checked) or unix://.
    """
    logging.getLogger("aiocache").setLevel(logging.WARNING)
    options: dict[str, object] = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=patience,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
        socket_connect_timeout=patience,
        **(options if url.startswith("rediss:") else {}),
    )
    # Never pickle: the serializer hands bytes on as they are. aiocache would make a pool of its own for one host.
    backend = RedisCache(serializer=NullSerializer(encoding=None), connection_pool_class=lambda **_: pool, timeout=None)
    try:
        yield SharedCache(
            backend,
            Seal(secret),
            clock=clock,
            stopwatch=stopwatch,
            max_size=max_size,
            patience=patience,
            tell=tell,
        )
    finally:
        await pool.aclose()
