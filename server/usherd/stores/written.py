"""What single writes make of the rows. Made again, they change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from usherd.facts import Team, User, Write, WriteKind
from usherd.stores.tables import Tables


def written(tables: Tables, writes: Sequence[Write], revision: int) -> Tables:
    """The rows with these writes made, in their order; changed rows have this revision.

    The same object when they change nothing. Raises ValueError for a row that no such write can be about.
    """
    for write in writes:
        tables = _written(tables, write, revision)
    return tables


def _written(tables: Tables, write: Write, revision: int) -> Tables:
    row = write.row
    if not row.id:
        raise ValueError(f"{write.kind.value}: the id is empty")
    match write.kind, row:
        case WriteKind.CREATE_USER, User():
            return _with_new_user(tables, row, revision)
        case WriteKind.UPDATE_USER, User():
            return _with_role_and_teams(tables, row, revision)
        case WriteKind.CREATE_TEAM, Team():
            return tables if tables.teams.get(row.id) is not None else tables.with_team(row, revision)
    raise ValueError(f"{write.kind.value}: a row of another kind")


def _with_new_user(tables: Tables, user: User, revision: int) -> Tables:
    """Whoever has the id, or one of the identities, came first, and nothing is left to do.

    It is no fault: it happens when two gateways see somebody new at once. An identity is never taken from its user,
    which would give one person's rights to another.
    """
    taken = tables.users.get(user.id) is not None or any(
        tables.identities.get(identity) is not None for identity in tables.identities_of(user)
    )
    return tables if taken else tables.with_user(user, revision)


def _with_role_and_teams(tables: Tables, user: User, revision: int) -> Tables:
    """All else of the row stays; and all of it, if it has changed since it was read at the revision that is given.

    Otherwise a role that was taken away meanwhile would come back. The next question says anew what is to be written.
    """
    now = tables.users.get(user.id)
    if now is None or (now.role, now.teams) == (user.role, user.teams):
        return tables
    if user.revision and user.revision != now.revision:
        return tables
    return tables.with_user(replace(now, role=user.role, teams=user.teams), revision)
