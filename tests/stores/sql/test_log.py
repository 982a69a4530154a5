"""The change log: whole transactions in order, for as long as they are kept, and none that a reader passes over."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select, update

from stores.sql.conftest import OpenDatabase
from stores.sql.making import apply, told
from stores.support import Hands
from usherd.changes import ChangeKind, Lookup, RowKind, Sought
from usherd.errors import ChangesCompacted, FieldInvalid
from usherd.facts import EndUser, Team
from usherd.store import Changes
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database, Writing, opened_database
from usherd.stores.sql.sql_store import SqlStore, store_in

HOUR = 3600.0


async def write(store: SqlStore, count: int, rows: int = 1) -> None:
    for number in range(count):
        head = await store.head()
        await apply(store, *(EndUser(id=f"{head}.{number}.{row}") for row in range(rows)))


async def test_a_stretch_has_whole_transactions_and_at_least_one(store: SqlStore) -> None:
    await write(store, 2, rows=3)
    await write(store, 1, rows=1)
    stretches = []
    after = 1
    while after < 4:
        found = await store.changes(after, limit=5)
        stretches.append(([change.revision for change in found.changes], found.through, found.head))
        after = found.through
    assert stretches == [([2, 2, 2], 2, 4), ([3, 3, 3, 4], 4, 4)]
    assert [change.revision for change in (await store.changes(1, limit=1)).changes] == [2, 2, 2]
    assert [len((await store.changes(1, limit=limit)).changes) for limit in (3, 6, 7, 8)] == [3, 6, 7, 7]
    with pytest.raises(FieldInvalid):
        await store.changes(1, limit=0)


async def test_whoever_is_at_the_head_reads_nothing_and_the_future_is_refused(store: SqlStore) -> None:
    assert await store.changes(1) == Changes((), 1, 1)
    assert await store.changes(0) == Changes((), 1, 1)
    with pytest.raises(FieldInvalid):
        await store.changes(2)


async def test_changes_are_kept_for_so_long_and_so_many_of_them(store: SqlStore, clock: Hands) -> None:
    await write(store, 10)
    clock.move(HOUR)
    await write(store, 10)
    assert (await store.compact(HOUR + 1, 0), await store.compact(0, 20)) == (1, 1)
    assert len(await told(store, 1)) == 20
    assert await store.compact(HOUR - 1, 0) == 11
    with pytest.raises(ChangesCompacted):
        await store.changes(10)
    assert len(await told(store, 11)) == 10
    clock.move(2 * HOUR)
    assert await store.compact(HOUR, 3) == 18
    assert len(await told(store, 18)) == 3
    assert await store.compact(HOUR, 0) == 21
    assert await store.changes(21) == Changes((), 21, 21)
    await write(store, 1)
    assert len(await told(store, 21)) == 1


async def test_compaction_goes_in_small_steps_and_is_no_change(
    store: SqlStore, clock: Hands, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr("usherd.stores.sql.log.BATCH", 3)
    await write(store, 10, rows=2)
    clock.move(HOUR)
    seen: list[tuple[int, int]] = []
    real = Writing.log

    async def looking(self: Writing) -> None:
        await real(self)
        kept = await self.connection.scalar(select(func.count()).select_from(schema.change_log))
        seen.append((await self.connection.scalar(select(schema.store.c.compacted)) or 0, kept or 0))

    monkeypatch.setattr(Writing, "log", looking)
    await store.compact(1, 0)
    assert seen == [(3, 16), (6, 10), (9, 4), (11, 0), (11, 0)]
    assert await store.head() == 11


async def test_a_reader_sees_each_change_once_however_many_write(open_database: OpenDatabase) -> None:
    async with open_database() as first, open_database() as second, store_in(first) as one, store_in(second) as two:
        seen: list[str] = []

        async def read() -> None:
            after = 1
            while len(seen) < 100:
                found = await two.changes(after, limit=7)
                seen.extend(change.id for change in found.changes)
                after = found.through
                await asyncio.sleep(0)

        async def many(store: SqlStore, name: str) -> None:
            for number in range(50):
                await apply(store, EndUser(id=f"{name}{number}"))

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(many(one, "a"))
            group.create_task(many(two, "b"))
        assert sorted(seen) == sorted(f"{name}{number}" for name in "ab" for number in range(50))


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_slow_writer_is_never_passed_over_because_of_the_lock_on_the_one_row(
    postgresql_url: str, guarded: bool
) -> None:
    """Without it, the later revision is committed first, a reader reads up to it, and never sees the earlier one."""
    async with opened_database(postgresql_url, upgrade=True) as database, store_in(database) as store:
        slow_has_begun, fast_was_read = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            async with database.writing() if guarded else _unguarded(database) as writing:
                _change(writing, "slow")
                slow_has_begun.set()
                # With the lock, nobody can be faster.
                await (asyncio.sleep(0.2) if guarded else fast_was_read.wait())

        async def fast() -> None:
            await slow_has_begun.wait()
            async with database.writing() if guarded else _unguarded(database) as writing:
                _change(writing, "fast")

        seen: list[str] = []
        after = 1

        async def read() -> None:
            nonlocal after
            found = await store.changes(after)
            seen.extend(change.id for change in found.changes)
            after = found.through

        async def read_on() -> None:
            while "fast" not in seen:
                await read()
                await asyncio.sleep(0.005)
            fast_was_read.set()

        async with asyncio.timeout(30):
            await asyncio.gather(read_on(), slow(), fast())
        await read()
    assert seen == (["slow", "fast"] if guarded else ["fast"])


def _change(writing: Writing, name: str) -> None:
    writing.changed(RowKind.TEAM, name, ChangeKind.UPDATED, [Lookup(Sought.TEAM, ("", name))])


class _unguarded:
    """A transaction whose revision comes from a sequence, as it would be without the lock."""

    next_revision = 2

    def __init__(self, database: Database) -> None:
        self._transaction = database.engine.begin()

    async def __aenter__(self) -> Writing:
        connection = await self._transaction.__aenter__()
        self._writing = Writing(connection, _unguarded.next_revision, 0.0)
        _unguarded.next_revision += 1
        return self._writing

    async def __aexit__(self, *error: object) -> None:
        # The head rises; it never falls, as it does not with a sequence either.
        writing = self._writing
        await writing.connection.execute(schema.change_log.insert(), writing._entries)
        head = func.greatest(schema.store.c.revision, writing.revision)
        await writing.connection.execute(update(schema.store).values(revision=head))
        await self._transaction.__aexit__(None, None, None)


async def test_names_in_the_log_are_those_of_rows(store: SqlStore) -> None:
    await apply(store, Team(id="7:x/y"))
    assert await told(store, 1) == [(RowKind.TEAM, "7:x/y", ChangeKind.CREATED)]
