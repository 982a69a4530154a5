"""Transactions: all or nothing, in order, and nothing is broken by what ends them."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from stores.sql.conftest import OpenDatabase
from stores.support import Hands
from usherd.changes import ChangeKind, Lookup, RowKind, Sought
from usherd.errors import DirectoryUnavailable
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database, Writing, opened_database
from usherd.stores.sql.unusable import DatabaseUnusable


async def write(writing: Writing, name: str) -> None:
    await writing.connection.execute(
        insert(schema.end_users), [{"id": name, "blocked": False, "revision": writing.revision}]
    )
    writing.changed(RowKind.END_USER, name, ChangeKind.CREATED, [Lookup(Sought.END_USER, (name,))])


async def names_in(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list(await connection.scalars(select(schema.end_users.c.id).order_by(schema.end_users.c.id)))


async def test_what_was_written_is_there_with_its_entry_and_revision(database: Database, clock: Hands) -> None:
    clock.now = 1234.5
    async with database.writing() as writing:
        await write(writing, "é")
    async with database.reading() as connection:
        (entry,) = await connection.execute(select(schema.change_log))
        head = await connection.scalar(select(schema.store.c.revision))
    assert tuple(entry) == (2, 0, RowKind.END_USER, "é", ChangeKind.CREATED, '[[10,"\\u00e9"]]', 1234.5)
    assert head == writing.revision == 2


async def test_a_transaction_without_changes_takes_no_revision(database: Database) -> None:
    async with database.writing() as first:
        pass
    async with database.writing() as second:
        await write(second, "a")
    assert first.revision == second.revision == 2


async def test_a_block_that_raises_has_written_nothing(database: Database) -> None:
    async def failing() -> None:
        async with database.writing() as writing:
            await write(writing, "a")
            raise KeyError

    with pytest.raises(KeyError):
        await failing()
    async with database.writing() as writing:
        await write(writing, "b")
    assert (await names_in(database), writing.revision) == (["b"], 2)


async def test_what_the_database_refuses_is_told_without_the_values_that_it_was_given(database: Database) -> None:
    async def twice() -> None:
        async with database.writing() as writing:
            await write(writing, "somebody")
            await write(writing, "somebody")

    with pytest.raises(DirectoryUnavailable) as caught:
        await twice()
    assert "IntegrityError" in str(caught.value.__cause__)
    each: BaseException | None = caught.value
    while each is not None:
        assert "somebody" not in f"{each!r} {each}"
        each = each.__cause__ or each.__context__


async def test_writers_of_one_process_come_one_after_another(database: Database) -> None:
    async def one(name: str) -> int:
        async with database.writing() as writing:
            await asyncio.sleep(0)
            await write(writing, name)
        return writing.revision

    revisions = await asyncio.gather(*(one(f"{number:02}") for number in range(20)))
    assert sorted(revisions) == list(range(2, 22))


async def test_writers_of_several_replicas_come_one_after_another(open_database: OpenDatabase) -> None:
    async with open_database() as first, open_database() as second:

        async def one(database: Database, name: str) -> int:
            async with database.writing() as writing:
                await write(writing, name)
            return writing.revision

        work = [
            one(replica, f"{number}{which}") for number in range(10) for which, replica in ((1, first), (2, second))
        ]
        assert sorted(await asyncio.gather(*work)) == list(range(2, 22))
        assert first.store_id == second.store_id
        assert first.token_key == second.token_key


async def test_a_snapshot_stays_as_it_was(open_database: OpenDatabase) -> None:
    async with open_database() as first, open_database() as second, first.reading() as connection:
        count = select(func.count()).select_from(schema.end_users)
        assert await connection.scalar(count) == 0
        async with second.writing() as writing:
            await write(writing, "a")
        assert await connection.scalar(count) == 0


async def test_readers_write_nothing(postgresql_url: str) -> None:
    async with opened_database(postgresql_url, upgrade=True) as database:
        with pytest.raises(DirectoryUnavailable):
            async with database.reading() as connection:
                await connection.execute(insert(schema.end_users), [{"id": "a", "blocked": False, "revision": 1}])


@pytest.mark.parametrize("moment", ["waiting", "writing", "asking"])
async def test_a_writer_that_is_cancelled_leaves_nothing_behind(database: Database, moment: str) -> None:
    """Neither a row, nor a lock, nor a connection that the next one would stumble over: more often than are pooled."""
    for number in range(30):
        begun, held = asyncio.Event(), asyncio.Event()

        async def cancelled(begun: asyncio.Event = begun) -> None:
            async with database.writing() as writing:
                await write(writing, "never")
                begun.set()
                if moment == "asking":
                    while True:
                        await writing.connection.execute(select(schema.end_users))
                await asyncio.Event().wait()

        async def holder(held: asyncio.Event = held) -> None:
            async with database.writing():
                held.set()
                await asyncio.sleep(0.01)

        if moment == "waiting":
            holding = asyncio.create_task(holder())
            await held.wait()
            task = asyncio.create_task(cancelled())
            await asyncio.sleep(0.002)
        else:
            holding = None
            task = asyncio.create_task(cancelled())
            await asyncio.wait([task, waiting := asyncio.create_task(begun.wait())], return_when="FIRST_COMPLETED")
            waiting.cancel()
            await asyncio.sleep(0.0005 * (number % 5))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if holding is not None:
            await holding
    async with asyncio.timeout(5), database.writing() as writing:
        await write(writing, "after")
    assert (await names_in(database), writing.revision) == (["after"], 2)


async def test_a_file_is_for_its_owner_alone(sqlite_url: str, tmp_path: Path) -> None:
    async with opened_database(sqlite_url, upgrade=True) as database:
        async with database.writing() as writing:
            await write(writing, "a")
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(tmp_path)}
    assert modes == dict.fromkeys(("directory.db", "directory.db-wal", "directory.db-shm"), 0o600)


async def test_a_file_loses_nothing_when_the_machine_does(sqlite_url: str) -> None:
    """FULL (2) waits for the disk at each commit; WAL keeps readers and the writer apart."""
    async with opened_database(sqlite_url, upgrade=True) as database, database.reading() as connection:
        pragmas = [
            await connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 2, 1]


@pytest.mark.parametrize(
    "url",
    [
        "", "sqlite", "sqlite://", "sqlite:///", "sqlite://host/file", "sqlite:///a?mode=ro", "mysql://secret@host/db",
        "postgresql://u:secret@host/db?pool_size=none", "postgresql://u:secret@host/db?pool_size=0",
        "sqlite:////no/such/folder/file.db",
    ],
)  # fmt: skip
async def test_a_url_that_means_no_database_is_told_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUnusable) as caught:
        async with opened_database(url, upgrade=True):
            pass
    assert "expected" in str(caught.value) or "cannot be opened" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DirectoryUnavailable):
        async with opened_database(f"postgresql://u:secret@/db?host={tmp_path}", upgrade=False):
            pass
