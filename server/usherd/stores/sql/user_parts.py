"""What other tables have of a user: identities, single sign-on ids, organizations."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Table, delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.facts import User
from usherd.stores.sql import schema
from usherd.stores.sql.rows import Values


async def write_parts(connection: AsyncConnection, user: User, before: User | None) -> None:
    """Makes them the user's; `before` is the user whose they were until now."""
    for table, now, then in (
        (schema.user_identities, _identities(user), _identities(before)),
        (schema.user_sso_ids, _sso_ids(user), _sso_ids(before)),
        (schema.user_organizations, _organizations(user), _organizations(before)),
    ):
        if now != then:
            await _replace(connection, table, user.id, now, then)


def parts_of(user: User, table: Table) -> list[Values]:
    """What one of these tables has of the user."""
    read = {
        schema.user_identities: _identities,
        schema.user_sso_ids: _sso_ids,
        schema.user_organizations: _organizations,
    }
    return [{**each, "user_id": user.id} for each in read[table](user)]


async def _replace(
    connection: AsyncConnection, table: Table, user: str, now: Iterable[Values], then: Iterable[Values]
) -> None:
    if then:
        await connection.execute(delete(table).where(table.c.user_id == user))
    if values := [{**each, "user_id": user} for each in now]:
        await connection.execute(insert(table), values)


def _identities(user: User | None) -> list[Values]:
    return [] if user is None else [{"issuer": issuer, "subject": subject} for issuer, subject in user.identities]


def _sso_ids(user: User | None) -> list[Values]:
    return [] if user is None else [{"sso_id": sso_id} for sso_id in user.sso_ids]


def _organizations(user: User | None) -> list[Values]:
    if user is None:
        return []
    return [{"organization_id": each, "administers": each in user.administers} for each in user.organizations]
