"""Replicas of one database: how soon they hear, what they say when it is away, and that they never tell what is not."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import update

from examples import examples
from stores.sql.making import apply, delete, place, put
from stores.sql.reading import ANN, replica
from tools.postgres import Postgres, Standby
from usherd.changes import Lookup, RowKind, Sought, lookup_of
from usherd.domain import Limit
from usherd.errors import DirectoryUnavailable, Fault
from usherd.facts import BudgetKind, BudgetOwner, EndUser, Organization, Team, User
from usherd.ports import Wanted
from usherd.store import Filter, Usage
from usherd.stores.sql import schema, wakes
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.entity_map import Fence
from usherd.stores.sql.needs import EVERYONE
from usherd.stores.sql.revocations import SqlRevocations
from usherd.stores.sql.snapshot import Found, snapshot_of
from usherd.stores.sql.sql_directory import Reading
from usherd.stores.sql.sql_facts import SqlFacts
from usherd.stores.sql.sql_store import SqlStore
from usherd.stores.sql.unusable import cause_of
from usherd.stores.sql.urls import address_of

RED = Team(id="red", models=("*",))
BLOCKED = Team(id="red", models=("*",), blocked=True)

OTHER_PROCESS = """\
    import asyncio, sys, time
    from stores.sql.making import apply
    from stores.sql.reading import replica
    from usherd.facts import Team

    async def main(url):
        async with replica(url) as here:
            await apply(here.store, Team(id="red", models=("*",), blocked=True))
            print(time.time(), flush=True)

    asyncio.run(main(sys.argv[1]))
"""


async def test_a_change_of_another_process_is_read_within_moments(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(textwrap.dedent(OTHER_PROCESS))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    async with replica(sqlite_url) as here:
        await apply(here.store, RED)
        await here.house.reach(here.store.id, 2)
        assert await here.blocked() is False
        other = await asyncio.create_subprocess_exec(
            sys.executable, str(tmp_path / "other.py"), sqlite_url, stdout=asyncio.subprocess.PIPE, env=environment
        )
        try:
            await here.blocked_within(60)
            read = time.time()
            told, _ = await other.communicate()
        finally:
            if other.returncode is None:
                other.kill()

    # It looks five times a second; the rest is what a busy machine may take.
    assert read - float(told) < 0.2 + 1.5


async def test_a_notification_is_heard_long_before_anybody_looks(postgresql_url: str) -> None:
    reading = Reading(max_staleness=60.0)
    async with replica(postgresql_url, reading) as one, replica(postgresql_url, reading) as other:
        other.shared.feed._every = 30.0
        await apply(one.store, RED)
        await other.house.reach(one.store.id, await one.store.head())
        assert await other.blocked() is False
        await other.shared.feed.catch_up()
        await asyncio.sleep(0.2)

        await apply(one.store, BLOCKED)

        assert await other.blocked_within(20) < 10


@pytest.fixture(name="own_postgres")
def _own_postgres() -> Iterator[Postgres]:
    """A server that a test may stop: nobody else's."""
    with Postgres() as postgres:
        yield postgres


async def test_a_database_that_hangs_or_is_gone_is_a_fault_and_then_all_is_well_again(own_postgres: Postgres) -> None:
    async with replica(own_postgres.new_database(), Reading(max_staleness=1.0)) as here:
        await apply(here.store, RED)
        await here.house.reach(here.store.id, 2)
        assert await here.blocked() is False

        own_postgres.freeze()
        # What is known counts a little while, and then no longer.
        assert await here.blocked() is False
        await asyncio.sleep(1.2)
        begun = time.perf_counter()
        assert here.house.at_hand() is None
        with pytest.raises(DirectoryUnavailable):
            await here.blocked()
        assert time.perf_counter() - begun < 0.5
        own_postgres.thaw()
        await answered(here.blocked, 30)

        own_postgres.kill()
        await asyncio.sleep(1.2)
        with pytest.raises(DirectoryUnavailable):
            await here.blocked()
        own_postgres.start()
        await answered(here.blocked, 30)
        await apply(here.store, BLOCKED)
        await here.blocked_within(30)
        # Of what else failed meanwhile, the listener's connection among it, it is told when that works again.
        async with asyncio.timeout(30):
            while not here.told[-1]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    assert here.told[0] is False


async def test_a_row_that_cannot_be_loaded_is_a_fault_even_while_the_rest_is_fresh(own_postgres: Postgres) -> None:
    async with replica(own_postgres.new_database(), Reading(max_staleness=60.0)) as here:
        await apply(here.store, RED)
        await here.house.reach(here.store.id, 2)
        assert await here.blocked() is False
        own_postgres.freeze()
        try:
            begun = time.perf_counter()
            with pytest.raises(DirectoryUnavailable):
                await here.house.facts([Wanted(issuer="idp", user="bob", teams=("blue",))])
            waited = time.perf_counter() - begun
            # What is known needs no database.
            assert await here.blocked() is False
        finally:
            own_postgres.thaw()

    assert waited < 8


