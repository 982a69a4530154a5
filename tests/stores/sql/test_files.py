"""The file of an SQLite: what is done to it while it is open, and files that are somebody else's."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from stores.sql.making import USER, apply
from usherd.errors import DirectoryUnavailable
from usherd.facts import Team, User
from usherd.stores.sql.database import Database, opened_database
from usherd.stores.sql.looking_after import look
from usherd.stores.sql.sql_directory import Reading, opened_directory
from usherd.stores.sql.sql_store import store_in
from usherd.stores.sql.unusable import DatabaseUnusable, cause_of
from usherd.stores.sql.urls import address_of


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return tmp_path / "directory.db"


async def test_no_write_is_acknowledged_that_goes_to_a_file_which_is_not_there_any_more(file: Path) -> None:
    async with opened_database(f"sqlite:///{file}", upgrade=True) as database, store_in(database) as store:
        await apply(store, User(id="ann"))
        file.unlink()  # noqa: ASYNC240
        with pytest.raises(DirectoryUnavailable) as raised:
            await apply(store, User(id="ann", blocked=True))
    assert "expected a restart" in cause_of(raised.value)


async def test_a_file_that_took_the_place_of_another_is_not_taken_for_it(file: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{file}"
    async with opened_database(url, upgrade=True) as database, store_in(database) as store:
        await apply(store, User(id="ann"))
        shutil.copy(file, tmp_path / "copy.db")
        (tmp_path / "copy.db").rename(file)
        with pytest.raises(DirectoryUnavailable):
            await store.get(USER, [("ann",)])
    assert not file.with_name("copy.db").exists()


async def test_a_file_that_is_put_back_is_worked_with_again(file: Path) -> None:
    async with opened_database(f"sqlite:///{file}", upgrade=True) as database, store_in(database) as store:
        away = file.rename(file.with_name("away.db"))  # noqa: ASYNC240
        with pytest.raises(DirectoryUnavailable):
            await store.head()
        away.rename(file)
        await apply(store, User(id="ann"))
        assert (await store.get(USER, [("ann",)]))[0] is not None


async def test_a_replica_whose_file_is_gone_answers_no_more(file: Path) -> None:
    told: list[dict[str, str | int]] = []
    async with opened_database(f"sqlite:///{file}", upgrade=True) as database, store_in(database) as store:
        reading = Reading(max_staleness=1.0)
        async with opened_directory(store, reading, tell=lambda works, fields: told.append({**fields})) as directory:
            house = directory.house(None)
            await house.facts(())
            file.unlink()  # noqa: ASYNC240
            async with asyncio.timeout(10):
                while directory.feed.fresh:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            with pytest.raises(DirectoryUnavailable):
                await house.facts(())
    assert any("expected a restart" in str(fields.get("cause")) for fields in told)


async def test_a_write_that_fails_is_in_the_log_once_and_so_is_the_first_that_works_again(file: Path) -> None:
    told: list[tuple[bool, dict[str, str | int]]] = []
    async with (
        opened_database(f"sqlite:///{file}", upgrade=True) as database,
        store_in(database) as store,
        opened_directory(store, tell=lambda works, fields: told.append((works, {**fields}))),
    ):
        await _limit_pages(database, to=1)
        for _ in range(3):
            with pytest.raises(DirectoryUnavailable):
                await apply(store, _big("red"))
        assert told == [(False, {"cause": "OperationalError from OperationalError (SQLITE_FULL)", "failures": 1})]
        await _limit_pages(database, to=1_000_000)
        await apply(store, _big("red"))
        assert told[1:] == [(True, {})]


def _big(team_id: str) -> Team:
    return Team(id=team_id, models=tuple(f"a-model-of-a-long-name-{number}" for number in range(2000)))


async def _limit_pages(database: Database, to: int) -> None:
    """The database is as full as a disk may be: it has no room for more pages than that."""
    connections = [await database.engine.connect() for _ in range(4)]
    for connection in connections:
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {to}")
    for connection in connections:
        await connection.close()


@pytest.mark.parametrize("how", ["serve", "status"])
async def test_a_database_of_another_program_is_left_as_it_is(file: Path, how: str) -> None:
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE users (name)")
    other.close()
    before = file.read_bytes()  # noqa: ASYNC240
    if how == "status":
        await look(f"sqlite:///{file}")
    else:
        with pytest.raises(DatabaseUnusable):
            async with opened_database(f"sqlite:///{file}", upgrade=False, create=True):
                pass
    assert file.read_bytes() == before  # noqa: ASYNC240


@pytest.mark.parametrize("which", ["any", "standby", "prefer-standby", "read-only", "nonsense", ""])
def test_a_url_that_would_have_a_standby_asked_is_refused_with_what_is_expected(which: str) -> None:
    with pytest.raises(DatabaseUnusable, match="target_session_attrs: expected primary or read-write"):
        address_of(f"postgresql://u:hunter2@one,two/db?target_session_attrs={which}")


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@[::1/db", "postgresql://u:hunter2@[x]/db"])
async def test_a_url_that_no_parser_takes_is_one_sentence_for_the_operator(url: str) -> None:
    with pytest.raises(DatabaseUnusable) as raised:
        await look(url)
    assert "hunter2" not in str(raised.value)
