"""Upgrades: in one step, by whoever does it, and never by accident."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from tools.postgres import Postgres
from usherd.errors import DirectoryUnavailable
from usherd.stores.sql import schema
from usherd.stores.sql import upgrade as steps
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.looking_after import look, upgrade
from usherd.stores.sql.unusable import DatabaseUnusable
from usherd.stores.sql.upgrade import Standing
from usherd.stores.sql.urls import address_of, engine_of


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": schema.METADATA})
    return list(compare_metadata(context, schema.METADATA))


def _details(connection: Connection) -> dict[str, object]:
    """What the comparison does not look at: keys, what goes with what, collations."""
    found: dict[str, object] = {}
    inspector = inspect(connection)
    for table in schema.METADATA.sorted_tables:
        columns = [
            (column["name"], str(column["type"]), column["nullable"], getattr(column["type"], "collation", None))
            for column in inspector.get_columns(table.name)
        ]
        keys = [(key["constrained_columns"], key["options"]) for key in inspector.get_foreign_keys(table.name)]
        found[table.name] = (columns, inspector.get_pk_constraint(table.name), sorted(keys, key=str))
    return found


async def test_migrations_lead_to_the_tables_that_the_code_describes(
    shared_url: str, postgres: Postgres, tmp_path: Path
) -> None:
    async with opened_database(shared_url, upgrade=True) as database, database.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
        migrated = await connection.run_sync(_details)
    other = postgres.new_database() if database.is_postgresql else f"sqlite:///{tmp_path}/other.db"
    engine = engine_of(address_of(other))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(schema.METADATA.create_all)
            assert await connection.run_sync(_details) == migrated
    finally:
        await engine.dispose()


async def test_a_drift_would_be_found(any_url: str) -> None:
    async with opened_database(any_url, upgrade=True) as database, database.engine.connect() as connection:
        await connection.execute(text("DROP INDEX ix_teams_alias"))
        await connection.execute(text("ALTER TABLE teams ADD COLUMN more TEXT"))
        assert len(await connection.run_sync(_differences)) == 2


async def test_upgrades_at_once_are_one(shared_url: str) -> None:
    results = await asyncio.gather(*(upgrade(shared_url) for _ in range(6)))
    assert sorted(before.standing.value for before, _ in results) == ["current"] * 5 + ["empty"]
    assert {after.standing for _, after in results} == {Standing.CURRENT}
    stores = {(await look(shared_url)).store for _ in range(2)}
    assert len(stores) == 1


NEXT = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.add_column("teams", sa.Column("more", sa.Text()))
"""
BROKEN = (
    NEXT
    + """
    op.execute("INSERT INTO nowhere VALUES (1)")
"""
)


@pytest.fixture(name="next_usherd")
def _next_usherd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """From now on it is a newer usherd, whose tables take one step more."""

    def become(step: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(Path(steps.__file__).parent / "migrations", folder)
        (folder / "versions" / "v0002_next.py").write_text(step)
        config = Config()
        config.set_main_option("script_location", str(folder))
        monkeypatch.setattr(steps, "_config", lambda: config)
        monkeypatch.setattr(steps, "_script", lambda: ScriptDirectory.from_config(config))

    return become


async def test_tables_that_are_not_there_are_asked_for(shared_url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="no tables of usherd's yet; run: usherd db upgrade"):
        async with opened_database(shared_url, upgrade=False):
            pass


async def test_tables_that_are_behind_are_refused_with_the_command_that_mends_it(
    shared_url: str, next_usherd: Callable[[str], None]
) -> None:
    await upgrade(shared_url)
    next_usherd(NEXT)
    with pytest.raises(DatabaseUnusable, match=r"older usherd \(0001; expected 0002\); run: usherd db upgrade"):
        async with opened_database(shared_url, upgrade=False):
            pass
    before, after = await upgrade(shared_url)
    assert (before.standing, after.standing, after.revision) == (Standing.BEHIND, Standing.CURRENT, "0002")
    async with opened_database(shared_url, upgrade=False) as database, database.reading() as connection:
        await connection.execute(text("SELECT more FROM teams"))


async def test_a_server_upgrades_its_own_file_and_nobody_elses_server(
    shared_url: str, next_usherd: Callable[[str], None]
) -> None:
    async with opened_database(shared_url, upgrade=False, create=True) as database:
        is_shared = database.is_postgresql
    next_usherd(NEXT)
    refused = pytest.raises(DatabaseUnusable, match="run: usherd db upgrade") if is_shared else nullcontext()
    with refused:
        async with opened_database(shared_url, upgrade=False, create=True):
            pass
    assert (await look(shared_url)).tables.revision == ("0001" if is_shared else "0002")


async def test_an_upgrade_that_fails_has_changed_nothing(shared_url: str, next_usherd: Callable[[str], None]) -> None:
    await upgrade(shared_url)
    next_usherd(BROKEN)
    with pytest.raises(DirectoryUnavailable):
        await upgrade(shared_url)
    assert (await look(shared_url)).tables.revision == "0001"
    engine = engine_of(address_of(shared_url))
    async with engine.connect() as connection:
        columns = await connection.run_sync(lambda sync: inspect(sync).get_columns("teams"))
    await engine.dispose()
    assert "more" not in {column["name"] for column in columns}


async def test_tables_of_a_newer_usherd_are_refused_and_left_alone(shared_url: str) -> None:
    await upgrade(shared_url)
    await _set_revision(shared_url, "9999")
    for again in (True, False):
        with pytest.raises(DatabaseUnusable, match=r"newer usherd \(9999; expected 0001\)"):
            async with opened_database(shared_url, upgrade=again):
                pass
    with pytest.raises(DatabaseUnusable, match="newer usherd"):
        await upgrade(shared_url)
    assert (await look(shared_url)).tables.standing is Standing.AHEAD


async def test_a_database_of_somebody_else_is_left_alone(shared_url: str) -> None:
    engine = engine_of(address_of(shared_url))
    async with engine.connect() as connection:
        await connection.execute(text("CREATE TABLE users (id INTEGER)"))
        await connection.commit()
    with pytest.raises(DatabaseUnusable, match="not usherd's"):
        await upgrade(shared_url)
    await engine.dispose()


async def test_what_is_kept_stays_when_the_server_starts_again(shared_url: str) -> None:
    await upgrade(shared_url)
    first = await look(shared_url)
    async with opened_database(shared_url, upgrade=True) as database:
        assert (database.store_id, len(database.token_key)) == (first.store, 32)
        key = database.token_key
    async with opened_database(shared_url, upgrade=False) as database:
        assert (database.store_id, database.token_key) == (first.store, key)


async def test_looking_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="there is no such file"):
        await look(f"sqlite:///{tmp_path}/none.db")
    assert os.listdir(tmp_path) == []


async def _set_revision(url: str, revision: str) -> None:
    engine = engine_of(address_of(url))
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    await engine.dispose()
