"""Keeps one key set fresh: one task at a time fetches it, whoever waits, and only a withdrawal takes keys away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from usherd.authenticate.key_ring import KeyRing, RingRules
from usherd.authenticate.key_rules import Dropped
from usherd.authenticate.keys import KeySet
from usherd.ports import Stopwatch
from usherd.stores.documents import Cause, LoadFailed
from usherd.stores.key_loader import Loaded
from usherd.stores.key_sources import IssuerKeys

FIRST_RETRY = 1.0
"""Seconds to wait after a first failure; each further one doubles it."""
LAST_RETRY = 60.0
"""Seconds to wait after a failure, at most."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds that a provider's Retry-After is honoured for, at most: what it asks for must not outlast the keys."""


class KeyEvent(StrEnum):
    """What happened to a key set."""

    LOADED = "key_set_loaded"
    """Its keys, or what is dropped of them, are other than before.

    Fields: issuer, part, keys, added, removed, and `dropped_*` by cause.
    """
    UNCHANGED = "key_set_unchanged"
    """It was refreshed, and is as it was. Fields: issuer, part."""
    LEARNT = "key_set_learnt"
    """Another one's news made its keys other than before. Fields: issuer, part, keys, added, removed."""
    FAILED = "key_set_failed"
    """It could not be refreshed.

    Fields: issuer, part, cause, failures; for a bug error_class; and removed, where keys are gone all the same.
    """
    FORCED = "key_set_refresh_forced"
    """An unknown key id made it refresh. Fields: issuer, part."""


OnEvent = Callable[[KeyEvent, Mapping[str, str | int]], None]
"""Hears of events. Fields hold counts, closed sets of words and issuers' configured names: no key ids, no URLs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySetStatus:
    """How one key set is. An issuer with several has a status for each."""

    issuer: str
    """The issuer's name in the policy."""
    part: int
    """Which of the issuer's key sets, from 0."""
    attempted: bool
    """Whether the first load is over, well or badly."""
    usable_for: float
    """Seconds until it is past its stale bound; 0: it is, or was never loaded."""
    age: float | None
    """Seconds since the last good fetch; None: never."""
    keys: int
    """Keys that are trusted now."""
    last_error: Cause | None
    """Why the last refresh failed; None: it did not."""
    next_refresh: float | None
    """Seconds until the next refresh of its own accord; None: never, or one is under way."""


class Load(Protocol):
    """Loads a key set, as `KeySetLoader.load`."""

    def __call__(self, *, instead: float, in_need: float) -> Awaitable[Loaded]:
        """Raises LoadFailed."""


