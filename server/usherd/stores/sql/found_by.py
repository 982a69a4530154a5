"""What a row is found by: the look-ups that find something else when it changes."""

from __future__ import annotations

from collections.abc import Iterator

from usherd.changes import Lookup, Sought
from usherd.facts import EndUser, Organization, Team, User
from usherd.store import ModelRow, Place, Row


def lookups_of(row: Row) -> Iterator[Lookup]:
    """All look-ups that find this row, or would if no other came first."""
    match row:
        case Organization():
            yield Lookup(Sought.ORGANIZATION, (row.id,))
            if row.alias:
                yield Lookup(Sought.ORGANIZATION_ALIAS, (row.alias,))
        case Team():
            yield Lookup(Sought.TEAM, (row.issuer or "", row.id))
            if row.alias:
                yield Lookup(Sought.TEAM_ALIAS, (row.issuer or "", row.alias))
        case User():
            yield Lookup(Sought.USER, (row.id,))
            for identity in row.identities:
                yield Lookup(Sought.USER_IDENTITY, identity)
            for sso_id in row.sso_ids:
                yield Lookup(Sought.USER_SSO, (sso_id,))
            if row.email:
                yield Lookup(Sought.USER_EMAIL, (row.email,))
        case Place():
            yield Lookup(Sought.MEMBERSHIP, (row.team, row.user))
        case EndUser():
            yield Lookup(Sought.END_USER, (row.id,))
        case ModelRow():
            yield Lookup(Sought.MODEL, (row.name,))


def lookups_of_change(before: Row | None, after: Row | None) -> tuple[Lookup, ...]:
    """All that find something else since the row is `after` and no longer `before`, each once."""
    found = dict.fromkeys(each for row in (before, after) if row is not None for each in lookups_of(row))
    return tuple(found)