async def test_a_standby_that_is_behind_is_never_taken_for_the_store(own_postgres: Postgres) -> None:
    url = own_postgres.new_database()
    with Standby(own_postgres) as standby:
        async with replica(f"{url},{quote(str(standby.sockets), safe='')}", Reading(max_staleness=1.0)) as here:
            await apply(here.store, RED)
            await asyncio.to_thread(standby.until_it_has, own_postgres)
            standby.sql("SELECT pg_wal_replay_pause()")
            await apply(here.store, BLOCKED)
            await here.blocked_within(30)

            own_postgres.kill()
            # It is the only one now that answers, and there the team is not blocked.
            with pytest.raises(DirectoryUnavailable):
                async with replica(standby.url(urlsplit(url).path[1:])):
                    pass
            heard: set[bool | None] = set()
            async with asyncio.timeout(30):
                with suppress(DirectoryUnavailable):
                    while True:
                        heard.add(await here.blocked())
                        await asyncio.sleep(0.05)
            with pytest.raises(DirectoryUnavailable):
                await here.store.get(RowKind.TEAM, [("red",)])
            own_postgres.start()
            await answered(here.blocked, 30)
            assert await here.blocked() is True

    assert heard <= {True}
    assert here.told[0] is False


async def test_notifications_are_heard_again_after_none_but_a_standby_had_answered(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakes, "_RETRY", 0.05)
    url = own_postgres.new_database()
    name = urlsplit(url).path[1:]
    woken = asyncio.Event()
    with Standby(own_postgres) as standby:
        async with opened_database(url, upgrade=True) as database, wakes.woken(database, woken.set):
            await asyncio.wait_for(woken.wait(), 30)
            there, away = database.address, Asked(address_of(standby.url(name)).dsn)
            monkeypatch.setattr(database, "address", away)
            own_postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            async with asyncio.timeout(30):
                while away.times < 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            woken.clear()
            monkeypatch.setattr(database, "address", there)
            await asyncio.wait_for(woken.wait(), 30)


