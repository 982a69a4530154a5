"""Answers for the keys of all issuers at once, without I/O: fetching goes on in the background."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Self

from usherd.authenticate.key_ring import KeyRing, RingRules, same_key
from usherd.domain import VerificationKey
from usherd.errors import KeysUnavailable
from usherd.ports import Stopwatch
from usherd.stores.documents import Cause, LoadFailed
from usherd.stores.key_loader import KeySetLoader, load_given
from usherd.stores.key_sources import Discovery, GivenKeySet, IssuerKeys, KeySetUrls, PemFile
from usherd.stores.provider_cache import DocumentCache
from usherd.stores.provider_http import ProviderHttp
from usherd.stores.refreshed_keys import KeyEvent, KeySetStatus, OnEvent, RefreshedKeys

FIRST_LOADS_PATIENCE = 10.0
"""Seconds that the start waits for the first loads of all issuers together."""
MAX_WAITERS = 32
"""Callers of one issuer that wait for a forced refresh at the same time: made-up key ids must not hold up the rest."""


class GivenKeysUnusable(ValueError):
    """The operator gave keys of which none can be used. The text names the issuer and the cause."""


class _GivenKeys:
    """Keys that are given in full: they never change, and never grow stale."""

    def __init__(self, issuer: IssuerKeys, source: GivenKeySet | PemFile) -> None:
        self._issuer = issuer
        rules = RingRules(
            stale_after=math.inf,
            denied=issuer.denied,
            nameless_fits_any=isinstance(source, PemFile),
            only_published=issuer.only_published,
        )
        try:
            key_set = load_given(issuer, source)
        except LoadFailed as failure:
            raise GivenKeysUnusable(f"issuer {issuer.name}: keys: {failure.cause.value}") from None
        # Fetched from the beginning: a set without any key refuses tokens, and is not out of reach.
        self.ring = KeyRing(rules=rules, fetched_at=0.0).loaded(key_set.keys, 0.0, published=key_set.published)

    def force(self) -> None:
        return None

    def status(self) -> KeySetStatus:
        keys = len(self.ring.keys(0.0))
        return KeySetStatus(
            issuer=self._issuer.name,
            part=0,
            attempted=True,
            usable_for=math.inf,
            age=None,
            keys=keys,
            last_error=None if keys else Cause.NO_USABLE_KEY,
            next_refresh=None,
        )


class KeySets:
    """The keys of all issuers (`ports.Keys`). Those that are not given in full are fetched while it is `running`.

    Raises GivenKeysUnusable when made, which reads files. `chance` gives numbers from 0 to 1 to spread refreshes by.
    """

    def __init__(
        self,
        issuers: Iterable[IssuerKeys],
        *,
        http: ProviderHttp,
        cache: DocumentCache,
        stopwatch: Stopwatch,
        on_event: OnEvent = lambda event, fields: None,
        chance: Callable[[], float] = random.random,
        before: KeySets | None = None,
    ) -> None:
        """`before` are key sets by the same stopwatch, whose keys are known here from the start where an issuer's come
        from the same place: what providers have removed and may put back is nowhere else."""
        self._stopwatch = stopwatch
        self._issuers: dict[str, IssuerKeys] = {}
        self._waiting: Counter[str] = Counter()
        self._parts: dict[str, tuple[RefreshedKeys | _GivenKeys, ...]] = {}
        for issuer in issuers:
            if issuer.name in self._parts:
                raise ValueError(f"issuer {issuer.name}: named twice")
            self._issuers[issuer.name] = issuer
            match issuer.source:
                case GivenKeySet() | PemFile() as source:
                    given = _GivenKeys(issuer, source)
                    self._parts[issuer.name] = (given,)
                    if (error := given.status().last_error) is not None:
                        on_event(KeyEvent.FAILED, {"issuer": issuer.name, "part": 0, "cause": error, "failures": 1})
                    continue
                case KeySetUrls(urls=urls):
                    loaders = [KeySetLoader(issuer, url, http, cache) for url in urls]
                case Discovery() as source:
                    loaders = [KeySetLoader(issuer, source, http, cache)]
            known = () if before is None else before.rings_of(issuer)
            rings: Sequence[KeyRing | None] = known or [None] * len(loaders)
            self._parts[issuer.name] = tuple(
                RefreshedKeys(
                    issuer, part, loader.load, stopwatch=stopwatch, chance=chance, on_event=on_event, ring=ring
                )
                for part, (loader, ring) in enumerate(zip(loaders, rings, strict=True))
            )

    def rings_of(self, issuer: IssuerKeys) -> Sequence[KeyRing]:
        """What is known of that issuer's key sets; nothing where they come from elsewhere, or are read differently."""
        known = self._issuers.get(issuer.name)
        if known is None or replace(known, refresh=issuer.refresh, denied=issuer.denied) != issuer:
            return ()
        return [keys.ring for keys in self._parts[issuer.name]]

    def learn(self, others: KeySets) -> None:
        """Takes over what the others have learnt meanwhile, where an issuer's keys come from the same place."""
        for name, parts in self._parts.items():
            rings = others.rings_of(self._issuers[name])
            for keys, ring in zip(parts, rings, strict=False):
                if isinstance(keys, RefreshedKeys):
                    keys.learn(ring)

    @asynccontextmanager
    async def running(self, first_loads_patience: float = FIRST_LOADS_PATIENCE) -> AsyncIterator[Self]:
        """Keeps the key sets fresh as long as the block lasts.

        The block begins when each first load is over, well or badly, or after `first_loads_patience` seconds.
        """
        refreshed = [keys for parts in self._parts.values() for keys in parts if isinstance(keys, RefreshedKeys)]
        first_loads: list[asyncio.Task[None]] = []
        started = asyncio.Event()
        # The group has a task of its own: around the block it would wrap the block's errors in a group of errors.
        life = asyncio.create_task(_live(refreshed, first_loads, started), name="key sets")
        try:
            await started.wait()
            if first_loads:
                await asyncio.wait(first_loads, timeout=first_loads_patience)
            yield self
        finally:
            for keys in refreshed:
                keys.stop()
            life.cancel()
            await asyncio.wait([life])
            if not life.cancelled():
                # Only a bug ends it early; it must not go unnoticed.
                life.result()

    def find(self, issuer: str, kid: str | None) -> VerificationKey | None:
        """As `ports.Keys.find`."""
        parts = self._parts.get(issuer)
        if parts is None:
            raise KeysUnavailable
        if len(parts) == 1:
            return parts[0].ring.find(kid, self._stopwatch())
        return _find_in_several([keys.ring for keys in parts], kid, self._stopwatch())

    async def find_fresh(self, issuer: str, kid: str | None, patience: float) -> VerificationKey | None:
        """As `ports.Keys.find_fresh`. A caller that gives up, or is cancelled, leaves the refresh to the others.

        While `MAX_WAITERS` callers wait for the issuer's keys, a further one is answered at once, as by `find`.
        """
        forced = [keys.force() for keys in self._parts.get(issuer, ())]
        flights = [flight for flight in forced if flight is not None]
        if flights and patience > 0 and self._waiting[issuer] < MAX_WAITERS:
            self._waiting[issuer] += 1
            try:
                # `wait` neither cancels what it waits for nor raises what that raises.
                await asyncio.wait(flights, timeout=patience)
            finally:
                self._waiting[issuer] -= 1
        return self.find(issuer, kid)

    def trusts(self, key: VerificationKey) -> bool:
        """As `ports.Keys.trusts`."""
        parts = self._parts.get(key.issuer)
        if parts is not None and len(parts) == 1:
            return parts[0].ring.trusts(key, self._stopwatch())
        found = self.find(key.issuer, key.kid)
        return found is not None and same_key(found, key)

    def usable_for(self, key: VerificationKey) -> float:
        """As `ports.Keys.usable_for`; of several key sets, at most until the next of them is past its bound."""
        now, parts = self._stopwatch(), self._parts.get(key.issuer, ())
        if len(parts) == 1:
            return parts[0].ring.trusted_for(key, now)
        rings = [keys.ring for keys in parts if keys.ring.usable_for(now) > 0]
        if not rings or any(keys.ring.withdraws(key.kid, now) for keys in parts):
            return 0.0
        return min(max(ring.trusted_for(key, now) for ring in rings), *(ring.usable_for(now) for ring in rings))

    def usable(self, issuer: str) -> bool:
        """Whether a key set of the issuer is loaded and not past its stale bound."""
        now = self._stopwatch()
        return any(keys.ring.usable_for(now) > 0 for keys in self._parts.get(issuer, ()))

    def status(self) -> tuple[KeySetStatus, ...]:
        """How each key set is, for health and logs."""
        return tuple(keys.status() for parts in self._parts.values() for keys in parts)


