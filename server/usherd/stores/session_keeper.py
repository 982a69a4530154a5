"""Keeps the keys of sessions: reads them, opens them, and makes the next one in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from usherd.authenticate.own_keys import PUBLISHED_AHEAD, OwnKey, OwnKeys
from usherd.authenticate.signing_key import KeyEncryption, SigningKey
from usherd.errors import Unavailable
from usherd.ports import Clock, Stopwatch
from usherd.session_store import SealedKey, SessionKeyStore

LOOK_EVERY = 30.0
"""Seconds between two looks at the keys that are kept."""
NOT_SOONER = 0.25
"""Seconds between two looks that somebody waits for."""

_log = logging.getLogger("usherd.sessions")


class KeysSealedAway(Exception):
    """A key that signs, or will, is sealed under a secret that is none of the configured ones. The text names the key
    of the configuration and the mend, and is for the operator."""

    def __init__(self) -> None:
        super().__init__(
            "sessions.key_encryption: none of its secrets opens the keys that sessions are signed with; expected the"
            " one that they were sealed under, too: the first seals, and every one opens"
        )


class SessionKeeper:
    """Fills `OwnKeys`, and sees to it that there is one that signs."""

    def __init__(
        self,
        store: SessionKeyStore,
        encryption: KeyEncryption,
        own: OwnKeys,
        *,
        rotate_every: float,
        lifetime: float,
        clock: Clock,
        stopwatch: Stopwatch,
    ) -> None:
        """`rotate_every` is how many seconds a key signs, `lifetime` how many a session lasts at most."""
        self._store = store
        self._encryption = encryption
        self._own = own
        self._rotate_every = rotate_every
        self._lifetime = lifetime
        self._clock = clock
        self._stopwatch = stopwatch
        self._opened: dict[tuple[str, bytes], SigningKey] = {}
        self._due: asyncio.Task[None] | None = None
        self._readings: set[asyncio.Task[None]] = set()
        self._read_at = float("-inf")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks at the keys, and goes on doing so until the block is left.

        Raises KeysSealedAway when a key that signs, or will, cannot be opened; DirectoryUnavailable.
        """
        if any(self._clock() < each.signs_until for each in await self.look()):
            raise KeysSealedAway
        self._own.read_anew = self.read_anew
        looking = asyncio.create_task(self._look_on(), name="session keys")
        try:
            yield
        finally:
            self._own.read_anew = None
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
            if self._readings:
                await asyncio.wait(self._readings)

    async def look(self) -> list[SealedKey]:
        """Reads the keys, makes one where one is due, and returns those that nobody here can open.

        Raises DirectoryUnavailable.
        """
        newest, shut = await self._read()
        now = self._clock()
        if shut and any(now < each.signs_until for each in shut):
            # Sealed by somebody who knows another secret, and could not open what is made here.
            return shut
        if newest is not None and now < newest.signs_until - PUBLISHED_AHEAD:
            return shut
        key = await asyncio.to_thread(SigningKey.new)
        signs_until = max(now, now if newest is None else newest.signs_until) + self._rotate_every
        made = SealedKey(
            kid=key.kid,
            public=json.dumps(dict(key.public_jwk), separators=(",", ":")),
            sealed=key.sealed(self._encryption),
            created_at=now,
            signs_until=signs_until,
            verifies_until=signs_until + self._lifetime,
        )
        if await self._store.add(made, None if newest is None else newest.kid):
            _log.info("session_key_made", extra={"kid": key.kid})
        return (await self._read())[1]

    async def read_anew(self) -> None:
        """Reads the keys once more, after now; who asks before that has begun waits for the same.

        Raises DirectoryUnavailable.
        """
        if self._due is None:
            self._due = asyncio.create_task(self._read_soon(), name="session keys anew")
            self._readings.add(self._due)
            self._due.add_done_callback(self._heeded)
        await asyncio.shield(self._due)

    def _heeded(self, task: asyncio.Task[None]) -> None:
        self._readings.discard(task)
        # Its failure is told to those who wait, of whom there may be none left.
        if not task.cancelled():
            task.exception()

    async def _read_soon(self) -> None:
        try:
            await asyncio.sleep(max(0.0, self._read_at + NOT_SOONER - self._stopwatch()))
        finally:
            # Who asks from now on may want what comes after this.
            self._due = None
        await self._read()

    async def _read(self) -> tuple[SealedKey | None, list[SealedKey]]:
        """The newest key there is, and those that nobody here can open."""
        self._read_at = self._stopwatch()
        now = self._clock()
        kept = await self._store.keys()
        found: list[OwnKey] = []
        shut: list[SealedKey] = []
        opened: dict[tuple[str, bytes], SigningKey] = {}
        for each in kept:
            key = self._opened.get((each.kid, each.sealed)) or await self._open(each)
            if key is None:
                shut.append(each)
                continue
            opened[each.kid, each.sealed] = key
            dates = {"created_at": each.created_at, "signs_until": each.signs_until}
            found.append(OwnKey(key=key, verifies_until=each.verifies_until, **dates))
        self._opened = opened
        self._own.take(found, frozenset(each.kid for each in shut), now)
        return (kept[-1] if kept else None), shut

    async def _open(self, kept: SealedKey) -> SigningKey | None:
        known = next((key for (kid, _), key in self._opened.items() if kid == kept.kid), None)
        if known is not None:
            # Sealed anew by a replica whose first secret is another one.
            return known
        opened = self._encryption.open(kept.kid, kept.sealed)
        if opened is None:
            _log.error("session_key_sealed_away", extra={"kid": kept.kid[:43]})
            return None
        key, by_first = opened
        if not by_first:
            await self._store.reseal(kept.kid, kept.sealed, key.sealed(self._encryption))
        return key

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.look()
            except Unavailable:
                _log.warning("session_keys_unread")
