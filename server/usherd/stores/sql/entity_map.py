"""What a replica holds of a kept directory: a bounded map of look-ups and what they find, true at one revision."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from usherd.changes import Lookup, Sought
from usherd.stores.sql.snapshot import Found

_BY_ANY_ISSUER = frozenset({Sought.TEAM, Sought.TEAM_ALIAS})


class Unknown:
    """The type of `UNKNOWN`."""

    __slots__ = ()


UNKNOWN: Final = Unknown()
"""Not at hand. It never means absent: what is known to be absent is found, as None."""


def key_of(lookup: Lookup) -> Lookup:
    """What the look-up is known by: teams by id or alias alone, since who may claim one is for each policy to say."""
    return Lookup(lookup.sought, ("", lookup.key[1])) if lookup.sought in _BY_ANY_ISSUER else lookup


class Fence:
    """What has been invalidated since a load began: none of that is stored unless it was read after the change."""

    def __init__(self, revision: int) -> None:
        self._begin = revision
        self._touched: dict[Lookup, int] = {}
        self._broken = False

    def touch(self, revision: int, key: Lookup) -> None:
        """What is known by that key is another since that revision."""
        self._touched[key] = revision

    def touch_all(self) -> None:
        """Anything may be another, and nobody knows since when."""
        self._broken = True

    def lets(self, key: Lookup, snapshot: int) -> bool:
        """Whether what a snapshot of that revision has under that key is still true.

        A snapshot from before the load began is not of this store's latest life, and nothing of it is.
        """
        return not self._broken and snapshot >= self._begin and snapshot >= self._touched.get(key, 0)


class EntityMap:
    """Look-ups, by full equality, and what they find; the most recently used, at most `size`.

    Everything in it is true at its revision: a change that is applied drops what its look-ups name, and a load puts in
    what its fence lets pass, once the map is as new as the snapshot that was loaded.
    """

    def __init__(self, size: int, revision: int) -> None:
        self._size = size
        self._entries: OrderedDict[Lookup, Found] = OrderedDict()
        self._fences: set[Fence] = set()
        self.revision = revision
        """Of all that is in it."""
        self.life = object()
        """Another one after everything was forgotten: revisions of before and after do not compare."""
        self.hits = 0
        self.misses = 0
        self.discarded = 0
        """Loaded, and no longer true when the load ended."""

    def get(self, key: Lookup) -> Found | Unknown:
        """What that look-up finds, if it is here; None: there is nothing to be found."""
        found = self._entries.get(key, UNKNOWN)
        if found is UNKNOWN:
            self.misses += 1
        else:
            self.hits += 1
            self._entries.move_to_end(key)
        return found

    def peek(self, key: Lookup) -> Found | Unknown:
        """As `get`, without being counted as a use."""
        return self._entries.get(key, UNKNOWN)

    @contextmanager
    def fence(self) -> Iterator[Fence]:
        """A fence for a load whose snapshot is taken within the block."""
        fence = Fence(self.revision)
        self._fences.add(fence)
        try:
            yield fence
        finally:
            self._fences.discard(fence)

    def store(self, snapshot: int, found: Mapping[Lookup, Found], fence: Fence) -> None:
        """Keeps what was found in a snapshot of that revision, as far as it is still true.

        Raises ValueError for a snapshot newer than the map: whoever loaded it waits until the map is there.
        """
        if snapshot > self.revision:
            raise ValueError("a snapshot of a revision to come")
        for key, value in found.items():
            if not fence.lets(key, snapshot):
                self.discarded += 1
                continue
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def apply(self, revision: int, touched: Iterable[tuple[int, Lookup]]) -> None:
        """Takes the map to that revision. `touched` are the look-ups that find something else, each with the revision
        since which it does."""
        for since, lookup in touched:
            key = key_of(lookup)
            self._entries.pop(key, None)
            for fence in self._fences:
                fence.touch(since, key)
        self.revision = revision

    def forget(self, revision: int) -> None:
        """Drops everything, and takes the map to that revision, which may be any."""
        self._entries.clear()
        self.life = object()
        for fence in self._fences:
            fence.touch_all()
        self.revision = revision

    def __len__(self) -> int:
        return len(self._entries)
