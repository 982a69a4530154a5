"""Knows when something has changed, for all who watch: it asks the store once for all of them, and only while there
are some."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from usherd.changes import News
from usherd.errors import Unavailable
from usherd.rpc.directory.kept import KeptDirectory

LOOK_EVERY = 0.2
"""Seconds between two looks at a store that does not tell of changes by itself."""
LOOK_ANYWAY = 1.0
"""Seconds between two looks at one that does: nobody waits for ever for news that were lost."""


def _nothing() -> None:
    """Ends nothing."""


class Head:
    """The newest revision that is known here."""

    def __init__(self, kept: KeptDirectory) -> None:
        self._kept = kept
        self._watchers = 0
        self._looking: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] = _nothing
        self._head = -1
        self._moved = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Somebody watches as long as the block is not left."""
        self._watchers += 1
        if self._watchers == 1:
            if self._kept.listen is not None:
                self._unlisten = self._kept.listen(self._hear)
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._watchers -= 1
            if self._watchers == 0 and self._looking is not None:
                self._unlisten()
                self._looking.cancel()
                self._looking = None

    async def beyond(self, revision: int) -> None:
        """Returns when there is a later revision, or the store cannot say so."""
        while self._head <= revision:
            await self._moved.wait()

    @property
    def newest(self) -> int:
        """The newest revision that is known; -1: none is."""
        return self._head

    def looked(self, before: int, head: int) -> None:
        """A look at the store found `head`; when it began, `before` was the newest."""
        # A database that was restored has fewer revisions. A look that news have overtaken says nothing of the kind.
        if head > self._head or head < before == self._head:
            self._move(head)

    def _hear(self, news: News) -> None:
        if news.revision > self._head:
            self._move(news.revision)

    def _move(self, head: int) -> None:
        self._head = head
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _look(self) -> None:
        store = self._kept.opened()
        every = LOOK_EVERY if self._kept.listen is None else LOOK_ANYWAY
        while True:
            # Whoever watches is told of an outage by the next look of their own.
            with contextlib.suppress(Unavailable):
                before = self._head
                self.looked(before, await store.head())
            await asyncio.sleep(every)
