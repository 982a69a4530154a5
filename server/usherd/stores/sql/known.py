"""What one transaction knows of the directory: rows as they were, and as it has made them since.

Much is read at once before anybody asks for it; what was not is read when it is asked for. Nothing is written before
the end, so that what is read never has what this transaction has made, which goes before whatever is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.changes import RowKind
from usherd.facts import Team, User
from usherd.store import Place, Row, RowId
from usherd.stores.sql import rows, schema
from usherd.stores.sql.batches import conditions, storable
from usherd.stores.sql.fetch import fetch, fetch_places

Key = tuple[RowKind, RowId]
Identity = tuple[str, str]
"""(issuer's name, subject)"""

_COUNTED_AT_ONCE = 16


class Moved(NamedTuple):
    """A row that is another now. None: it was not there, or is there no more."""

    kind: RowKind
    id: RowId
    before: Row | None
    now: Row | None


class Known:
    """The rows that a transaction has looked at or made."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._rows: dict[Key, Row | None] = {}
        self._before: dict[Key, Row | None] = {}
        """Those that were made otherwise, as they were at first."""
        self._holders: dict[Identity, str | None] = {}
        self._places: dict[Key, set[RowId]] = defaultdict(set)
        """Places by team and by user, as far as they are known."""
        self._all_places: set[Key] = set()
        """Teams and users whose places are all known."""
        self._namers: dict[str, int] = {}
        """How many rows name an organization, or as many as were to be counted."""

    async def load(self, kind: RowKind, ids: Iterable[RowId]) -> None:
        """Reads these rows, as far as they are not known."""
        missing = [each for each in dict.fromkeys(ids) if (kind, each) not in self._rows]
        if missing:
            found = await fetch(self._connection, kind, missing)
            for each in missing:
                self._learn(kind, each, found.get(each))

    async def row(self, kind: RowKind, row_id: RowId) -> Row | None:
        """The row as it is now."""
        if (kind, row_id) not in self._rows:
            await self.load(kind, [row_id])
        return self._rows[kind, row_id]

    async def load_holders(self, identities: Iterable[Identity]) -> None:
        """Reads who is known by these."""
        missing = [each for each in dict.fromkeys(identities) if each not in self._holders]
        columns = schema.user_identities.c
        for condition in conditions((columns.issuer, columns.subject), missing):
            for each in await self._connection.execute(select(schema.user_identities).where(condition)):
                self._holders[each.issuer, each.subject] = each.user_id
        for identity in missing:
            self._holders.setdefault(identity, None)

    async def holder(self, identity: Identity) -> str | None:
        """The id of the user who is known by it."""
        if identity not in self._holders:
            await self.load_holders([identity])
        return self._holders[identity]

    async def load_places(self, side: RowKind, ids: Iterable[str]) -> None:
        """Reads all places of these teams or users (`side`)."""
        missing = [each for each in dict.fromkeys(ids) if (side, (each,)) not in self._all_places]
        for row_id, place in (await fetch_places(self._connection, side, missing)).items():
            if (RowKind.MEMBERSHIP, row_id) not in self._rows:
                self._learn(RowKind.MEMBERSHIP, row_id, place)
        self._all_places.update((side, (each,)) for each in missing)

    async def places(self, row: Team | User) -> list[Place]:
        """All places of a team or user as they are now, sorted."""
        side = rows.kind_of(row)
        await self.load_places(side, [row.id])
        found = (self._rows[RowKind.MEMBERSHIP, each] for each in sorted(self._places[side, (row.id,)]))
        return [place for place in found if isinstance(place, Place)]

    async def load_namers(self, organizations: Sequence[str], most: int) -> None:
        """Counts the teams and users that name these organizations, up to `most` each: more than the transaction can
        make name another."""
        wanted = [each for each in dict.fromkeys(organizations) if storable(each)]
        self._namers.update(dict.fromkeys(organizations, 0))
        for begin in range(0, len(wanted), _COUNTED_AT_ONCE):
            counts = (_count_namers(each, most) for each in wanted[begin : begin + _COUNTED_AT_ONCE])
            for each in await self._connection.execute(union_all(*counts)):
                self._namers[each.id] = each.namers

    def is_named(self, organization: str) -> bool:
        """Whether a team or user names it now. It was among those of `load_namers`, before anything was made."""
        return self._namers[organization] > 0

    def make(self, kind: RowKind, row_id: RowId, now: Row | None) -> None:
        """Makes this the row. It is known what it was; of a place, the user, too."""
        before = self._rows[kind, row_id]
        self._before.setdefault((kind, row_id), before)
        self._rows[kind, row_id] = now
        for organization in _named(before):
            self._count_namer(organization, -1)
        for organization in _named(now):
            self._count_namer(organization, 1)
        if isinstance(before, User):
            self._holders.update(dict.fromkeys(before.identities))
        if isinstance(now, User):
            self._holders.update(dict.fromkeys(now.identities, now.id))
        if kind is RowKind.MEMBERSHIP:
            self._make_place(row_id, now)

    def moved(self) -> Iterator[Moved]:
        """The rows that are to be written."""
        for (kind, row_id), before in self._before.items():
            yield Moved(kind, row_id, before, self._rows[kind, row_id])

    def _learn(self, kind: RowKind, row_id: RowId, row: Row | None) -> None:
        self._rows[kind, row_id] = row
        if isinstance(row, Place):
            self._index(row_id)

    def _make_place(self, row_id: RowId, now: Row | None) -> None:
        team, user = row_id
        if now is None:
            self._places[RowKind.TEAM, (team,)].discard(row_id)
            self._places[RowKind.USER, (user,)].discard(row_id)
        else:
            self._index(row_id)
        holder = self._rows[RowKind.USER, (user,)]
        if isinstance(holder, User) and (team in holder.teams) is not is_in(now):
            teams = {*holder.teams, team} if is_in(now) else set(holder.teams) - {team}
            self._rows[RowKind.USER, (user,)] = rows.with_teams(holder, tuple(sorted(teams)))

    def _index(self, row_id: RowId) -> None:
        team, user = row_id
        self._places[RowKind.TEAM, (team,)].add(row_id)
        self._places[RowKind.USER, (user,)].add(row_id)

    def _count_namer(self, organization: str, more: int) -> None:
        if organization in self._namers:
            self._namers[organization] += more


def is_in(place: Row | None) -> bool:
    """Whether the place's user is in the team."""
    return isinstance(place, Place) and not place.away


def _named(row: Row | None) -> tuple[str, ...]:
    """The organizations that the row names."""
    match row:
        case Team(organization=organization):
            return (organization,)
        case User(organizations=organizations):
            return organizations
        case _:
            return ()


def _count_namers(organization: str, most: int) -> Select[str, int]:
    teams, users = schema.teams.c.organization, schema.user_organizations.c.organization_id
    namers = _count(teams == organization, most) + _count(users == organization, most)
    return select(literal(organization).label("id"), namers.label("namers"))


def _count(condition: ColumnElement[bool], most: int) -> ScalarSelect[int]:
    some = select(literal(1)).where(condition).limit(most).subquery()
    return select(func.count()).select_from(some).scalar_subquery()
