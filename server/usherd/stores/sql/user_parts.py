"""What other tables have of a user: identities, single sign-on ids, organizations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Table

from usherd.facts import User
from usherd.stores.sql import schema
from usherd.stores.sql.rows import Values


def parts_of(user: User | None, table: Table) -> list[Values]:
    """What one of these tables has of the user."""
    return [] if user is None else PARTS[table](user)


def difference(before: User | None, now: User | None, table: Table) -> tuple[list[Values], list[Values]]:
    """What the table has too much of the user, and what it lacks."""
    then, since = parts_of(before, table), parts_of(now, table)
    return [each for each in then if each not in since], [each for each in since if each not in then]


def _identities(user: User) -> list[Values]:
    return [{"issuer": issuer, "subject": subject, "user_id": user.id} for issuer, subject in user.identities]


def _sso_ids(user: User) -> list[Values]:
    return [{"sso_id": sso_id, "user_id": user.id} for sso_id in user.sso_ids]


def _organizations(user: User) -> list[Values]:
    return [
        {"user_id": user.id, "organization_id": each, "administers": each in user.administers}
        for each in user.organizations
    ]


PARTS: Mapping[Table, Callable[[User], list[Values]]] = {
    schema.user_identities: _identities,
    schema.user_sso_ids: _sso_ids,
    schema.user_organizations: _organizations,
}
