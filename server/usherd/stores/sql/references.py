"""What rows may name, and who may be known by what."""

from __future__ import annotations

from collections.abc import Iterable

from usherd.changes import RowKind
from usherd.errors import AlreadyExists, BrokenReference
from usherd.facts import Organization, Team, User
from usherd.store import Place, Row
from usherd.stores.sql.known import Identity, Known


async def check_named(known: Known, row: Row, before: Row | None) -> None:
    """Raises BrokenReference if the row names what is not there; what it named before, it may go on naming."""
    match row:
        case Place() if before is None:
            await _there(known, RowKind.TEAM, {row.team})
            await _there(known, RowKind.USER, {row.user})
        case Team():
            named = {row.organization} - {before.organization if isinstance(before, Team) else ""}
            await _there(known, RowKind.ORGANIZATION, named - {""})
        case User():
            others = set(before.organizations) if isinstance(before, User) else set()
            await _there(known, RowKind.ORGANIZATION, set(row.organizations) - others)


def check_unnamed(known: Known, row: Row) -> None:
    """Raises BrokenReference if others name the row and would be left with the name."""
    if isinstance(row, Organization) and known.is_named(row.id):
        raise BrokenReference


def identities_of(user: User, bare_ids_for: str | None) -> tuple[Identity, ...]:
    """What the user is known by: users without identities, by their ids to the issuer `bare_ids_for`."""
    if not user.identities and bare_ids_for is not None:
        return ((bare_ids_for, user.id),)
    return user.identities


def namesakes_of(user: User, bare_ids_for: str | None) -> set[str]:
    """Ids of other users who would be known by one of this one's identities if they had none of their own."""
    theirs = identities_of(user, bare_ids_for)
    return {subject for issuer, subject in theirs if issuer == bare_ids_for} - {user.id}


async def check_identities(known: Known, user: User, bare_ids_for: str | None) -> None:
    """Raises AlreadyExists if another user is known by one of this one's identities.

    An identity is never taken from its user, which would give one person's rights to another.
    """
    for identity in identities_of(user, bare_ids_for):
        if await known.holder(identity) not in (None, user.id):
            raise AlreadyExists
    for namesake in namesakes_of(user, bare_ids_for):
        other = await known.row(RowKind.USER, (namesake,))
        if isinstance(other, User) and not other.identities:
            raise AlreadyExists


async def _there(known: Known, kind: RowKind, ids: Iterable[str]) -> None:
    for each in ids:
        if await known.row(kind, (each,)) is None:
            raise BrokenReference
