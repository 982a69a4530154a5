"""Finds who depends on what: a change touches those, and nobody else is looked at."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Index(Generic[T]):
    """Many things, each under several keys.

    Most keys have one thing: they hold it as it is, and no set of one, which would take most of the memory.
    """

    def __init__(self) -> None:
        self._found: dict[Hashable, T | set[T]] = {}
        self.entries = 0
        """Pairs of a key and a thing."""

    def __contains__(self, key: Hashable) -> bool:
        return key in self._found

    def at(self, key: Hashable) -> list[T]:
        """Everything under that key."""
        found = self._found.get(key)
        if found is None:
            return []
        return list(found) if isinstance(found, set) else [found]

    def add(self, keys: Iterable[Hashable], thing: T) -> None:
        """Puts it under these keys, under none of which it is yet."""
        for key in keys:
            self.entries += 1
            found = self._found.get(key)
            if found is None:
                self._found[key] = thing
            elif isinstance(found, set):
                found.add(thing)
            else:
                self._found[key] = {found, thing}

    def discard(self, keys: Iterable[Hashable], thing: T) -> None:
        """Takes it away from these keys, under all of which it is."""
        for key in keys:
            self.entries -= 1
            found = self._found[key]
            if isinstance(found, set) and len(found) > 1:
                found.discard(thing)
            else:
                del self._found[key]
