"""Fills a store that is empty, all at once and only once, however many begin with it at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Table, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.changes import ChangeKind
from usherd.facts import EndUser, Membership, Organization, Rows, Team, User, place_id
from usherd.store import Place
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database
from usherd.stores.sql.fetch import TABLES
from usherd.stores.sql.found_by import lookups_of_change
from usherd.stores.sql.rows import Values, kind_of, normal, row_id, values_of
from usherd.stores.sql.user_parts import PARTS, parts_of

FIRST = 1
"""The revision of a store that nobody has written to."""
BATCH = 2000
"""Records of one statement."""


async def seed(database: Database, rows: Rows) -> bool:
    """Makes these the rows of a store without any, and returns whether it had none. It says nothing to a store that has
    been written to, whatever is in it now. Raises DirectoryUnavailable.

    What a store cannot keep is left out: places of users, or in teams, that are not among the rows.
    """
    async with database.reading() as connection:
        if (await database.head(connection)).revision != FIRST:
            return False
    async with database.writing() as writing:
        if writing.revision != FIRST + 1:
            return False
        first = next((row for kind in _kinds(rows) for row in kind), None)
        if first is None:
            return False
        for kind in _kinds(rows):
            await _insert(writing.connection, kind, writing.revision)
        # One entry stands for all: who follows the log from before reads everything anew.
        name = place_id(first.team, first.user) if isinstance(first, Place) else row_id(first)[0]
        writing.changed(kind_of(first), name, ChangeKind.CREATED, lookups_of_change(None, first))
        await writing.connection.execute(update(schema.store).values(compacted=writing.revision))
    return True


Kind = Sequence[Organization] | Sequence[Team] | Sequence[User] | Sequence[Place] | Sequence[EndUser]


def _kinds(rows: Rows) -> tuple[Kind, ...]:
    """What names others comes after them."""
    return rows.organizations, rows.teams, rows.users, places_of(rows), rows.end_users


def places_of(rows: Rows) -> tuple[Place, ...]:
    """The places of users in teams, wherever the rows have them; a team's own word for one goes before a user's."""
    teams, users = {team.id for team in rows.teams}, {user.id for user in rows.users}
    places = {(team, user.id): Membership() for user in rows.users for team in user.teams}
    places |= {(team.id, user): place for team in rows.teams for user, place in team.members.items()}
    return tuple(
        Place(team=team, user=user, place=place)
        for (team, user), place in places.items()
        if team in teams and user in users
    )


async def _insert(connection: AsyncConnection, rows: Kind, revision: int) -> None:
    if not rows:
        return
    await _execute(connection, TABLES[kind_of(rows[0])], (values_of(normal(row), revision) for row in rows))
    users = [row for row in rows if isinstance(row, User)]
    if users:
        for table in PARTS:
            await _execute(connection, table, (part for user in users for part in parts_of(user, table)))


async def _execute(connection: AsyncConnection, table: Table, records: Iterable[Values]) -> None:
    rest = iter(records)
    for batch in _batches(rest):
        await connection.execute(insert(table), batch)


def _batches(records: Iterator[Values]) -> Iterator[list[Values]]:
    while batch := list(islice(records, BATCH)):
        yield batch
