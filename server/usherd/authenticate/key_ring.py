"""Keeps what an issuer's keys are over time: which key is trusted now, without any I/O.

Real issuers' key sets flap: keys are absent for hours and then back. A key that is no longer published is therefore
trusted for a while after it was last seen; what must go at once is named as denied.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from usherd.domain import VerificationKey
from usherd.errors import KeysUnavailable

REMOVED_GRACE = 72 * 3600.0
"""Seconds that a key stays trusted after it was last seen, unless configured otherwise."""
MAX_RETAINED = 100
"""Keys that are remembered after they were removed, and ids after they were withdrawn; the oldest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingRules:
    """How long keys count. Seconds, by the stopwatch that `now` is read from."""

    stale_after: float
    """The set as a whole counts for so long after it was fetched: the refresh interval and `stale_for` together."""
    removed_grace: float = REMOVED_GRACE
    """A key that newer sets lack counts for so long after it was last seen."""
    denied: frozenset[str] = frozenset()
    """Key ids and thumbprints that are never trusted."""
    nameless_fits_any: bool = False
    """Whether a lone key without an id is found by whatever id a token names: a PEM file has no place for one."""
    only_published: bool = False
    """Whether a key must be all that its set has, dropped keys included, to be found without an id."""


@dataclass(frozen=True, slots=True)
class _Held:
    key: VerificationKey
    last_seen: float
    published: bool

    def until(self, grace: float) -> float:
        """When it counts no more, if no later set has it; infinite while it is published."""
        return math.inf if self.published else self.last_seen + grace


