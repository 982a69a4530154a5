"""By which look-ups a row is found: when it changes, they find something else."""

from __future__ import annotations

from usherd.changes import Lookup, Sought
from usherd.facts import EndUser, Organization, Team, User
from usherd.store import ModelRow, Place, Row


def lookups_of(row: Row) -> tuple[Lookup, ...]:
    """Every look-up that finds the row, or that finds another instead where several have one name.

    Of a row that changed, those of what it was before are asked for, too. What its budget's state becomes is not in it,
    nor are a team's places, which are rows.
    """
    match row:
        case Organization():
            return _named(Sought.ORGANIZATION, Sought.ORGANIZATION_ALIAS, (), row.id, row.alias)
        case Team():
            return _named(Sought.TEAM, Sought.TEAM_ALIAS, (row.issuer or "",), row.id, row.alias)
        case User():
            found = [Lookup(Sought.USER, (row.id,))]
            found += [Lookup(Sought.USER_IDENTITY, identity) for identity in row.identities]
            found += [Lookup(Sought.USER_SSO, (sso_id,)) for sso_id in row.sso_ids]
            if row.email:
                found.append(Lookup(Sought.USER_EMAIL, (row.email,)))
            return tuple(found)
        case Place():
            return (Lookup(Sought.MEMBERSHIP, (row.team, row.user)),)
        case EndUser():
            return (Lookup(Sought.END_USER, (row.id,)),)
        case ModelRow():
            return (Lookup(Sought.MODEL, (row.name,)),)


def _named(by_id: Sought, by_alias: Sought, scope: tuple[str, ...], row_id: str, alias: str) -> tuple[Lookup, ...]:
    found = (Lookup(by_id, (*scope, row_id)),)
    return (*found, Lookup(by_alias, (*scope, alias))) if alias else found
