"""The implementations of `ports.Directory`, and rows for them. Each that joins here keeps all promises of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from unittest.mock import patch

from usherd.changes import RowKind
from usherd.domain import Limit
from usherd.facts import EndUser, Membership, Organization, Rows, Team, User
from usherd.ports import Directory, Facts, Wanted
from usherd.store import Edit, Filter, Op, Place, Row
from usherd.stores.memory_directory import MemoryDirectory, new_store_id
from usherd.stores.sql import rows as rows_of
from usherd.stores.sql import sql_directory
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.sql_directory import Reading, opened_directory
from usherd.stores.sql.sql_store import SqlStore, store_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A directory, and the way to change all of its rows at once."""

    directory: Directory
    replace: Callable[[Rows], Awaitable[int]]


Open = Callable[[Rows, str | None], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def memory(rows: Rows, bare_ids_for: str | None) -> AsyncIterator[Opened]:
    directory = MemoryDirectory(new_store_id(), rows, bare_ids_for=bare_ids_for)

    async def replace(rows: Rows) -> int:
        return directory.replace(rows)

    yield Opened(directory=directory, replace=replace)


def kept(url: Callable[[], str]) -> Open:
    """A directory in a database, read by a replica."""

    @asynccontextmanager
    async def opened(rows: Rows, bare_ids_for: str | None) -> AsyncIterator[Opened]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(opened_database(url(), upgrade=True))
            store = await stack.enter_async_context(store_in(database, bare_ids_for=bare_ids_for))
            await make(store, rows)
            # How long a question waits for a busy disk is promised elsewhere.
            stack.enter_context(patch.object(sql_directory, "PATIENCE", 60.0))
            reading = Reading(max_staleness=60.0)
            shared = await stack.enter_async_context(opened_directory(store, reading, tell=lambda works, fields: None))
            house = shared.house(bare_ids_for)

            async def replace(rows: Rows) -> int:
                revision = await make(store, rows)
                await house.reach(store.id, revision)
                return revision

            yield Opened(directory=house, replace=replace)

    return opened


async def make(store: SqlStore, rows: Rows) -> int:
    """Makes these all rows of the store, and returns the revision."""
    wanted = {(rows_of.kind_of(row), rows_of.row_id(row)): row for row in _each(rows)}
    there = [
        (kind, rows_of.row_id(stored.row))
        for kind in (RowKind.MEMBERSHIP, RowKind.USER, RowKind.TEAM, RowKind.ORGANIZATION, RowKind.END_USER)
        for stored in (await store.page(kind, Filter(), limit=1000)).rows
    ]
    edits = [Edit(Op.DELETE, kind, row_id) for kind, row_id in there if (kind, row_id) not in wanted]
    edits += [Edit(Op.PUT, kind, row_id, row) for (kind, row_id), row in wanted.items()]
    return (await store.apply(edits)).revision


def _each(rows: Rows) -> Iterator[Row]:
    yield from rows.organizations
    yield from rows.teams
    yield from rows.users
    places = {(team, user.id): Membership() for user in rows.users for team in user.teams}
    places |= {(team.id, user): place for team in rows.teams for user, place in team.members.items()}
    for (team_id, user_id), place in places.items():
        yield Place(team=team_id, user=user_id, place=place)
    yield from rows.end_users


ROWS = Rows(
    organizations=(
        Organization(id="acme", alias="works"),
        Organization(id="closed", alias="works", blocked=True, limit=Limit(tpm=7)),
        Organization(id="plain"),
    ),
    teams=(
        Team(id="red", issuer="one", alias="colours", models=("*",), members={"u1": Membership(role="admin")}),
        Team(id="blue", issuer="two", alias="colours"),
        Team(id="grey", alias="colours", organization="acme", model_aliases={"fast": "small"}),
        Team(id="plain"),
    ),
    users=(
        User(id="u2", identities=(("two", "alice"),), sso_ids=("sso-alice", "sso-2"), email="alice@example.com"),
        User(id="u1", identities=(("one", "alice"), ("two", "a.lice")), teams=("red",), email="alice@example.com"),
        User(id="bob", sso_ids=("sso-2",), limit=Limit(max_budget_micro_usd=5)),
    ),
    end_users=(EndUser(id="customer", blocked=True),),
)


ISSUERS = ("one", "two", "three", "session")
IDS = ("alice", "a.lice", "u1", "u2", "bob", "nobody", "sso-alice", "sso-2", "a", "b", "s", "customer")
EMAILS = ("alice@example.com", "a@x", "Alice@example.com", "alice@example.com ", "alice")
NAMES = ("red", "blue", "grey", "plain", "acme", "closed", "customer")
ALIASES = ("colours", "works", "acme")


def wanted(*names: str) -> list[Wanted]:
    """All that is asked for in the tests of the port, and these names in every way."""
    ids = [*IDS, *names]
    found = [Wanted(issuer=issuer, user=user) for issuer in ISSUERS for user in ids]
    found += [Wanted(issuer="one", user="nobody", email=email) for email in EMAILS]
    found += [Wanted(issuer="one", organization_alias=alias, team_aliases=(alias,)) for alias in ALIASES]
    found += [Wanted(issuer="one", end_user=name) for name in [*NAMES, *names]]
    return [*found, Wanted(issuer="one", teams=(*NAMES, *names), organizations=(*NAMES, *names))]


async def facts_of(directory: Directory, *names: str) -> Facts:
    return await directory.facts(wanted(*names))
