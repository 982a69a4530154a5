"""The ground of houses whose directory is their configuration's rows, in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from usherd.changes import Listening
from usherd.config.problems import Problem
from usherd.config.settings import Settings
from usherd.facts import Rows
from usherd.ground import HouseDirectory, Look, SharedKept, Step, budget_of_all, other_directory
from usherd.revocation_store import RevocationStore
from usherd.store import ModelRow, Store
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory, Prepared, new_store_id
from usherd.stores.pinned_directory import PinnedDirectory


class MemoryGround:
    """A directory of the configuration's rows, in memory."""

    store: Store | None = None
    revocations: RevocationStore | None = None
    kept: SharedKept | None = None
    fresh = True

    def __init__(self, settings: Settings) -> None:
        """Nothing has been spent in it."""
        rows, bare_ids_for, everyone = _of_directory(settings)
        self.directory = MemoryDirectory(
            new_store_id(), rows, bare_ids_for=bare_ids_for, everyone=everyone, clock=time.time
        )

    def look(self) -> Look:
        """As `Ground.look`."""
        facts = self.directory.at_hand()
        return Look(facts.revision, facts.sizes(), None)

    def listen(self, hear: Listening) -> Callable[[], None]:
        """As `Ground.listen`. A move that brings other rows is told before the next house answers."""
        return self.directory.listen(hear)

    def house(self, settings: Settings) -> PinnedDirectory:
        """As `Ground.house`."""
        return PinnedDirectory(self.directory)

    def refuses(self, before: Settings, after: Settings) -> list[Problem]:
        """As `Ground.refuses`."""
        return [] if after.store is None else [other_directory()]

    async def step(self, before: Settings, after: Settings, old: HouseDirectory) -> Step:
        """As `Ground.step`. Rows that are the same stay, with what provisioning has written."""
        # To compare and to index the rows of a large directory takes a while.
        rows = await asyncio.to_thread(self._rows, before, after)
        return _OtherRows(self.directory, rows, old if isinstance(old, PinnedDirectory) else None)

    async def models(self) -> tuple[ModelRow, ...]:
        """As `Ground.models`: there is no store."""
        return ()

    def _rows(self, before: Settings, after: Settings) -> Prepared | None:
        if _of_directory(after) == _of_directory(before):
            return None
        return self.directory.prepared(*_of_directory(after))


class _OtherRows(NamedTuple):
    directory: MemoryDirectory
    rows: Prepared | None
    old: PinnedDirectory | None

    def take(self) -> None:
        """As `Step.take`: rows that come for another policy are not judged by the old one."""
        if self.rows is not None:
            before = self.directory.at_hand()
            self.directory.adopt(self.rows)
            if self.old is not None:
                self.old.pin(before)


def _of_directory(settings: Settings) -> tuple[Rows, str | None, Budget]:
    """What a directory in memory is made of, as `MemoryDirectory.prepared` takes it."""
    return settings.directory, settings.only_issuer, budget_of_all(settings)
