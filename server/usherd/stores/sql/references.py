"""What rows may name, and who may be known by what."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.errors import AlreadyExists, BrokenReference
from usherd.facts import Organization, Team, User
from usherd.store import Place, Row
from usherd.stores.sql import schema
from usherd.stores.sql.batches import batches, one_of


async def check_named(connection: AsyncConnection, row: Row, before: Row | None) -> None:
    """Raises BrokenReference if the row names what is not there; what it named before, it may go on naming."""
    match row:
        case Place() if before is None:
            await _there(connection, schema.teams.c.id, {row.team})
            await _there(connection, schema.users.c.id, {row.user})
        case Team():
            named = {row.organization} - {before.organization if isinstance(before, Team) else ""}
            await _there(connection, schema.organizations.c.id, named - {""})
        case User():
            known = set(before.organizations) if isinstance(before, User) else set()
            await _there(connection, schema.organizations.c.id, set(row.organizations) - known)


async def check_unnamed(connection: AsyncConnection, row: Row) -> None:
    """Raises BrokenReference if others name the row and would be left with the name."""
    if isinstance(row, Organization):
        teams, places = schema.teams.c, schema.user_organizations.c
        await _none(connection, select(literal(1)).where(teams.organization == row.id), BrokenReference)
        await _none(connection, select(literal(1)).where(places.organization_id == row.id), BrokenReference)


async def check_identities(connection: AsyncConnection, user: User, bare_ids_for: str | None) -> None:
    """Raises AlreadyExists if another user is known by one of this one's identities.

    An identity is never taken from its user, which would give one person's rights to another. Users without identities
    are known by their ids to the issuer `bare_ids_for`.
    """
    identities, users = schema.user_identities.c, schema.users.c
    theirs = user.identities
    if not theirs and bare_ids_for is not None:
        theirs = ((bare_ids_for, user.id),)
    for batch in batches(theirs):
        taken = and_(one_of((identities.issuer, identities.subject), batch), identities.user_id != user.id)
        await _none(connection, select(literal(1)).where(taken), AlreadyExists)
    bare = {subject for issuer, subject in theirs if issuer == bare_ids_for} - {user.id}
    named = select(identities.user_id).where(identities.user_id == users.id)
    for subjects in batches(sorted(bare)):
        await _none(connection, select(literal(1)).where(users.id.in_(subjects), ~named.exists()), AlreadyExists)


async def _there(connection: AsyncConnection, column: ColumnElement[str], ids: set[str]) -> None:
    found = 0
    for batch in batches(sorted(ids)):
        found += len((await connection.scalars(select(column).where(column.in_(batch)))).all())
    if found != len(ids):
        raise BrokenReference


async def _none(connection: AsyncConnection, query: Select[Any], error: type[AlreadyExists | BrokenReference]) -> None:
    if await connection.scalar(query.limit(1)) is not None:
        raise error