class _Withdrawn(NamedTuple):
    at: float
    """When the last set was fetched that withdrew the id."""
    until: float
    """Infinite while the newest set withdraws it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """One issuer's keys. Immutable: a newly loaded set makes a new ring."""

    rules: RingRules
    fetched_at: float | None = None
    """When the newest usable set was fetched; None: never."""
    _held: Mapping[str | None, _Held] = field(default_factory=dict, repr=False)
    _only: VerificationKey | None = field(default=None, repr=False)
    _withdrawn: Mapping[str, _Withdrawn] = field(default_factory=dict, repr=False)
    _withdrawn_at: float = -math.inf
    """When the newest set without any usable key was fetched that withdrew ids."""

    def loaded(
        self,
        keys: Iterable[VerificationKey],
        now: float,
        withdrawn: frozenset[str] = frozenset(),
        published: int | None = None,
    ) -> KeyRing:
        """The ring after a set with these keys was fetched at `now`.

        `published` is how many entries the set has, usable or not; None: as many as `keys`.

        `withdrawn` are ids that the set has, but not for a usable key (published with its private part, doubled, no
        longer for signatures): the key that had the id goes at once, because it is not merely absent.

        Of a set without any usable key only the withdrawals count: a good set is never replaced by an empty one, and
        what it does not withdraw grows stale instead. Different keys of one key id are both left out; a key published
        twice is one. A key that takes over a key id replaces the older one at once.
        """
        keys = tuple(keys)
        entries = len(keys) if published is None else published
        distinct: dict[tuple[str | None, str], VerificationKey] = {}
        for key in keys:
            if not self._denies(key):
                distinct.setdefault((key.kid, key.thumbprint), key)
        named = Counter(kid for kid, _ in distinct)
        withdrawn |= {kid for kid, count in named.items() if kid is not None and count > 1}
        usable = [key for key in distinct.values() if key.kid is None or named[key.kid] == 1]
        if not usable:
            return self._without(withdrawn, now) if withdrawn else self
        # Keys without an id are found only when they are alone, so that one entry is enough for them.
        held = {key.kid: _Held(self._same(key), now, True) for key in usable}
        # In the order of their last sight, the latest first: what was published until now precedes what was not.
        removed = [
            _Held(old.key, old.last_seen, False)
            for kid, old in self._held.items()
            if kid is not None
            and kid not in held
            and kid not in withdrawn
            and now < old.last_seen + self.rules.removed_grace
        ]
        held |= {old.key.kid: old for old in removed[:MAX_RETAINED]}
        alone = len(usable) == 1 and (entries == 1 or not self.rules.only_published)
        return replace(
            self,
            fetched_at=now,
            _held=held,
            _only=self._same(usable[0]) if alone else None,
            _withdrawn=self._withdrawals(withdrawn - held.keys(), held.keys(), now),
        )

    def under(self, rules: RingRules) -> KeyRing:
        """The same keys under other rules. Those that these deny are gone."""
        ring = replace(self, rules=rules)
        only = self._only
        return replace(
            ring,
            _held={kid: held for kid, held in self._held.items() if not ring._denies(held.key)},
            _only=None if only is None or ring._denies(only) else only,
        )

    def with_news_of(self, other: KeyRing) -> KeyRing:
        """What both know of one key set that each has fetched on its own, under the rules of this one.

        The newer of their sets is the one that counts; keys that only the other has seen are removed ones. What either
        has withdrawn is gone, unless the other has seen it later.
        """
        other = other.under(self.rules)
        newer, older = (other, self) if _fetched(self) < _fetched(other) else (self, other)
        fetched = _fetched(newer)
        known = newer._remembering(older, fetched)
        for each in sorted((newer, older), key=lambda ring: ring._withdrawn_at):
            if each._withdrawn_at > fetched:
                late = frozenset(kid for kid, withdrawn in each._withdrawn.items() if withdrawn.at > fetched)
                known = known.loaded((), each._withdrawn_at, late)
        return known

    @property
    def news_at(self) -> float:
        """When the newest set was fetched that changed it, be it by withdrawals alone; minus infinity: never."""
        return max(_fetched(self), self._withdrawn_at)

    def find(self, kid: str | None, now: float) -> VerificationKey | None:
        """The trusted key of that id; `kid` None: the only key that the newest set has, if it is alone in it.

        Raises KeysUnavailable when no set was ever loaded, or the newest one is past its stale bound.
        """
        if self.usable_for(now) <= 0:
            raise KeysUnavailable
        found, until = self._lookup(kid)
        return found if now < until else None

    def _lookup(self, kid: str | None) -> tuple[VerificationKey | None, float]:
        """The key of that id, stale or not, and when its grace ends; infinite: it is published, or there is none."""
        if kid is None:
            return self._only, math.inf
        if kid in self.rules.denied:
            return None, math.inf
        held = self._held.get(kid)
        if held is not None:
            return held.key, held.until(self.rules.removed_grace)
        lone = self._only
        if lone is not None and lone.kid is None and self.rules.nameless_fits_any:
            return lone, math.inf
        return None, math.inf

    def trusts(self, key: VerificationKey, now: float) -> bool:
        """Whether that very key would still be found. Raises KeysUnavailable as `find`."""
        if now < self.trusted_until(key):
            return True
        if self.usable_for(now) <= 0:
            raise KeysUnavailable
        return False

    def trusted_for(self, key: VerificationKey, now: float) -> float:
        """Seconds until that very key is trusted no more if nothing is fetched meanwhile; 0 when it is not now."""
        return max(0.0, self.trusted_until(key) - now)

    def trusted_until(self, key: VerificationKey) -> float:
        """When that very key is trusted no more if nothing is fetched meanwhile; minus infinity: it never is.

        Before that moment `trusts` says yes, from then on it says no or raises.
        """
        if self.fetched_at is None:
            return -math.inf
        stale = self.fetched_at + self.rules.stale_after
        found, until = self._lookup(key.kid)
        return min(stale, until) if found is not None and same_key(found, key) else -math.inf

    def withdraws(self, kid: str | None, now: float) -> bool:
        """Whether the newest set withdraws that id; or an older one did, less than the grace of removed keys ago.

        It counts for all sets of the issuer: another set may hold the key within its grace.
        """
        withdrawn = None if kid is None else self._withdrawn.get(kid)
        return withdrawn is not None and now < withdrawn.until

    def usable_for(self, now: float) -> float:
        """Seconds until the set is past its stale bound; 0 when it is, or was never loaded."""
        if self.fetched_at is None:
            return 0.0
        return max(0.0, self.fetched_at + self.rules.stale_after - now)

    def keys(self, now: float) -> tuple[VerificationKey, ...]:
        """All keys that count now, published or within their grace."""
        grace = self.rules.removed_grace
        return tuple(held.key for held in self._held.values() if now < held.until(grace))

    def _without(self, withdrawn: frozenset[str], now: float) -> KeyRing:
        only = self._only
        return replace(
            self,
            _held={kid: held for kid, held in self._held.items() if kid not in withdrawn},
            _only=None if only is None or only.kid in withdrawn else only,
            _withdrawn=self._withdrawals(withdrawn, frozenset(), now),
            _withdrawn_at=now,
        )

    def _remembering(self, older: KeyRing, now: float) -> KeyRing:
        """The ring with what an older one knows of removed and withdrawn keys, each from when either knew it last."""
        published = {kid: held for kid, held in self._held.items() if held.published}
        removed = {kid: held for kid, held in self._held.items() if not held.published}
        for kid, old in older._held.items():
            known = removed.get(kid)
            if kid is not None and kid not in published and (known is None or known.last_seen < old.last_seen):
                removed[kid] = _Held(old.key, old.last_seen, False)
        withdrawn = dict(self._withdrawn)
        for name, was in older._withdrawn.items():
            if name not in published and (name not in withdrawn or withdrawn[name].at < was.at):
                withdrawn[name] = was._replace(until=min(was.until, now + self.rules.removed_grace))
        for kid in removed.keys() & withdrawn.keys():
            if kid is not None and removed[kid].last_seen <= withdrawn[kid].at:
                del removed[kid]
            elif kid is not None:
                del withdrawn[kid]
        latest = sorted(removed.items(), key=lambda each: -each[1].last_seen)
        newest = {name: each for name, each in withdrawn.items() if each.until == math.inf}
        before = [each for each in withdrawn.items() if each[0] not in newest]
        before.sort(key=lambda each: -each[1].at)
        return replace(
            self,
            _held=published | dict(latest[:MAX_RETAINED]),
            _withdrawn=newest | dict(before[:MAX_RETAINED]),
        )

    def _withdrawals(self, withdrawn: Set[str], published: Set[str | None], now: float) -> Mapping[str, _Withdrawn]:
        """Those of the newest set, and older ones that it is silent about: the latest come first."""
        older = [
            (kid, each._replace(until=min(each.until, now + self.rules.removed_grace)))
            for kid, each in self._withdrawn.items()
            if kid not in withdrawn and kid not in published and each.until > now
        ]
        return dict.fromkeys(withdrawn, _Withdrawn(now, math.inf)) | dict(older[:MAX_RETAINED])

    def _same(self, key: VerificationKey) -> VerificationKey:
        """The key's object as it was loaded first: tokens that it verified compare with it by identity."""
        held = self._held.get(key.kid)
        return held.key if held is not None and same_key(held.key, key) else key

    def _denies(self, key: VerificationKey) -> bool:
        return key.kid in self.rules.denied or key.thumbprint in self.rules.denied


def _fetched(ring: KeyRing) -> float:
    return -math.inf if ring.fetched_at is None else ring.fetched_at


def same_key(one: VerificationKey, other: VerificationKey) -> bool:
    """Whether both are one key that may verify the same: a key whose algorithms changed is another."""
    return one is other or (one.thumbprint == other.thumbprint and one.algorithms == other.algorithms)