class Asked:
    """An address that counts how often it is tried."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.times = 0

    @property
    def dsn(self) -> str:
        self.times += 1
        return self._dsn


async def answered(ask: Callable[[], Awaitable[object]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            try:
                await ask()
            except Fault:
                await asyncio.sleep(0.05)
            else:
                return


TEAMS, USERS, ORGANIZATIONS = ("a", "b"), ("u", "v"), ("o", "p")
limits = st.sampled_from([Limit(), Limit(max_budget_micro_usd=10), Limit(max_budget_micro_usd=0)])
aliases = st.sampled_from(["", "x"])
STEPS = st.one_of(
    st.builds(lambda **row: [put(Organization(**row))], id=st.sampled_from(ORGANIZATIONS), alias=aliases, limit=limits),
    st.builds(
        lambda **row: [put(Team(**row))],
        id=st.sampled_from(TEAMS),
        issuer=st.sampled_from([None, "idp", "two"]),
        alias=aliases,
        limit=limits,
    ),
    st.builds(
        lambda **row: [put(User(**row))],
        id=st.sampled_from(USERS),
        identities=st.sampled_from([(), (("idp", "v"),), (("idp", "s"), ("two", "u"))]),
        sso_ids=st.sampled_from([(), ("s",)]),
        email=st.sampled_from(["", "e"]),
        limit=limits,
    ),
    st.builds(
        lambda team, user, maximum: [put(place(team, user, maximum))],
        st.sampled_from(TEAMS),
        st.sampled_from(USERS),
        st.sampled_from([None, 0, 10]),
    ),
    st.builds(lambda **row: [put(EndUser(**row))], id=st.just("c"), blocked=st.booleans(), limit=limits),
    st.builds(
        lambda kind, name: [delete(kind, name)],
        st.sampled_from([RowKind.TEAM, RowKind.USER, RowKind.ORGANIZATION]),
        st.sampled_from([*TEAMS, *USERS, *ORGANIZATIONS]),
    ),
    st.builds(
        lambda team, user: [delete(RowKind.MEMBERSHIP, team, user)], st.sampled_from(TEAMS), st.sampled_from(USERS)
    ),
    st.builds(Usage, st.builds(BudgetOwner, st.just(BudgetKind.TEAM), st.sampled_from(TEAMS)), st.just(7)),
    st.builds(
        Usage,
        st.builds(BudgetOwner, st.just(BudgetKind.MEMBER), st.sampled_from(USERS), st.sampled_from(TEAMS)),
        st.just(7),
    ),
)
QUESTIONS = st.lists(
    st.builds(
        Wanted,
        issuer=st.sampled_from(["idp", "two", "session"]),
        user=st.sampled_from([None, "u", "v", "s"]),
        email=st.sampled_from([None, "e"]),
        teams=st.sampled_from([(), ("a",), ("b", "a")]),
        team_aliases=st.sampled_from([(), ("x",)]),
        organizations=st.sampled_from([(), ("o",)]),
        organization_alias=st.sampled_from([None, "x"]),
        end_user=st.sampled_from([None, "c"]),
    ),
    min_size=1,
    max_size=3,
)
ALL = [
    EVERYONE,
    *(Lookup(Sought.TEAM, ("", each)) for each in TEAMS),
    *(Lookup(Sought.USER, (each,)) for each in (*USERS, "s")),
    *(Lookup(Sought.ORGANIZATION, (each,)) for each in ORGANIZATIONS),
    *(Lookup(Sought.USER_IDENTITY, (issuer, each)) for issuer in ("idp", "two") for each in (*USERS, "s")),
    *(Lookup(Sought.USER_SSO, (each,)) for each in (*USERS, "s")),
    *(Lookup(Sought.MEMBERSHIP, (team, user)) for team in TEAMS for user in USERS),
    *(lookup_of(BudgetOwner(BudgetKind.MEMBER, user, team)) for team in TEAMS for user in USERS),
    *(lookup_of(BudgetOwner(BudgetKind.TEAM, each)) for each in TEAMS),
    *(lookup_of(BudgetOwner(BudgetKind.USER, each)) for each in USERS),
    *(lookup_of(BudgetOwner(BudgetKind.ORGANIZATION, each)) for each in ORGANIZATIONS),
    lookup_of(BudgetOwner(BudgetKind.END_USER, "c")),
    Lookup(Sought.TEAM_ALIAS, ("", "x")),
    Lookup(Sought.ORGANIZATION_ALIAS, ("x",)),
    Lookup(Sought.USER_EMAIL, ("e",)),
    Lookup(Sought.END_USER, ("c",)),
]


@examples(60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(STEPS, st.booleans()), max_size=14), st.lists(QUESTIONS, min_size=1, max_size=3))
def test_at_every_moment_facts_are_a_fresh_read_at_the_same_revision(
    steps: list[tuple[Any, bool]], questions: list[list[Wanted]]
) -> None:
    asyncio.run(told_and_read(steps, questions))


async def told_and_read(steps: list[tuple[Any, bool]], questions: list[list[Wanted]]) -> None:
    """Changes are made one by one; between and beside them questions are asked. What they were told is compared with
    the whole directory as it was at that revision."""
    truth: dict[int, dict[Lookup, Found]] = {}
    told: list[SqlFacts] = []
    async with replica("sqlite:///:memory:", Reading(entities=1000)) as here:

        async def ask() -> None:
            told.extend([await here.house.facts(question) for question in questions])

        async def write_down() -> None:
            async with snapshot_of(here.store.database) as snapshot:
                truth[snapshot.revision] = await snapshot.find(ALL)

        await write_down()
        for step, beside in steps:
            asking = asyncio.create_task(ask()) if beside else None
            with suppress(Fault):
                await (here.store.record_usage([step]) if isinstance(step, Usage) else here.store.apply(step))
            await write_down()
            if asking is not None:
                await asking
            await ask()
        await here.house.reach(here.store.id, max(truth))
        await ask()
    for facts in told:
        for key, found in facts.found.items():
            assert found == truth[facts.revision][key], (facts.revision, key)


async def test_the_same_schedule_without_fences_tells_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load reads the team; the team is blocked, and the replica hears of it; only then the load ends."""

    async def overtaken() -> bool | None:
        async with replica("sqlite:///:memory:") as here:
            await apply(here.store, RED)
            await here.house.reach(here.store.id, 2)
            loads = here.shared.loads
            reach = loads._reach

            async def late(revision: int, life: object) -> None:
                await reach(revision, life)
                if await here.store.head() == 2:
                    await apply(here.store, BLOCKED)
                    await reach(3, life)

            loads._reach = late
            await loads.load([ANN], "idp", [Lookup(Sought.TEAM, ("", "red"))])
            return await here.blocked()

    assert await overtaken() is True
    monkeypatch.setattr(Fence, "lets", lambda *_: True)
    assert await overtaken() is False


async def test_another_store_in_the_place_of_the_one_that_was_opened_is_a_fault_until_that_one_is_back(
    shared_url: str,
) -> None:
    async with replica(shared_url, Reading(max_staleness=1.0)) as here:
        await apply(here.store, RED)
        assert await here.blocked() is False
        store, feed = here.store, here.shared.feed
        spent = [Usage(BudgetOwner(BudgetKind.TEAM, "red"), 5)]
        revocations = SqlRevocations(store.database)
        await is_now(store, "another")

        async with asyncio.timeout(30):
            while feed.fresh:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        # Neither what is at hand nor what would be read now is told, and nothing is written into the other.
        for attempt in (
            here.blocked(),
            store.head(),
            store.apply([put(BLOCKED)]),
            store.record_usage(spent),
            store.page(RowKind.TEAM, Filter()),
            revocations.snapshot(),
        ):
            with pytest.raises(DirectoryUnavailable) as raised:
                await attempt
        assert "expected a restart, or that database" in cause_of(raised.value)

        await is_now(store, store.id)
        await answered(here.blocked, 30)
        assert await here.blocked() is False

    assert here.told[0] is False


async def is_now(store: SqlStore, store_id: str) -> None:
    async with store.database.engine.begin() as connection:
        await connection.execute(update(schema.store).values(id=store_id))
