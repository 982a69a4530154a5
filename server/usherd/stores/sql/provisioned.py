"""What single writes make of the rows, as `stores/written.py` does in memory. Made again, they change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from usherd.changes import RowKind
from usherd.errors import AlreadyExists
from usherd.facts import Membership, Team, User, Write, WriteKind
from usherd.store import Edit, Op, Place
from usherd.stores.sql.edits import Editing

MAX_ADDRESS = 254
"""Characters of an e-mail address (RFC 5321, with the errata of it)."""


async def write(editing: Editing, writes: Sequence[Write]) -> None:
    """Makes these writes, in their order, but teams before the users who are to have a place in them.

    A place in a team that is not there cannot be kept, and is left out. Raises ValueError for a row that no such write
    can be about.
    """
    for each in sorted(writes, key=lambda write: write.kind is not WriteKind.CREATE_TEAM):
        if not each.row.id:
            raise ValueError(f"{each.kind.value}: the id is empty")
        match each.kind, each.row:
            case WriteKind.CREATE_USER, User() as user:
                await _create_user(editing, user)
            case WriteKind.UPDATE_USER, User() as user:
                await _update_user(editing, user)
            case WriteKind.CREATE_TEAM, Team() as team:
                if await editing.row(RowKind.TEAM, (team.id,)) is None:
                    await editing.put(team, dangling=True)
            case _:
                raise ValueError(f"{each.kind.value}: a row of another kind")


async def _create_user(editing: Editing, user: User) -> None:
    """Whoever has the id, or one of the identities, came first, and nothing is left to do."""
    if await editing.row(RowKind.USER, (user.id,)) is not None:
        return
    try:
        await editing.put(_fitting(user), dangling=True)
    except AlreadyExists:
        return
    await _place(editing, user.id, user.teams)


async def _update_user(editing: Editing, user: User) -> None:
    """All else of the row stays; and all of it, if it has changed since it was read at the revision that is given."""
    now = await editing.row(RowKind.USER, (user.id,))
    if not isinstance(now, User) or (user.revision and user.revision != now.revision):
        return
    await editing.put(replace(now, role=user.role), dangling=True)
    for team in sorted(set(now.teams) - set(user.teams)):
        await _leave(editing, user.id, team)
    await _place(editing, user.id, tuple(set(user.teams) - set(now.teams)))


async def _place(editing: Editing, user: str, teams: tuple[str, ...]) -> None:
    for team in sorted(set(teams)):
        if await editing.row(RowKind.TEAM, (team,)) is not None:
            place = await editing.row(RowKind.MEMBERSHIP, (team, user))
            new = Place(team=team, user=user, place=Membership())
            await editing.put(replace(place, away=False) if isinstance(place, Place) else new)


async def _leave(editing: Editing, user: str, team: str) -> None:
    """What somebody has set of the place stays, with what was spent there: it is there again when the user is."""
    place = await editing.row(RowKind.MEMBERSHIP, (team, user))
    if isinstance(place, Place) and place.place != Membership():
        await editing.put(replace(place, away=True))
    else:
        await editing.make(Edit(Op.DELETE, RowKind.MEMBERSHIP, (team, user)))


def _fitting(user: User) -> User:
    """The user with an address that the tables can have: what a token says it is may be anything."""
    fits = len(user.email) <= MAX_ADDRESS and user.email.isprintable()
    return user if fits else replace(user, email="")
