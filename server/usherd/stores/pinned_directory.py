"""A directory that can be stopped at what it is: rows that come for another policy are not judged by this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from usherd.changes import Listening
from usherd.errors import DirectoryUnavailable, RevisionNotReached
from usherd.facts import Write
from usherd.ports import Wanted
from usherd.stores.memory_directory import MemoryDirectory
from usherd.stores.memory_facts import MemoryFacts


class PinnedDirectory:
    """The directory as it is, until it is pinned: from then on as it was."""

    def __init__(self, directory: MemoryDirectory) -> None:
        self._directory = directory
        self._pinned: MemoryFacts | None = None

    def pin(self, facts: MemoryFacts) -> None:
        """Stops at that state. There is no way back."""
        self._pinned = facts

    def listen(self, hear: Listening) -> Callable[[], None]:
        """`hear` is told of every change of the directory that is pinned here, also of those after the pin: who follows
        it goes on doing so when another house answers."""
        return self._directory.listen(hear)

    async def facts(self, wanted: Sequence[Wanted]) -> MemoryFacts:
        """As `ports.Directory.facts`."""
        return self.at_hand()

    def at_hand(self) -> MemoryFacts:
        """As `ports.Directory.at_hand`."""
        return self._directory.at_hand() if self._pinned is None else self._pinned

    async def reach(self, store: str, revision: int) -> None:
        """As `ports.Directory.reach`. Raises RevisionNotReached for what comes after the pin."""
        await self._directory.reach(store, revision)
        if self._pinned is not None and self._pinned.revision < revision:
            raise RevisionNotReached

    async def write(self, writes: Sequence[Write]) -> None:
        """As `ports.Provisioning.write`. Raises DirectoryUnavailable once it is pinned: other rows are there then."""
        if self._pinned is not None:
            raise DirectoryUnavailable
        await self._directory.write(writes)
