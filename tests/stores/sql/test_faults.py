"""Databases that fail: a fault each time, never another answer; what was told to be there is there."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from stores.sql.making import TEAM, USER, apply
from tools.postgres import Postgres
from usherd.errors import DirectoryUnavailable
from usherd.facts import BudgetKind, BudgetOwner, Team, User
from usherd.store import Filter, Usage
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.sql_store import SqlStore, store_in

WRITER = """
import asyncio, itertools, sys
from usherd.changes import RowKind
from usherd.facts import BudgetKind, BudgetOwner, User
from usherd.store import Edit, Op, Usage
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.sql_store import store_in

async def main():
    async with opened_database(sys.argv[1], upgrade=True) as database, store_in(database) as store:
        async def edits(writer):
            for number in itertools.count():
                name = f"{writer}-{number}"
                await store.apply([Edit(Op.CREATE, RowKind.USER, (name,), User(id=name))])
                print("row", name, flush=True)
        async def usages():
            for number in itertools.count(1):
                await store.record_usage([Usage(BudgetOwner(BudgetKind.GLOBAL), 1)])
                print("usage", number, flush=True)
        await asyncio.gather(edits("a"), edits("b"), usages())

asyncio.run(main())
"""


@pytest.fixture(name="own_postgres")
def _own_postgres() -> Iterator[Postgres]:
    """One that a test may kill."""
    with Postgres() as postgres:
        yield postgres


async def write_until_killed(url: str, told: Path, life: float) -> None:
    """A process that writes, and says so, is killed so many seconds after its first word."""
    with told.open("wb") as file:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, url, stdout=file)
    async with asyncio.timeout(60):
        while not told.stat().st_size:  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.01)
    await asyncio.sleep(life)
    process.send_signal(signal.SIGKILL)
    await process.wait()


@pytest.mark.parametrize("life", [0.3, 0.7, 1.1])
async def test_a_process_that_is_killed_while_it_writes_loses_nothing_that_it_said_is_there(
    sqlite_url: str, tmp_path: Path, life: float
) -> None:
    told = tmp_path / "told"
    await write_until_killed(sqlite_url, told, life)
    # The last line may have been cut.
    lines = [line.split() for line in told.read_text().split("\n")[:-1]]
    rows = {name for kind, name in lines if kind == "row"}
    usages = max((int(number) for kind, number in lines if kind == "usage"), default=0)
    assert len(rows) > 1
    with closing(sqlite3.connect(tmp_path / "directory.db")) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    async with opened_database(sqlite_url, upgrade=True) as database, store_in(database) as store:
        found = {stored.row.id for stored in (await store.page(USER, Filter(), limit=10**6)).rows}  # type: ignore[union-attr]
        assert rows <= found
        assert len(found) <= len(rows) + 2
        spent = await store.usage(BudgetOwner(BudgetKind.GLOBAL))
        assert spent is not None
        assert usages <= spent.micro_usd <= usages + 1
        head = await store.head()
        changes = (await store.changes(1, limit=10**6)).changes
        assert [change.revision for change in changes] == list(range(2, head + 1))
        assert {change.id for change in changes} == found


async def everything(store: SqlStore) -> None:
    """Each way of asking, at once: nobody gets another answer than a fault."""
    owner = BudgetOwner(BudgetKind.TEAM, "t")
    asked = await asyncio.gather(
        store.get(TEAM, [("t",)]), store.page(TEAM, Filter()), store.head(), store.changes(1), store.usage(owner),
        apply(store, Team(id="t")), store.record_usage([Usage(owner, 1)]), store.reset_usage(owner), store.sweep(),
        store.load([], None), store.compact(1, 1), return_exceptions=True,
    )  # fmt: skip
    assert {type(each) for each in asked} == {DirectoryUnavailable}
    assert all(each.__cause__ is not None for each in asked)  # type: ignore[union-attr]


async def test_a_server_that_is_killed_is_a_fault_and_all_is_there_when_it_is_back(own_postgres: Postgres) -> None:
    url = own_postgres.new_database()
    async with opened_database(url, upgrade=True) as database, store_in(database) as store:
        await apply(store, Team(id="t"))
        own_postgres.kill()
        await everything(store)
        await everything(store)
        own_postgres.start()
        assert (await store.get(TEAM, [("t",)]))[0] == (Team(id="t", revision="2"), "2")
        await apply(store, Team(id="t", blocked=True))
        assert await store.head() == 3


async def test_a_server_that_hangs_is_a_fault_after_a_while_and_serves_on_afterwards(own_postgres: Postgres) -> None:
    url = own_postgres.new_database() + "&statement_timeout=1&connect_timeout=1&pool_size=2"
    async with opened_database(url, upgrade=True) as database, store_in(database) as store:
        await apply(store, Team(id="t"))
        own_postgres.freeze()
        try:
            async with asyncio.timeout(30):
                await everything(store)
        finally:
            own_postgres.thaw()
        async with asyncio.timeout(30):
            await apply(store, Team(id="t", blocked=True))


async def test_a_connection_that_is_cut_in_the_middle_writes_nothing(postgresql_url: str, postgres: Postgres) -> None:
    async with opened_database(postgresql_url, upgrade=True) as database, store_in(database) as store:
        await apply(store, User(id="u"))

        async def cut() -> None:
            async with database.writing() as writing:
                await writing.connection.execute(text("DELETE FROM users"))
                postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'usherd'")

        with pytest.raises(DirectoryUnavailable):
            await cut()
        assert (await store.get(USER, [("u",)])) != [None]


async def test_a_file_that_is_locked_by_another_program_is_a_fault(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usherd.stores.sql.urls.BUSY_PATIENCE", 0.2)
    async with opened_database(sqlite_url, upgrade=True) as database, store_in(database) as store:
        with closing(sqlite3.connect(tmp_path / "directory.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DirectoryUnavailable) as caught:
                await apply(store, Team(id="t"))
            assert "SQLITE_BUSY" in str(caught.value.__cause__)
            assert await store.head() == 1
            other.execute("ROLLBACK")
        await apply(store, Team(id="t"))


async def test_a_file_that_is_no_database_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but quite long enough to be taken for one " * 100)
    with pytest.raises(DirectoryUnavailable):
        async with opened_database(f"sqlite:///{tmp_path}/text", upgrade=True):
            pass
