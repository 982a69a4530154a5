"""A database and its transactions. All that is written is written in one of these, and has a revision from it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from usherd.changes import ChangeKind, Lookup, RowKind
from usherd.errors import DirectoryUnavailable
from usherd.ports import Clock
from usherd.stores.sql import schema
from usherd.stores.sql.batches import execute_many
from usherd.stores.sql.failures import telling_failures
from usherd.stores.sql.same_file import SameFile
from usherd.stores.sql.unusable import Failure
from usherd.stores.sql.upgrade import Standing, status_of
from usherd.stores.sql.upgrade import upgrade as migrated
from usherd.stores.sql.urls import Address, address_of, engine_of

TURN_PATIENCE = 10.0
"""Seconds that a writer waits for others of its process."""


class Head(NamedTuple):
    """What there is of the change log."""

    revision: int
    """Of the last change."""
    compacted: int
    """Changes up to that revision are not kept any more."""


class Writing:
    """One transaction that writes. Nobody else's commits while it lasts, so that revisions are committed in order."""

    def __init__(self, connection: AsyncConnection, revision: int, now: float) -> None:
        self.connection = connection
        self.revision = revision
        """Of all that it changes: one more than that of the last change there is."""
        self.now = now
        """Seconds since the epoch."""
        self._entries: list[dict[str, Any]] = []

    def changed(self, kind: RowKind, row_id: str, change: ChangeKind, lookups: Sequence[Lookup]) -> None:
        """An entry of the change log. A transaction without any keeps the revision as it was, whatever it writes."""
        self._entries.append(
            {
                "revision": self.revision,
                "place": len(self._entries),
                "kind": int(kind),
                "row_id": row_id,
                "change": int(change),
                "lookups": json.dumps([[int(each.sought), *each.key] for each in lookups], separators=(",", ":")),
                "committed_at": self.now,
            }
        )

    @property
    def has_changes(self) -> bool:
        """Whether there are entries, so that the revision is a new one."""
        return bool(self._entries)

    async def log(self) -> None:
        """Writes the entries: the last that is done before the commit."""
        if self._entries:
            await execute_many(self.connection, insert(schema.change_log), self._entries)
            await self.connection.execute(update(schema.store).values(revision=self.revision))


class Database:
    """A directory's database. Whatever it does wrong is DirectoryUnavailable."""

    def __init__(
        self, engine: AsyncEngine, address: Address, store_id: str, token_key: bytes, *, clock: Clock, notifies: bool
    ) -> None:
        self.engine = engine
        self.address = address
        self.store_id = store_id
        self.token_key = token_key
        """32 bytes: token ids are digests under it."""
        self.is_postgresql = address.path is None
        self.clock = clock
        self._notifies = notifies and self.is_postgresql
        self.on_commit: Callable[[], None] = lambda: None
        """Called after each change that was committed here: whoever reads need not wait until it looks."""
        self.on_write: Callable[[DirectoryUnavailable | None], None] = lambda _: None
        """Called after each transaction that writes, with what the database did wrong; None: nothing."""
        self._file = None if address.path is None else SameFile(address.path)
        # Processes wait for each other in SQLite; within one, whoever waits does so here, in order and without polling.
        self._turn = None if self.is_postgresql else asyncio.Lock()

    @property
    def channel(self) -> str:
        """The channel on which a PostgreSQL says that there are changes."""
        return f"usherd_{self.store_id}"

    async def head(self, connection: AsyncConnection, *, locked: bool = False) -> Head:
        """What its log has, in that transaction; `locked`: nobody else writes any until its end.

        Raises DirectoryUnavailable where another store is now, as in a database that was made anew, or on another
        server of that name: its revisions are of other changes, and its ids of tokens under another key, so that
        tokens which are revoked there would be good here.
        """
        query = select(schema.store.c.id, schema.store.c.revision, schema.store.c.compacted)
        row = (await connection.execute(query.with_for_update() if locked else query)).one_or_none()
        if row is None:
            raise DirectoryUnavailable from Failure("the table `store` is empty")
        if row.id != self.store_id:
            raise DirectoryUnavailable from Failure(
                "another database was put in its place; expected a restart, or that database"
            )
        return Head(row.revision, row.compacted)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One snapshot. Raises DirectoryUnavailable."""
        with telling_failures():
            self._check_file()
            async with self.engine.connect() as connection:
                if self.is_postgresql:
                    await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with connection.begin():
                    yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        """One transaction, committed at the end of the block; any exception rolls it back. Raises
        DirectoryUnavailable, and if the commit did, it may have been made or not."""
        async with self.writing_aside() as connection:
            head = await self.head(connection, locked=True)
            writing = Writing(connection, head.revision + 1, self.clock())
            yield writing
            await writing.log()
            if self._notifies and writing.has_changes:
                await connection.execute(select(func.pg_notify(self.channel, str(writing.revision))))
        if writing.has_changes:
            self.on_commit()

    @asynccontextmanager
    async def writing_aside(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for what is no change of the directory, as spend: others commit while it lasts.

        Raises DirectoryUnavailable, as `writing`.
        """
        try:
            with telling_failures():
                # Before it, too: a connection that is opened now would make a file where there is none.
                self._check_file()
                async with self._in_turn(), self.engine.connect() as connection:
                    await connection.execution_options(usherd_writes=True)
                    async with connection.begin():
                        yield connection
                        self._check_file()
        except DirectoryUnavailable as error:
            self.on_write(error)
            raise
        self.on_write(None)

    def _check_file(self) -> None:
        if self._file is not None:
            self._file.check()

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        if self._turn is None:
            yield
            return
        async with asyncio.timeout(TURN_PATIENCE):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()


@asynccontextmanager
async def opened_database(
    url: str, *, upgrade: bool, create: bool = False, clock: Clock = time.time, notifies: bool = True
) -> AsyncIterator[Database]:
    """The database of that URL. With `upgrade`, it gets the tables of this usherd if they are older or not there; with
    `create`, if there are none, and an SQLite, which no other machine's usherd works with, also if they are older.

    `notifies` False tells no other replica of changes, for tests: they find out by asking. Raises DatabaseUnusable for
    a URL that is none and for tables of another usherd, DirectoryUnavailable if it cannot be reached.
    """
    with _placed(address_of(url)) as address:
        engine = engine_of(address)
        try:
            with telling_failures():
                status = None if upgrade else await status_of(engine)
                made = (Standing.EMPTY,) if address.path is None else (Standing.EMPTY, Standing.BEHIND)
                if status is None or (create and status.standing in made):
                    await migrated(engine)
                else:
                    status.demand_current()
                async with engine.connect() as connection:
                    row = (await connection.execute(select(schema.store.c.id, schema.store.c.token_key))).one()
            yield Database(engine, address, row.id, row.token_key, clock=clock, notifies=notifies)
        finally:
            await asyncio.shield(engine.dispose())


@contextmanager
def _placed(address: Address) -> Iterator[Address]:
    """The address, with a file for a database that is to be kept nowhere: one that goes with it."""
    if address.path != ":memory:":
        yield address
        return
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    with TemporaryDirectory(prefix="usherd-", dir=folder, ignore_cleanup_errors=True) as place:
        yield Address(path=f"{place}/directory.db")
