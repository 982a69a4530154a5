"""Keeps a replica in step with the sessions of a store: its keys, and which sessions are valid."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from usherd.authenticate.own_keys import OwnKeys
from usherd.authenticate.signing_key import KeyEncryption
from usherd.changes import Listening
from usherd.live_sessions import LiveSessions
from usherd.ports import Clock, Stopwatch
from usherd.session_store import SessionKeyStore, SessionStore
from usherd.stores.session_keeper import SessionKeeper


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSessions:
    """What all houses share of sessions."""

    store: SessionStore
    keys: OwnKeys
    live: LiveSessions


@asynccontextmanager
async def kept_sessions(
    store: SessionStore,
    keys: SessionKeyStore,
    listen: Callable[[Listening], Callable[[], None]],
    current: Callable[[], bool],
    *,
    secrets: Sequence[bytes],
    rotate_every: float,
    lifetime: float,
    clock: Clock,
    stopwatch: Stopwatch,
) -> AsyncIterator[KeptSessions]:
    """Sessions of that store while the block lasts.

    `listen` tells news, as directories do, and `current` says whether they are told in time. `secrets` are what keys
    are encrypted under, `rotate_every` is how many seconds one signs, `lifetime` how many a session lasts at most.
    Raises KeysSealedAway, and DirectoryUnavailable when the keys cannot be read.
    """
    own = OwnKeys(clock)
    keeper = SessionKeeper(
        keys,
        KeyEncryption(secrets),
        own,
        rotate_every=rotate_every,
        lifetime=lifetime,
        clock=clock,
        stopwatch=stopwatch,
    )
    live = LiveSessions(store.get, clock, current)
    unlisten = listen(live.hear)
    try:
        async with keeper.running():
            yield KeptSessions(store=store, keys=own, live=live)
    finally:
        unlisten()
