"""The keys of usherd's own sessions as one replica knows them: which one signs, and which ones verify until when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from usherd.authenticate.signing_key import SigningKey
from usherd.domain import SESSION_ISSUER, VerificationKey
from usherd.errors import SessionsUnavailable, Unavailable
from usherd.ports import Clock, Keys

PUBLISHED_AHEAD = 600.0
"""Seconds that a new key is published before it signs: whoever keeps the key set as long knows it by then."""
MAX_WAITING = 64
"""Questions that wait for keys to be read once more because their token names one that is not known."""

ReadAnew = Callable[[], Awaitable[None]]
"""Returns when the keys were read once more. Raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKey:
    """A key, and its dates in seconds since the epoch."""

    key: SigningKey
    created_at: float
    signs_until: float
    verifies_until: float


class OwnKeys:
    """All keys that count. It waits for nothing: somebody else fills it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, OwnKey] = {}
        self._sealed_away: frozenset[str] = frozenset()
        self._read_at = float("-inf")
        self._waiting = 0
        self.read_anew: ReadAnew | None = None
        """Has the keys read; None: they come by themselves."""
        self.on_gone: Callable[[], None] = lambda: None
        """Called when some that were known are not there any more, or verify for less long."""

    def take(self, keys: Sequence[OwnKey], sealed_away: frozenset[str], read_at: float) -> None:
        """These are all keys, as they were at that moment; and there are some which nobody here can open."""
        before = self._keys
        # One that is known stays the same object: tokens that it verified are remembered with it.
        self._keys = {
            each.key.kid: each if (known := before.get(each.key.kid)) is None else _with_dates(known, each)
            for each in keys
        }
        self._sealed_away = sealed_away
        self._read_at = read_at
        if any(_is_less(self._keys.get(kid), known) for kid, known in before.items()):
            self.on_gone()

    @property
    def loaded(self) -> bool:
        """Whether they were ever read."""
        return self._read_at != float("-inf")

    @property
    def read_at(self) -> float:
        """When they were read, in seconds since the epoch."""
        return self._read_at

    def signer(self) -> OwnKey | None:
        """The one that signs now: the newest that was published long enough, or else the one that was first; None: none
        may any more."""
        now = self._clock()
        able = [each for each in self._keys.values() if now < each.signs_until]
        known = [each for each in able if each.created_at + PUBLISHED_AHEAD <= now]
        if known:
            return max(known, key=lambda each: each.created_at)
        return min(able, key=lambda each: each.created_at, default=None)

    def find(self, kid: str | None) -> VerificationKey | None:
        """The key of that id that verifies now. Raises SessionsUnavailable when it is there, and sealed away, and when
        keys may have come since that are not known here."""
        found = None if kid is None else self._keys.get(kid)
        now = self._clock()
        if found is not None:
            return found.key.verification_key if now < found.verifies_until else None
        # A key that signs has been there for a while: who has looked since knows all that can have signed.
        if not self.loaded or kid in self._sealed_away or now - self._read_at > PUBLISHED_AHEAD:
            raise SessionsUnavailable
        return None

    async def find_fresh(self, kid: str | None, patience: float) -> VerificationKey | None:
        """As `find`, after the keys were read once more, which is waited for at most `patience` seconds.

        Whoever makes up ids can have them read no faster, and makes no more than `MAX_WAITING` wait.
        """
        if kid is not None and self.read_anew is not None and self._waiting < MAX_WAITING:
            self._waiting += 1
            try:
                async with asyncio.timeout(patience):
                    await self.read_anew()
            except (TimeoutError, Unavailable):
                pass
            finally:
                self._waiting -= 1
        return self.find(kid)

    def trusts(self, key: VerificationKey) -> bool:
        """Whether that very key verifies now."""
        return self.usable_for(key) > 0

    def usable_for(self, key: VerificationKey) -> float:
        """Seconds until it does not."""
        found = None if key.kid is None else self._keys.get(key.kid)
        if found is None or found.key.verification_key is not key:
            return 0.0
        return max(0.0, found.verifies_until - self._clock())

    def published(self) -> Mapping[str, object]:
        """The key set (RFC 7517, section 5): public halves of all keys that sign, will sign, or have signed what lasts.

        Raises SessionsUnavailable when it is not known.
        """
        if not self.loaded:
            raise SessionsUnavailable
        now = self._clock()
        keys = sorted(self._keys.values(), key=lambda each: -each.created_at)
        return {"keys": [dict(each.key.public_jwk) for each in keys if now < each.verifies_until]}


class KeysWithOwn:
    """`ports.Keys` of all issuers, and of usherd's own sessions among them."""

    def __init__(self, keys: Keys, own: OwnKeys) -> None:
        self._keys = keys
        self._own = own

    def find(self, issuer: str, kid: str | None) -> VerificationKey | None:
        """As `Keys.find`."""
        return self._own.find(kid) if issuer == SESSION_ISSUER else self._keys.find(issuer, kid)

    async def find_fresh(self, issuer: str, kid: str | None, patience: float) -> VerificationKey | None:
        """As `Keys.find_fresh`."""
        if issuer == SESSION_ISSUER:
            return await self._own.find_fresh(kid, patience)
        return await self._keys.find_fresh(issuer, kid, patience)

    def trusts(self, key: VerificationKey) -> bool:
        """As `Keys.trusts`."""
        return self._own.trusts(key) if key.issuer == SESSION_ISSUER else self._keys.trusts(key)

    def usable_for(self, key: VerificationKey) -> float:
        """As `Keys.usable_for`."""
        return self._own.usable_for(key) if key.issuer == SESSION_ISSUER else self._keys.usable_for(key)


def _is_less(now: OwnKey | None, before: OwnKey) -> bool:
    return now is None or now.verifies_until < before.verifies_until


def _with_dates(known: OwnKey, read: OwnKey) -> OwnKey:
    return OwnKey(
        key=known.key,
        created_at=read.created_at,
        signs_until=read.signs_until,
        verifies_until=read.verifies_until,
    )