async def _live(
    refreshed: Sequence[RefreshedKeys], first_loads: list[asyncio.Task[None]], started: asyncio.Event
) -> None:
    async with asyncio.TaskGroup() as tasks:
        first_loads += [keys.start(tasks) for keys in refreshed]
        started.set()


def _find_in_several(rings: Sequence[KeyRing], kid: str | None, now: float) -> VerificationKey | None:
    """The one key that this id means in all of them; None when it means none, or two, or one of them withdraws it."""
    if all(ring.usable_for(now) <= 0 for ring in rings):
        raise KeysUnavailable
    if any(ring.withdraws(kid, now) for ring in rings):
        return None
    found: dict[str, VerificationKey] = {}
    out_of_reach = False
    for ring in rings:
        if ring.usable_for(now) <= 0:
            out_of_reach = True
        elif kid is None:
            if ring.rules.only_published and ring.find(None, now) is None:
                return None
            kept = (key for key in ring.keys(now) if not any(each.withdraws(key.kid, now) for each in rings))
            found |= {key.thumbprint: key for key in kept}
        elif (key := ring.find(kid, now)) is not None:
            found[key.thumbprint] = key
    if out_of_reach and (kid is None or not found):
        # The set that is out of reach may have the key: nobody knows that it has not.
        raise KeysUnavailable
    return next(iter(found.values())) if len(found) == 1 else None
