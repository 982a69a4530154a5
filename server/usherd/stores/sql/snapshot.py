"""Loads what readers of the directory have looked for and not found in memory: many look-ups in one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.changes import Lookup, RowKind, Sought
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, EndUser, Membership, Organization, Team, User
from usherd.store import ModelRow, Place, RowId
from usherd.stores.sql import schema
from usherd.stores.sql.batches import batches, one_of
from usherd.stores.sql.budget_rows import states_of
from usherd.stores.sql.database import Database
from usherd.stores.sql.failures import telling_failures
from usherd.stores.sql.fetch import fetch, fetch_where

Found = (
    Organization | Team | User | Membership | EndUser | ModelRow | BudgetState
    | tuple[Organization, ...] | tuple[Team, ...] | None
)  # fmt: skip
"""What a look-up finds. By an alias: all, sorted by id, none is an empty tuple. By an id: the row, or None; a team is
found whichever issuer the look-up names, since the reader knows who may claim it (`Team.issuer`). By a single sign-on
id or an address: the user with the least id. A place without its ids; a budget's state, which is never None."""


class Loaded(NamedTuple):
    """What look-ups find."""

    revision: int
    """Everything is of that revision."""
    found: Mapping[Lookup, Found]
    """For each look-up that was asked for."""


_BY_ID = {
    Sought.ORGANIZATION: RowKind.ORGANIZATION,
    Sought.TEAM: RowKind.TEAM,
    Sought.USER: RowKind.USER,
    Sought.MEMBERSHIP: RowKind.MEMBERSHIP,
    Sought.END_USER: RowKind.END_USER,
    Sought.MODEL: RowKind.MODEL,
}
_BY_ALIAS = {Sought.ORGANIZATION_ALIAS: RowKind.ORGANIZATION, Sought.TEAM_ALIAS: RowKind.TEAM}
_ALIASES: Mapping[RowKind, ColumnElement[str]] = {
    RowKind.ORGANIZATION: schema.organizations.c.alias,
    RowKind.TEAM: schema.teams.c.alias,
}


class Snapshot:
    """A database as it is at one revision."""

    def __init__(self, connection: AsyncConnection, revision: int) -> None:
        self._connection = connection
        self.revision = revision

    async def find(self, lookups: Sequence[Lookup], bare_ids_for: str | None = None) -> dict[Lookup, Found]:
        """What these look-ups find under a policy whose only issuer has that name (None: it has several).

        Raises DirectoryUnavailable; ValueError for what is no look-up of the directory.
        """
        with telling_failures():
            return await _find(self._connection, lookups, bare_ids_for)


@asynccontextmanager
async def snapshot_of(database: Database) -> AsyncIterator[Snapshot]:
    """The database as it is now, for as long as the block lasts. Raises DirectoryUnavailable."""
    async with database.reading() as connection:
        yield Snapshot(connection, (await database.head(connection)).revision)


async def load(database: Database, lookups: Sequence[Lookup], bare_ids_for: str | None) -> Loaded:
    """What these look-ups find under a policy whose only issuer has that name (None: it has several).

    Revocations and sessions are not looked up here. Raises DirectoryUnavailable; ValueError for what is no look-up of
    the directory.
    """
    async with snapshot_of(database) as snapshot:
        return Loaded(snapshot.revision, await snapshot.find(lookups, bare_ids_for))


async def _find(
    connection: AsyncConnection, lookups: Sequence[Lookup], bare_ids_for: str | None
) -> dict[Lookup, Found]:
    by_sought: dict[Sought, list[Lookup]] = defaultdict(list)
    for lookup in lookups:
        by_sought[lookup.sought].append(lookup)
    found: dict[Lookup, Found] = {}
    users: dict[Lookup, str] = {}
    for sought, wanted in by_sought.items():
        if sought is Sought.USER_IDENTITY:
            users |= await _by_identity(connection, wanted, bare_ids_for)
        elif sought in (Sought.USER_SSO, Sought.USER_EMAIL):
            users |= await _by_least_id(connection, sought, wanted)
        elif sought is Sought.BUDGET:
            found |= await _budgets(connection, wanted)
        elif sought in _BY_ALIAS:
            found |= await _by_alias(connection, _BY_ALIAS[sought], wanted)
        elif sought is not Sought.USER:
            found |= await _by_id(connection, sought, wanted)
    users |= {lookup: lookup.key[0] for lookup in by_sought[Sought.USER]}
    rows = await fetch(connection, RowKind.USER, ((user,) for user in users.values()))
    for lookup in lookups:
        if lookup in users:
            found[lookup] = _as_found(rows.get((users[lookup],)))
        else:
            found.setdefault(lookup, None)
    return found


