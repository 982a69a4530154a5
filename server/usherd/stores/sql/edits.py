"""Makes edits of rows, in one transaction with their entries in the change log.

Edits are judged one after another, each by the rows as those before it have left them; what they come to is written at
the end, all at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from usherd.changes import ChangeKind, RowKind
from usherd.errors import AlreadyExists, EtagMismatch, NotFound
from usherd.facts import BudgetKind, BudgetOwner, Team, User, place_id
from usherd.store import Edit, Op, Place, Row, RowId, Stored
from usherd.stores.budgets import Budget
from usherd.stores.sql import rows
from usherd.stores.sql.database import Writing
from usherd.stores.sql.found_by import lookups_of_change
from usherd.stores.sql.known import Known, is_in
from usherd.stores.sql.read_ahead import read_ahead
from usherd.stores.sql.references import check_identities, check_named, check_unnamed
from usherd.stores.sql.settling import Settling, budget_in
from usherd.stores.sql.write_rows import write_rows
from usherd.turns import Turn


class Editing:
    """The edits of one transaction. `finish` is called once, after the last."""

    def __init__(self, writing: Writing, bare_ids_for: str | None) -> None:
        """`bare_ids_for` is the issuer for which users without identities have their ids as subjects."""
        self._writing = writing
        self._bare_ids_for = bare_ids_for
        self._known = Known(writing.connection)
        self._settling = Settling(writing)
        self._turn = Turn(time.perf_counter)
        self._placed: set[str] = set()
        """Users whose teams are others now."""
        self._told: set[str] = set()
        """Users who have an entry of their own."""

    async def make_all(self, edits: Sequence[Edit]) -> None:
        """Makes these edits, in their order. Nothing was made before. Raises as `make`."""
        await read_ahead(self._known, edits, self._bare_ids_for)
        for edit in edits:
            await self.make(edit)
            await self._turn.maybe_yield()

    async def row(self, kind: RowKind, row_id: RowId) -> Row | None:
        """The row as it is now."""
        return await self._known.row(kind, row_id)

    async def make(self, edit: Edit) -> None:
        """Makes one edit. Raises NotFound, AlreadyExists, EtagMismatch, BrokenReference.

        Organizations are deleted by `make_all` alone, which finds out beforehand who names them.
        """
        before = await self.row(edit.kind, edit.id)
        if before is None and edit.op in (Op.UPDATE, Op.DELETE):
            raise NotFound
        if before is not None and edit.op is Op.CREATE:
            raise AlreadyExists
        if edit.etag and (before is None or rows.revision_of(before) != edit.etag):
            raise EtagMismatch
        if edit.op is not Op.DELETE:
            if edit.row is None or rows.kind_of(edit.row) is not edit.kind or rows.row_id(edit.row) != edit.id:
                raise ValueError("an edit's row: expected one of its kind and id")
            await self.put(edit.row)
        elif before is not None:
            await self._delete(edit.kind, edit.id, before)

    async def put(self, row: Row, *, dangling: bool = False) -> None:
        """Makes this the row of its kind and id; one that is as it should be keeps its revision.

        `dangling`: it may name organizations that are not there.
        """
        kind, row_id = rows.kind_of(row), rows.row_id(row)
        before = await self.row(kind, row_id)
        revision = str(self._writing.revision)
        after = rows.normal(row, revision)
        if isinstance(after, User):
            # Its teams are places, which are rows of their own.
            after = rows.with_teams(after, before.teams if isinstance(before, User) else ())
        if before is not None and rows.normal(before, revision) == after:
            return
        if not dangling:
            await check_named(self._known, after, before)
        if isinstance(after, User):
            await check_identities(self._known, after, self._bare_ids_for)
        await self._moved(kind, row_id, before, after)

    async def finish(self) -> None:
        """Gives users whose teams have changed this revision, writes all rows, and settles budgets."""
        for user in sorted(self._placed - self._told):
            row = await self.row(RowKind.USER, (user,))
            if isinstance(row, User):
                row = replace(row, revision=str(self._writing.revision))
                self._known.make(RowKind.USER, (user,), row)
                self._writing.changed(RowKind.USER, user, ChangeKind.UPDATED, lookups_of_change(None, row))
            await self._turn.maybe_yield()
        await write_rows(self._writing.connection, self._known.moved(), self._writing.revision, self._turn)
        await self._settling.settle(self._turn)

    async def stored(self, edits: Iterable[Edit]) -> list[Stored | None]:
        """The rows of these edits as they are now, after `finish`."""
        edits = list(edits)
        for kind in RowKind:
            await self._known.load(kind, (edit.id for edit in edits if edit.kind is kind))
        found = [await self.row(edit.kind, edit.id) for edit in edits]
        return [None if row is None else Stored(row, rows.revision_of(row)) for row in found]

    async def _delete(self, kind: RowKind, row_id: RowId, before: Row) -> None:
        check_unnamed(self._known, before)
        # What is only there with it goes with it.
        for place in await self._places_of(before):
            await self._moved(RowKind.MEMBERSHIP, rows.row_id(place), place, None)
            await self._turn.maybe_yield()
        await self._moved(kind, row_id, before, None)

    async def _places_of(self, row: Row) -> list[Place]:
        return await self._known.places(row) if isinstance(row, Team | User) else []

    async def _moved(self, kind: RowKind, row_id: RowId, before: Row | None, after: Row | None) -> None:
        """Logs what has become of the row, and whatever follows from that."""
        if isinstance(before or after, Place):
            # The user is known with its places.
            await self.row(RowKind.USER, row_id[1:])
        self._known.make(kind, row_id, after)
        change = ChangeKind.CREATED if before is None else ChangeKind.DELETED if after is None else ChangeKind.UPDATED
        lookups = lookups_of_change(before, after)
        name = place_id(*row_id) if kind is RowKind.MEMBERSHIP else row_id[0]
        self._writing.changed(kind, name, change, lookups)
        old, new = budget_in(before), budget_in(after)
        if (either := old or new) is not None:
            self._settling.moved(either[0], old and old[1], new and new[1])
        match before or after:
            case User():
                self._told.add(row_id[0])
            case Place(team=team, user=user):
                await self._place_moved(team, user, before, after)
            case Team() if isinstance(before, Team) and isinstance(after, Team):
                if before.limit.budget_reset_seconds != after.limit.budget_reset_seconds:
                    await self._members_periods(before, after)

    async def _place_moved(self, team: str, user: str, before: Row | None, after: Row | None) -> None:
        if is_in(before) is not is_in(after):
            self._placed.add(user)
        row = await self.row(RowKind.TEAM, (team,))
        self._settling.moved(
            BudgetOwner(BudgetKind.MEMBER, user, team), _member_budget(before, row), _member_budget(after, row)
        )

    async def _members_periods(self, before: Team, after: Team) -> None:
        """A member's budget begins anew with the team's."""
        for place in await self._places_of(after):
            owner = BudgetOwner(BudgetKind.MEMBER, place.user, place.team)
            self._settling.moved(owner, _member_budget(place, before), _member_budget(place, after))


def _member_budget(place: Row | None, team: Row | None) -> Budget | None:
    if not isinstance(place, Place) or not isinstance(team, Team):
        return None
    reset = team.limit.budget_reset_seconds
    return Budget(place.place.max_budget_micro_usd, float(reset) if reset else None)