class RefreshedKeys:
    """One key set of one issuer, over time."""

    def __init__(
        self,
        issuer: IssuerKeys,
        part: int,
        load: Load,
        *,
        stopwatch: Stopwatch,
        chance: Callable[[], float],
        on_event: OnEvent,
        ring: KeyRing | None = None,
    ) -> None:
        """`ring` is what is known of the key set already."""
        self._issuer = issuer
        self._part = part
        self._load = load
        self._stopwatch = stopwatch
        self._chance = chance
        self._on_event = on_event
        refresh = issuer.refresh
        rules = RingRules(
            stale_after=refresh.every + refresh.stale_for,
            removed_grace=refresh.removed_grace,
            denied=issuer.denied,
            only_published=issuer.only_published,
        )
        self.ring = KeyRing(rules=rules) if ring is None else ring.under(rules)
        """The keys now. Whoever took it keeps what it was."""
        self._tasks: asyncio.TaskGroup | None = None
        self._flight: asyncio.Task[None] | None = None
        self._dropped: Mapping[Dropped, int] = {}
        self._attempted = False
        self._failures = 0
        self._last_error: Cause | None = None
        self._retry_after = 0.0
        self._next_at: float | None = None
        self._age = 0.0
        """Seconds that the newest set had been fetched for when it came here."""
        self._forced = False
        self._forced_until = 0.0
        """No refresh is forced before this, by the stopwatch."""

    def status(self) -> KeySetStatus:
        """How it is now."""
        now, fetched_at = self._stopwatch(), self.ring.fetched_at
        return KeySetStatus(
            issuer=self._issuer.name,
            part=self._part,
            attempted=self._attempted,
            usable_for=self.ring.usable_for(now),
            age=None if fetched_at is None else now - fetched_at,
            keys=len(self.ring.keys(now)),
            last_error=self._last_error,
            next_refresh=None if self._next_at is None else max(0.0, self._next_at - now),
        )

    def learn(self, ring: KeyRing) -> None:
        """Takes over what another ring of the same key set knows better, by the same stopwatch."""
        now = self._stopwatch()
        before = _identities(self.ring, now)
        self.ring = self.ring.with_news_of(ring)
        if before != (after := _identities(self.ring, now)):
            self._tell(KeyEvent.LEARNT, _counts(before, after))

    def start(self, tasks: asyncio.TaskGroup) -> asyncio.Task[None]:
        """Lives in that group from now on; returns the first load, which never fails."""
        self._tasks = tasks
        first_load = self._refresh(tasks)
        tasks.create_task(self._refresh_for_ever(tasks, first_load))
        return first_load

    def stop(self) -> None:
        """Begins no further refresh."""
        self._tasks = None

    def force(self) -> asyncio.Task[None] | None:
        """The refresh that is under way, or else a new one; None: it is too early for another forced one."""
        if self._flight is not None or self._tasks is None:
            return self._flight
        now = self._stopwatch()
        if now < self._forced_until:
            return None
        self._forced_until = now + self._issuer.refresh.unknown_kid_cooldown
        self._tell(KeyEvent.FORCED, {})
        self._forced = True
        return self._refresh(self._tasks)

    async def _refresh_for_ever(self, tasks: asyncio.TaskGroup, flight: asyncio.Task[None]) -> None:
        while True:
            self._next_at = None
            # Not awaited itself: a wait that ends early must not end the fetch with it.
            await asyncio.wait([flight])
            pause = self._pause()
            self._next_at = self._stopwatch() + pause
            await asyncio.sleep(pause)
            flight = self._flight or self._refresh(tasks)

    def _refresh(self, tasks: asyncio.TaskGroup) -> asyncio.Task[None]:
        self._flight = tasks.create_task(self._fetch())
        return self._flight

    async def _fetch(self) -> None:
        # Keys age from before the fetch: the provider may have made the document any time since.
        started = self._stopwatch()
        forced, self._forced = self._forced, False
        try:
            # What replicas share must be newer than what is here: an older document would bring back its keys, also
            # those that were withdrawn since. By a second, for two clocks are read.
            mine = started - self.ring.news_at - 1.0
            every, stale_for = self._issuer.refresh.every, self._issuer.refresh.stale_for
            loaded = await self._load(
                instead=0.0 if forced else min(mine, every / 2), in_need=min(mine, every + stale_for)
            )
            self._age, failures = loaded.age, self._failures
            if not loaded.age or self.ring.news_at < started - loaded.age:
                self._accept(loaded.key_set, started - loaded.age)
            if loaded.failure is not None:
                self._failures = failures
                self._fail(loaded.failure.cause, loaded.failure.retry_after, {})
        except LoadFailed as failure:
            # It may say that a key must go, even where it leaves none to use.
            before = _identities(self.ring, started)
            self._take(KeySet(keys=(), dropped={}, published=0, withdrawn=failure.withdrawn), started)
            removed = len(before - _identities(self.ring, started))
            self._fail(failure.cause, failure.retry_after, {"removed": removed} if removed else {})
        except Exception as bug:  # nothing may end the refreshing; the class alone is safe to tell
            self._fail(Cause.INTERNAL, None, {"error_class": type(bug).__name__})
        finally:
            self._attempted = True
            self._flight = None

    def _take(self, key_set: KeySet, started: float) -> None:
        known = self.ring
        late = started < known.news_at  # it was learnt from another ring while this set was fetched
        ring = KeyRing(rules=known.rules) if late else known
        ring = ring.loaded(key_set.keys, started, key_set.withdrawn, key_set.published)
        self.ring = known.with_news_of(ring) if late else ring

    def _accept(self, key_set: KeySet, started: float) -> None:
        before, dropped_before = _identities(self.ring, started), self._dropped
        self._take(key_set, started)
        self._dropped = key_set.dropped
        self._failures, self._last_error, self._retry_after = 0, None, 0.0
        after = _identities(self.ring, started)
        if (before, dropped_before) != (after, self._dropped):
            dropped = {f"dropped_{cause.value}": count for cause, count in key_set.dropped.items()}
            self._tell(KeyEvent.LOADED, _counts(before, after) | dropped)
        else:
            self._tell(KeyEvent.UNCHANGED, {})

    def _fail(self, cause: Cause, retry_after: float | None, fields: Mapping[str, str | int]) -> None:
        self._failures += 1
        self._last_error = cause
        self._retry_after = min(retry_after or 0.0, LONGEST_RETRY_AFTER, self._issuer.refresh.every)
        # Tokens with unknown keys must not get around what the provider asked for.
        self._forced_until = max(self._forced_until, self._stopwatch() + self._retry_after)
        self._tell(KeyEvent.FAILED, {"cause": cause.value, "failures": self._failures, **fields})

    def _pause(self) -> float:
        """Seconds until the next refresh: jittered, so that replicas do not ask all at once."""
        every = self._issuer.refresh.every
        if self._failures == 0:
            return max(every * (0.9 + 0.1 * self._chance()) - self._age, 0.0)
        doubled = FIRST_RETRY * 2.0 ** min(self._failures - 1, 16)
        backoff = min(doubled, LAST_RETRY, every) * (0.5 + 0.5 * self._chance())
        return max(backoff, self._retry_after)

    def _tell(self, event: KeyEvent, fields: Mapping[str, str | int]) -> None:
        # A listener that fails must not look like a provider that does.
        with contextlib.suppress(Exception):
            self._on_event(event, {"issuer": self._issuer.name, "part": self._part, **fields})


def _identities(ring: KeyRing, now: float) -> set[tuple[str | None, str]]:
    return {(key.kid, key.thumbprint) for key in ring.keys(now)}


def _counts(before: set[tuple[str | None, str]], after: set[tuple[str | None, str]]) -> dict[str, int]:
    return {"keys": len(after), "added": len(after - before), "removed": len(before - after)}