def _id_of(lookup: Lookup) -> RowId:
    return lookup.key[1:] if lookup.sought is Sought.TEAM else lookup.key


def _as_found(row: object) -> Any:
    return row.place if isinstance(row, Place) else row


async def _by_id(connection: AsyncConnection, sought: Sought, wanted: list[Lookup]) -> dict[Lookup, Found]:
    if sought not in _BY_ID:
        raise ValueError(f"{sought.name}: the directory is not looked up by it")
    rows = await fetch(connection, _BY_ID[sought], map(_id_of, wanted))
    return {lookup: _as_found(rows.get(_id_of(lookup))) for lookup in wanted}


async def _by_alias(connection: AsyncConnection, kind: RowKind, wanted: list[Lookup]) -> dict[Lookup, Found]:
    rows = await fetch_where(connection, kind, _ALIASES[kind], (lookup.key[-1] for lookup in wanted))
    same: dict[str, list[Any]] = defaultdict(list)
    for _, row in sorted(rows.items()):
        if isinstance(row, Organization | Team):
            same[row.alias].append(row)
    return {lookup: tuple(same[lookup.key[-1]]) for lookup in wanted}


async def _by_identity(
    connection: AsyncConnection, wanted: list[Lookup], bare_ids_for: str | None
) -> dict[Lookup, str]:
    identities = schema.user_identities.c
    users: dict[RowId, str] = {}
    for batch in batches(lookup.key for lookup in wanted):
        condition = one_of((identities.issuer, identities.subject), batch)
        for record in await connection.execute(select(schema.user_identities).where(condition)):
            users[record.issuer, record.subject] = record.user_id
    bare = [each.key[1] for each in wanted if each.key[0] == bare_ids_for and each.key not in users]
    for user in await _without_identities(connection, bare):
        users[bare_ids_for or "", user] = user
    return {lookup: users[lookup.key] for lookup in wanted if lookup.key in users}


async def _without_identities(connection: AsyncConnection, ids: Iterable[str]) -> list[str]:
    found: list[str] = []
    theirs = select(schema.user_identities.c.user_id).where(schema.user_identities.c.user_id == schema.users.c.id)
    for batch in batches(ids):
        found += await connection.scalars(
            select(schema.users.c.id).where(schema.users.c.id.in_(batch), ~theirs.exists())
        )
    return found


async def _by_least_id(connection: AsyncConnection, sought: Sought, wanted: list[Lookup]) -> dict[Lookup, str]:
    table: Table = schema.user_sso_ids if sought is Sought.USER_SSO else schema.users
    key, user = (table.c.sso_id, table.c.user_id) if sought is Sought.USER_SSO else (table.c.email, table.c.id)
    least: dict[str, str] = {}
    for batch in batches(lookup.key[0] for lookup in wanted if lookup.key[0]):
        for text, user_id in await connection.execute(select(key, user).where(key.in_(batch))):
            least[text] = min(user_id, least.get(text, user_id))
    return {lookup: least[lookup.key[0]] for lookup in wanted if lookup.key[0] in least}


async def _budgets(connection: AsyncConnection, wanted: list[Lookup]) -> dict[Lookup, Found]:
    owners = {lookup: BudgetOwner(BudgetKind[lookup.key[0].upper()], *lookup.key[1:]) for lookup in wanted}
    states = await states_of(connection, owners.values())
    return {lookup: states[owner] for lookup, owner in owners.items()}
