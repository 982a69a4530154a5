"""No query that is made often looks at a whole table, however many rows it has."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from stores.sql.making import PLACE, TEAM, USER, apply, place, put, request
from usherd.changes import Lookup, Sought
from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Organization, Team, User, Write, WriteKind
from usherd.store import Filter, Usage
from usherd.stores.sql.database import Database, opened_database
from usherd.stores.sql.sql_store import SqlStore, store_in

ONE_ROW = {"store", "alembic_version", "CONSTANT"}
LOOKUPS = [
    Lookup(Sought.ORGANIZATION, ("o",)), Lookup(Sought.ORGANIZATION_ALIAS, ("o",)), Lookup(Sought.TEAM, ("", "t")),
    Lookup(Sought.TEAM_ALIAS, ("", "a")), Lookup(Sought.USER, ("u",)), Lookup(Sought.USER_IDENTITY, ("idp", "s")),
    Lookup(Sought.USER_IDENTITY, ("idp", "v")), Lookup(Sought.USER_SSO, ("s",)), Lookup(Sought.USER_EMAIL, ("e",)),
    Lookup(Sought.MEMBERSHIP, ("t", "u")), Lookup(Sought.END_USER, ("e",)), Lookup(Sought.MODEL, ("m",)),
    Lookup(Sought.BUDGET, ("team", "t", "")), Lookup(Sought.BUDGET, ("member", "u", "t")),
]  # fmt: skip


async def everything(store: SqlStore) -> None:
    """All that is done often."""
    await apply(store, Organization(id="o"), Team(id="t", alias="a"), User(id="u", identities=(("idp", "s"),)))
    await apply(store, place("t", "u"), EndUser(id="e"))
    await store.apply([put(Team(id="t", limit=Limit(max_budget_micro_usd=3)))], request())
    await store.write([Write(WriteKind.CREATE_USER, User(id="n", identities=(("idp", "n"),), teams=("t",)))])
    for kind in BudgetKind:
        await store.record_usage(
            [Usage(BudgetOwner(kind, "t", "t" if kind is BudgetKind.MEMBER else ""), 4)], request("u")
        )
    await store.record_usage(
        [Usage(BudgetOwner(BudgetKind.TEAM, "t"), 9), Usage(BudgetOwner(BudgetKind.MEMBER, "u", "t"), 9)]
    )
    await store.usage(BudgetOwner(BudgetKind.TEAM, "t"))
    await store.load(LOOKUPS, "idp")
    await store.changes(1)
    await store.sweep()
    await store.compact(3600, 10)
    for kind in (USER, TEAM, PLACE):
        await store.page(kind, Filter(), after=("a", "b")[: 1 + (kind is PLACE)], limit=10)
    await store.page(USER, Filter(prefix="u"))
    await store.page(USER, Filter(team="t"))
    await store.page(PLACE, Filter(user="u"))


def sorts_few(statement: str) -> bool:
    """Whether it sorts the counters that it names, or the places of one user."""
    return "FROM spend" in statement or "memberships.user_id = ?" in statement


async def statements_of(store: SqlStore, database: Database) -> dict[str, Any]:
    """Each statement that it takes, with the parameters of one time."""
    found: dict[str, Any] = {}

    def hear(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:
        found.setdefault(statement, parameters[0] if many else parameters)

    event.listen(database.engine.sync_engine, "before_cursor_execute", hear)
    await everything(store)
    event.remove(database.engine.sync_engine, "before_cursor_execute", hear)
    return {
        statement: parameters
        for statement, parameters in found.items()
        if re.match(r"SELECT|UPDATE|DELETE", statement)
        and "pg_notify" not in statement
        and "pg_catalog" not in statement
    }


async def test_sqlite_searches_by_an_index(sqlite_url: str) -> None:
    async with opened_database(sqlite_url, upgrade=True) as database, store_in(database, bare_ids_for="idp") as store:
        statements = await statements_of(store, database)
        assert len(statements) > 30
        async with database.reading() as connection:
            for statement, parameters in statements.items():
                plan = await connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
                for step in (row[-1] for row in plan):
                    scanned = re.match(r"SCAN (\w+)", step)
                    assert not scanned or scanned[1] in ONE_ROW or ("USING" in step and "LIMIT" in statement), (
                        statement, step,
                    )  # fmt: skip
                    assert "TEMP B-TREE FOR ORDER BY" not in step or sorts_few(statement), (statement, step)


async def test_postgresql_searches_by_an_index(postgresql_url: str) -> None:
    """Of tables that are not empty, with plans that scan made as dear as those of a million rows."""
    async with (
        opened_database(postgresql_url, upgrade=True) as database,
        store_in(database, bare_ids_for="idp") as store,
    ):
        statements = await statements_of(store, database)
        assert len(statements) > 30
        async with database.engine.connect() as connection:
            await connection.execute(text("SET enable_seqscan = off"))
            for statement, parameters in statements.items():
                for step in await _plan(connection, statement, parameters):
                    scanned = re.search(r"Seq Scan on (\w+)", step)
                    assert not scanned or scanned[1] in ONE_ROW, (statement, step)


async def _plan(connection: AsyncConnection, statement: str, parameters: Any) -> list[str]:
    return [row[0] for row in await connection.exec_driver_sql("EXPLAIN " + statement, tuple(parameters))]


async def test_a_scan_would_be_found(sqlite_url: str) -> None:
    async with opened_database(sqlite_url, upgrade=True) as database, database.reading() as connection:
        plan = await connection.exec_driver_sql("EXPLAIN QUERY PLAN SELECT * FROM users WHERE role = ?", ("x",))
        assert [row[-1] for row in plan] == ["SCAN users"]
