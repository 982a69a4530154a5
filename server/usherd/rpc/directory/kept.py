"""What the service works with, which may change while it runs: the store, and what the policy knows by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from usherd.changes import Listening
from usherd.errors import NoStore
from usherd.rpc.directory.rows import Names
from usherd.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDirectory:
    """The directory that is kept, if one is."""

    store: Store | None = None
    names: Callable[[], Names] = lambda: Names(())
    """What is known by name now."""
    listen: Callable[[Listening], Callable[[], None]] | None = None
    """Tells when something has changed; the answer ends that. None: the store has to be asked."""

    def opened(self) -> Store:
        """The store. Raises NoStore."""
        if self.store is None:
            raise NoStore
        return self.store
