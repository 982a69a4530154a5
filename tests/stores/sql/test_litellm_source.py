"""A LiteLLM database is read as it is, in one snapshot, by somebody who can do no more than read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tools.litellm_database import LitellmDatabase
from tools.postgres import Postgres
from usherd.errors import DirectoryUnavailable
from usherd.imports.litellm_reading import Reading, read_litellm
from usherd.stores.sql.litellm_source import apart, opened_source
from usherd.stores.sql.unusable import DatabaseUnusable

READER = "reader"


@pytest.fixture(name="connection")
async def _connection(postgresql_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgresql_url)
    yield connection
    await connection.close()


@pytest.fixture(name="litellm")
def _litellm(connection: asyncpg.Connection) -> LitellmDatabase:
    return LitellmDatabase(connection)


async def _read(url: str) -> Reading:
    return await read_litellm(url, lambda kind, count, total: None)


def _as_reader(postgres: Postgres, url: str) -> str:
    postgres.sql(f"DO $$ BEGIN CREATE ROLE {READER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    return url.replace("postgres@", f"{READER}@")


async def test_rows_are_read_with_json_as_text_and_arrays_as_lists(
    postgresql_url: str, litellm: LitellmDatabase
) -> None:
    await litellm.create()
    await litellm.add("TeamTable", {"team_id": "red", "models": ["a", "b"], "metadata": {"k": 1}, "max_budget": 0.1})
    (team,) = (await _read(postgresql_url)).read.records["LiteLLM_TeamTable"]
    assert team["models"] == ["a", "b"]
    assert team["metadata"] == '{"k": 1}'
    assert team["max_budget"] == 0.1
    assert "created_at" not in team


async def test_who_can_only_select_can_import(
    postgres: Postgres, postgresql_url: str, litellm: LitellmDatabase
) -> None:
    await litellm.create()
    await litellm.add("TeamTable", {"team_id": "red"})
    url = _as_reader(postgres, postgresql_url)
    await litellm.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
    assert len((await _read(url)).read.records["LiteLLM_TeamTable"]) == 1


async def test_a_table_that_may_not_be_read_is_told_and_not_passed_over(
    postgres: Postgres, postgresql_url: str, litellm: LitellmDatabase
) -> None:
    await litellm.create()
    url = _as_reader(postgres, postgresql_url)
    await litellm.execute(f'GRANT SELECT ON "LiteLLM_TeamTable", "LiteLLM_UserTable" TO {READER}')
    with pytest.raises(DatabaseUnusable, match=r"GRANT SELECT ON \"public\"\.\"LiteLLM_"):
        await _read(url)


async def test_columns_that_are_not_needed_need_not_be_readable(
    postgres: Postgres, postgresql_url: str, litellm: LitellmDatabase
) -> None:
    await litellm.create()
    await litellm.add("UserTable", {"user_id": "ann", "password": "scrypt$..."})
    url = _as_reader(postgres, postgresql_url)
    await litellm.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
    await litellm.execute(f'REVOKE SELECT ON "LiteLLM_UserTable" FROM {READER}')
    await litellm.execute(
        "GRANT SELECT (user_id, sso_user_id, organization_id, object_permission_id, team_id, teams, user_role,"
        " user_email, models, metadata, spend, max_budget, tpm_limit, rpm_limit, budget_duration,"
        " max_parallel_requests, policies,"
        f' model_max_budget, allowed_cache_controls) ON "LiteLLM_UserTable" TO {READER}'
    )
    (user,) = (await _read(url)).read.records["LiteLLM_UserTable"]
    assert "password" not in user


async def test_nothing_can_be_written(postgresql_url: str, litellm: LitellmDatabase) -> None:
    await litellm.create()
    async with opened_source(postgresql_url, {"LiteLLM_TeamTable": ["team_id"]}, []) as source:
        with pytest.raises(Exception, match="read-only transaction"):
            await source._connection.exec_driver_sql('DELETE FROM "LiteLLM_TeamTable"')


async def test_all_tables_are_read_in_one_snapshot(
    postgresql_url: str, connection: asyncpg.Connection, litellm: LitellmDatabase
) -> None:
    await litellm.create()
    wanted = {"LiteLLM_TeamTable": ["team_id"], "LiteLLM_UserTable": ["user_id"]}
    async with opened_source(postgresql_url, wanted, []) as source:
        assert await source.count("LiteLLM_TeamTable") == 0
        await litellm.add("UserTable", {"user_id": "ann"})
        assert await source.count("LiteLLM_UserTable") == 0
    assert await connection.fetchval('SELECT count(*) FROM "LiteLLM_UserTable"') == 1


async def test_an_older_litellm_has_fewer_tables_and_columns(postgresql_url: str, litellm: LitellmDatabase) -> None:
    await litellm.create(
        without=("LiteLLM_OrganizationMembership", "LiteLLM_TeamTable.policies", "LiteLLM_UserTable.sso_user_id")
    )
    await litellm.add("TeamTable", {"team_id": "red"})
    found = await _read(postgresql_url)
    assert found.absent == ("LiteLLM_OrganizationMembership",)
    assert "policies" not in found.read.records["LiteLLM_TeamTable"][0]


async def test_columns_of_a_newer_litellm_are_told(postgresql_url: str, litellm: LitellmDatabase) -> None:
    await litellm.create()
    await litellm.execute('ALTER TABLE "LiteLLM_TeamTable" ADD COLUMN curfew text')
    assert (await _read(postgresql_url)).unknown == ("LiteLLM_TeamTable.curfew",)


async def test_ten_thousand_rows_are_read_in_batches(postgresql_url: str, litellm: LitellmDatabase) -> None:
    await litellm.create()
    await litellm.execute(
        """INSERT INTO "LiteLLM_EndUserTable" (user_id) SELECT 'u' || n FROM generate_series(1, 10000) n"""
    )
    heard: list[tuple[str, int, int]] = []
    found = await read_litellm(postgresql_url, lambda *each: heard.append(each))
    assert len({each["user_id"] for each in found.read.records["LiteLLM_EndUserTable"]}) == 10_000
    ours = [each for each in heard if each[0] == "end user"]
    assert ours[0] == ("end user", 0, 10_000)
    assert len(ours) == 11
    assert ours[-1] == ("end user", 10_000, 10_000)


async def test_a_schema_is_named_as_in_litellms_own_url(
    postgresql_url: str, connection: asyncpg.Connection, litellm: LitellmDatabase
) -> None:
    await LitellmDatabase(connection, "gateway").create()
    await LitellmDatabase(connection, "gateway").add("TeamTable", {"team_id": "red"})
    url = f"{postgresql_url}&schema=gateway&connection_limit=10&pool_timeout=60"
    assert len((await _read(url)).read.records["LiteLLM_TeamTable"]) == 1
    with pytest.raises(DatabaseUnusable, match=r"no table LiteLLM_TeamTable in the schema public.*\?schema=NAME"):
        await _read(postgresql_url)


@pytest.mark.parametrize(
    "url", ["sqlite:///x.db", "https://db.example", "litellm", "postgresql://h/d?sslaccept=strict"]
)
def test_what_is_no_url_of_a_postgresql_is_told_without_it(url: str) -> None:
    with pytest.raises(DatabaseUnusable) as told:
        apart(url)
    assert url not in str(told.value)


async def test_a_database_out_of_reach_is_told_without_its_url() -> None:
    with pytest.raises(DirectoryUnavailable) as told:
        await _read("postgresql://user:hunter2@127.0.0.1:1/litellm")
    assert "hunter2" not in f"{told.value}{told.value.__cause__}"
