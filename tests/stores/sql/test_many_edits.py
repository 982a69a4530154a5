"""Many edits at once: as each alone, one after another, with few statements, and while others go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import event

from examples import examples
from stores.sql.making import TEAM, USER, apply, delete, place, put, touched
from stores.sql.test_history import EDITS, FIRST, NO_SHRINKING, OWNERS, bare, rows_of
from stores.support import Hands
from usherd.changes import Lookup, Sought
from usherd.errors import Fault
from usherd.facts import Organization, Rows, Team, User
from usherd.store import Edit, Row, Usage
from usherd.stores.sql.database import Database, opened_database
from usherd.stores.sql.sql_store import SqlStore, store_in
from usherd.stores.sql.touched import Touched

MANY = 1000
LONGEST = 0.015
"""Seconds without a turn: in a quiet process it is some 4 ms, and a collection of garbage may come in between."""


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are sent to it meanwhile."""
    sent: list[str] = []

    def send(*arguments: object) -> None:
        sent.append(str(arguments[2]))

    event.listen(database.engine.sync_engine, "before_cursor_execute", send)
    yield sent
    event.remove(database.engine.sync_engine, "before_cursor_execute", send)


def users(blocked: bool = False) -> list[Row]:
    return [
        User(id=f"u{number:04}", email="e", identities=(("idp", f"s{number}"),), organizations=("o",), blocked=blocked)
        for number in range(MANY)
    ]


async def test_many_edits_take_few_statements(store: SqlStore, database: Database) -> None:
    await apply(store, Organization(id="o"), Team(id="t", organization="o"))
    for rows in (users(), users(blocked=True), [place("t", f"u{number:04}", 5) for number in range(MANY)]):
        with counted(database) as sent:
            await apply(store, *rows)
        assert 0 < len(sent) < MANY / 10
    found = await store.get(USER, [("u0000",), (f"u{MANY - 1:04}",)])
    assert [each and (each.etag, each.row.teams, each.row.blocked) for each in found] == [("5", ("t",), True)] * 2  # type: ignore[union-attr]


async def test_others_go_on_while_many_edits_are_made(store: SqlStore) -> None:
    await apply(store, Organization(id="o"), Team(id="t", organization="o"))
    longest: list[float] = []
    for blocked in (False, True) * 3:
        edits = [put(row) for row in users(blocked)]
        async with watched(longest):
            await store.apply(edits)
    assert 0 < min(longest) < LONGEST


async def test_others_go_on_while_a_change_of_very_many_rows_is_read(store: SqlStore) -> None:
    await apply(store, Organization(id="o"), Team(id="t"), *users())
    await apply(store, *(place("t", f"u{number:04}") for number in range(MANY)))
    begun = await store.head()
    await store.apply([delete(TEAM, "t")])
    longest: list[float] = []
    for _ in range(3):
        async with watched(longest):
            changes = (await store.changes(begun)).changes
            touched = await Touched.by(changes, ["idp"])
    # Each user, and its place, and the team.
    assert len(changes) == 2 * MANY + 1
    assert len(touched.refs("idp")) > 3 * MANY
    assert 0 < min(longest) < LONGEST


@asynccontextmanager
async def watched(longest: list[float]) -> AsyncIterator[None]:
    """Adds how many seconds the block takes without a turn for others, at the most: by what the loop's thread is at, so
    that what other processes take is not in it."""

    async def look() -> None:
        since = time.thread_time()
        while True:
            await asyncio.sleep(0)
            longest[-1] = max(longest[-1], time.thread_time() - since)
            since = time.thread_time()

    looking = asyncio.create_task(look())
    longest.append(0.0)
    await asyncio.sleep(0)
    longest[-1] = 0.0
    yield
    looking.cancel()


Outcome = tuple[Rows, dict[object, object], set[Lookup]] | type[Fault]


async def outcome(steps: list[list[Edit]]) -> Outcome:
    """What the rows and budgets are after these transactions, and what was told to have changed; or what stopped
    them."""
    async with (
        opened_database("sqlite:///:memory:", upgrade=True, clock=Hands(now=1000.0)) as database,
        store_in(database, bare_ids_for="idp") as store,
    ):
        await store.apply([put(row) for row in FIRST])
        await store.record_usage([Usage(owner, 4) for owner in OWNERS])
        begun = await store.head()
        try:
            for step in steps:
                await store.apply(step)
        except Fault as fault:
            return type(fault)
        rows = await rows_of(store)
        spent: dict[object, object] = {owner: await store.usage(owner) for owner in OWNERS}
        return without_revisions(rows), spent, await touched(store, begun)


def without_revisions(rows: Rows) -> Rows:
    return Rows(
        organizations=tuple(map(bare, rows.organizations)),  # type: ignore[arg-type]
        teams=tuple(map(bare, rows.teams)),  # type: ignore[arg-type]
        users=tuple(map(bare, rows.users)),  # type: ignore[arg-type]
        end_users=tuple(map(bare, rows.end_users)),  # type: ignore[arg-type]
    )


@examples(
    60,
    phases=NO_SHRINKING,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(edits=st.lists(EDITS, min_size=2, max_size=8))
def test_edits_at_once_are_what_they_are_one_after_another(edits: list[Edit]) -> None:
    async def run() -> None:
        at_once = await outcome([edits])
        alone = await outcome([[edit] for edit in edits])
        if isinstance(at_once, type) or isinstance(alone, type):
            assert at_once is alone
            return
        assert at_once[:2] == alone[:2]
        # A budget that is at once as it was is not told; in steps, it is told twice.
        assert at_once[2] <= alone[2]
        assert {lookup.sought for lookup in alone[2] - at_once[2]} <= {Sought.BUDGET}

    asyncio.run(run())
