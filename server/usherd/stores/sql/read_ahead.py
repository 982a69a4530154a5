"""Reads what edits will ask for, all at once: a question for each would be what takes the time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from usherd.changes import RowKind
from usherd.facts import Team, User
from usherd.store import Edit, Op, Place, RowId
from usherd.stores.sql.known import Identity, Known
from usherd.stores.sql.references import identities_of, namesakes_of


async def read_ahead(known: Known, edits: Sequence[Edit], bare_ids_for: str | None) -> None:
    """Reads the rows that these edits are about, those that they name, and who is known by what they give."""
    wanted: dict[RowKind, list[RowId]] = defaultdict(list)
    identities: list[Identity] = []
    for edit in edits:
        wanted[edit.kind].append(edit.id)
        if edit.kind is RowKind.MEMBERSHIP:
            team, user = edit.id
            wanted[RowKind.TEAM].append((team,))
            wanted[RowKind.USER].append((user,))
        match edit.row:
            case Team(organization=organization) if organization:
                wanted[RowKind.ORGANIZATION].append((organization,))
            case User() as row:
                wanted[RowKind.ORGANIZATION] += _ids((*row.organizations, *row.administers))
                wanted[RowKind.USER] += _ids(namesakes_of(row, bare_ids_for))
                identities += identities_of(row, bare_ids_for)
    for kind, ids in wanted.items():
        await known.load(kind, ids)
    await known.load_holders(identities)
    await _read_what_goes(known, [edit for edit in edits if edit.op is Op.DELETE], most=len(edits) + 1)


async def _read_what_goes(known: Known, deletions: Sequence[Edit], most: int) -> None:
    """What is there only with these rows, or stands in their way."""
    ids: dict[RowKind, list[str]] = defaultdict(list)
    for edit in deletions:
        ids[edit.kind].append(edit.id[0])
    places: list[Place] = []
    for side in (RowKind.TEAM, RowKind.USER):
        await known.load_places(side, ids[side])
        for each in ids[side]:
            row = await known.row(side, (each,))
            places += await known.places(row) if isinstance(row, Team | User) else []
    await known.load(RowKind.TEAM, ((place.team,) for place in places))
    await known.load(RowKind.USER, ((place.user,) for place in places))
    await known.load_namers(ids[RowKind.ORGANIZATION], most)


def _ids(names: Iterable[str]) -> list[RowId]:
    return [(name,) for name in names]
