"""Keeps a replica's copy of the list of revoked tokens: loaded in full, then in step with what the directory tells."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from usherd.changes import Listening
from usherd.errors import DirectoryUnavailable
from usherd.ports import Clock
from usherd.revocation_store import RevocationStore
from usherd.revoked import RevokedTokens

FIRST_LOAD = 10.0
"""Seconds that a start waits for the list. After that it goes on without, and no token is known not to be revoked."""
SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
"""Seconds between two attempts to load it; they double."""

_log = logging.getLogger("usherd.stores")


@asynccontextmanager
async def followed_revocations(
    store: RevocationStore,
    listen: Callable[[Listening], Callable[[], None]],
    current: Callable[[], bool],
    clock: Clock,
    *,
    first_load: float = FIRST_LOAD,
) -> AsyncIterator[RevokedTokens]:
    """A copy of the store's list while the block lasts.

    `listen` tells news, as directories do, and `current` says whether they are told in time; both are the directory's,
    so that whoever listens there later hears of a revocation when the copy has it already.
    """
    wanted, loaded = asyncio.Event(), asyncio.Event()
    revoked = RevokedTokens(clock, current, wanted.set)
    # Before the load: nothing that happens meanwhile is missed.
    unlisten = listen(revoked.hear)
    wanted.set()
    loading = asyncio.create_task(_keep_loaded(store, revoked, wanted, loaded), name="revocations")
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(first_load):
                await loaded.wait()
        yield revoked
    finally:
        unlisten()
        loading.cancel()
        await asyncio.wait([loading])


async def _keep_loaded(
    store: RevocationStore, revoked: RevokedTokens, wanted: asyncio.Event, loaded: asyncio.Event
) -> None:
    while True:
        await wanted.wait()
        wanted.clear()
        pause, failed = SHORTEST_PAUSE, False
        while not revoked.loaded:
            try:
                begun = revoked.losses
                revoked.load(await store.snapshot(), begun)
            except DirectoryUnavailable:
                if not failed:
                    _log.warning("revocations_unavailable")
                failed = True
            except Exception as bug:
                # A row that cannot be read, perhaps: nobody is served meanwhile. What it says may hold anything.
                if not failed:
                    _log.error("revocations_unreadable", extra={"error": type(bug).__name__})
                failed = True
            if not revoked.loaded:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        loaded.set()
        if failed:
            _log.info("revocations_loaded", extra={"entries": len(revoked)})
