"""A store in memory, for tests of what stands before a store: it keeps the promises of `store.Store`, and nothing for
good."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from usherd.changes import Change, ChangeKind, RowKind
from usherd.errors import (
    AlreadyExists,
    BrokenReference,
    ChangesCompacted,
    EtagMismatch,
    FieldInvalid,
    NotFound,
)
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, Organization, Team, User, budget_id, place_id
from usherd.store import (
    Applied,
    Changes,
    Edit,
    Filter,
    ModelRow,
    Op,
    Page,
    Request,
    Row,
    RowId,
    Spent,
    Stored,
    Usage,
)
from usherd.stores.budgets import NO_BUDGET, Budget

_Rows = dict[tuple[RowKind, RowId], Stored]


class MemoryStore:
    """All of it in dictionaries, which a transaction replaces as a whole."""

    def __init__(self, store_id: str = "memory") -> None:
        self._id = store_id
        self._rows: _Rows = {}
        self._revision = 0
        self._compacted = 0
        self._log: list[Change] = []
        self._requests: dict[tuple[str, str], tuple[bytes, int, tuple[tuple[RowKind, RowId, str], ...]]] = {}
        self._spent: dict[BudgetOwner, tuple[int, float]] = {}

    @property
    def id(self) -> str:
        return self._id

    async def head(self) -> int:
        return self._revision

    async def get(self, kind: RowKind, ids: Sequence[RowId]) -> list[Stored | None]:
        return [self._read(kind, each) for each in ids]

    async def page(self, kind: RowKind, wanted: Filter, *, after: RowId = (), limit: int = 100) -> Page:
        ids = sorted(each for found, each in self._rows if found is kind and each > after)
        fits = [stored for each in ids if (stored := self._read(kind, each)) and self._fits(stored.row, wanted)]
        return Page(tuple(fits[:limit]), len(fits) > limit, self._revision)

    def _read(self, kind: RowKind, row_id: RowId) -> Stored | None:
        stored = self._rows.get((kind, row_id))
        if stored is None or not isinstance(stored.row, User):
            return stored
        teams = sorted(each[0] for found, each in self._rows if found is RowKind.MEMBERSHIP and each[1] == row_id[0])
        return Stored(replace(stored.row, teams=tuple(teams)), stored.etag)

    @staticmethod
    def _fits(row: Row, wanted: Filter) -> bool:
        name = row.name if isinstance(row, ModelRow) else getattr(row, "id", "")
        organizations = getattr(row, "organizations", (getattr(row, "organization", ""),))
        issuers = [each[0] for each in row.identities] if isinstance(row, User) else [getattr(row, "issuer", None)]
        teams = row.teams if isinstance(row, User) else (getattr(row, "team", ""),)
        return all(
            (
                name.startswith(wanted.prefix),
                not wanted.alias or getattr(row, "alias", "") == wanted.alias,
                not wanted.organization or wanted.organization in organizations,
                not wanted.team or wanted.team in teams,
                not wanted.user or getattr(row, "user", "") == wanted.user,
                not wanted.issuer or wanted.issuer in issuers,
                not wanted.email or getattr(row, "email", "") == wanted.email,
                wanted.blocked is None or getattr(row, "blocked", None) is wanted.blocked,
            )
        )

    async def apply(self, edits: Sequence[Edit], request: Request | None = None) -> Applied:
        if request is not None and (known := self._requests.get((request.caller, request.id))) is not None:
            return self._again(request, *known)
        rows, changes, revision = dict(self._rows), dict[tuple[RowKind, RowId], ChangeKind](), self._revision + 1
        for edit in edits:
            for kind, row_id, change in _made(rows, edit, str(revision)):
                changes[kind, row_id] = change
        _check_references(rows)
        self._rows = rows
        self._commit((kind, _change_id(row_id), change) for (kind, row_id), change in changes.items())
        for owner in [owner for owner in self._spent if self._budget(owner) is None]:
            del self._spent[owner]
        stored = tuple(self._read(edit.kind, edit.id) for edit in edits)
        if request is not None:
            made = tuple(
                (edit.kind, edit.id, "" if s is None else s.etag) for edit, s in zip(edits, stored, strict=True)
            )
            self._requests[request.caller, request.id] = (request.digest, self._revision, made)
        return Applied(self._revision, stored)

    def _again(
        self, request: Request, digest: bytes, revision: int, made: Sequence[tuple[RowKind, RowId, str]]
    ) -> Applied:
        if digest != request.digest:
            raise FieldInvalid("request_id", "one that no other request has had")
        rows = tuple(self._read(kind, row_id) for kind, row_id, _ in made)
        same = all(("" if row is None else row.etag) == etag for row, (_, _, etag) in zip(rows, made, strict=True))
        return Applied(revision, rows if same else ())

    def _commit(self, changes: Iterator[tuple[RowKind, str, ChangeKind]]) -> None:
        found = list(changes)
        if found:
            self._revision += 1
            self._log += [Change(self._revision, kind, row, how, (), time.time()) for kind, row, how in found]

    async def record_usage(self, usages: Sequence[Usage], request: Request | None = None) -> int:
        if request is not None and (known := self._requests.get((request.caller, request.id))) is not None:
            return self._again(request, *known).revision
        for usage in usages:
            budget = self._budget(usage.owner)
            if budget is not None:
                self._spend(usage.owner, budget, self._now(usage.owner, budget)[0] + usage.micro_usd)
        if request is not None:
            self._requests[request.caller, request.id] = (request.digest, self._revision, ())
        return self._revision

    async def usage(self, owner: BudgetOwner) -> Spent | None:
        budget = self._budget(owner)
        if budget is None:
            return None
        spent, ends = self._now(owner, budget)
        return Spent(spent, budget.state(spent), ends)

    async def reset_usage(self, owner: BudgetOwner, request: Request | None = None) -> int:
        if request is not None and (known := self._requests.get((request.caller, request.id))) is not None:
            return self._again(request, *known).revision
        budget = self._budget(owner)
        if budget is None:
            raise NotFound
        self._spend(owner, budget, 0)
        if request is not None:
            self._requests[request.caller, request.id] = (request.digest, self._revision, ())
        return self._revision

    def _now(self, owner: BudgetOwner, budget: Budget) -> tuple[int, float]:
        now = time.time()
        spent, ends = self._spent.get(owner, (0, 0.0))
        return (spent, ends) if ends > now else (0, budget.period_end(now))

    def _spend(self, owner: BudgetOwner, budget: Budget, spent: int) -> None:
        before, ends = self._now(owner, budget)
        was, state = budget.state(before), budget.state(spent)
        self._spent[owner] = (spent, ends)
        if was is not state:
            change = ChangeKind.DELETED if state is BudgetState.WITHIN else ChangeKind.UPDATED
            self._commit(iter([(RowKind.BUDGET, budget_id(owner), change)]))

    def _budget(self, owner: BudgetOwner) -> Budget | None:
        if owner.kind is BudgetKind.GLOBAL:
            return NO_BUDGET
        if owner.kind is BudgetKind.MEMBER:
            place: Any = self._rows.get((RowKind.MEMBERSHIP, (owner.team, owner.id)))
            team: Any = self._rows.get((RowKind.TEAM, (owner.team,)))
            if place is None or team is None:
                return None
            return Budget(place.row.place.max_budget_micro_usd, team.row.limit.budget_reset_seconds)
        stored: Any = self._rows.get((RowKind[owner.kind.name], (owner.id,)))
        if stored is None:
            return None
        return Budget(stored.row.limit.max_budget_micro_usd, stored.row.limit.budget_reset_seconds)

    async def changes(self, after: int, limit: int = 1000) -> Changes:
        if after < self._compacted:
            raise ChangesCompacted
        if after > self._revision:
            raise FieldInvalid("after", "a revision that there is")
        found = [change for change in self._log if change.revision > after]
        if len(found) <= limit:
            return Changes(tuple(found), self._revision, self._revision)
        last = max(found[limit - 1].revision - 1, found[0].revision)
        return Changes(tuple(each for each in found if each.revision <= last), last, self._revision)

    def compact(self) -> None:
        """Forgets all changes up to now."""
        self._compacted, self._log = self._revision, []


def _made(rows: _Rows, edit: Edit, etag: str) -> Iterator[tuple[RowKind, RowId, ChangeKind]]:
    """Makes an edit in these rows, and says what has changed."""
    there = rows.get((edit.kind, edit.id))
    if edit.op is Op.CREATE and there is not None:
        raise AlreadyExists
    if there is None and (edit.op in (Op.UPDATE, Op.DELETE) or edit.etag):
        raise NotFound
    if edit.etag and there is not None and there.etag != edit.etag:
        raise EtagMismatch
    if edit.row is None:
        for kind, row_id in [key for key in rows if _goes_with(key, edit.kind, edit.id)]:
            del rows[kind, row_id]
            yield kind, row_id, ChangeKind.DELETED
        return
    row = replace(edit.row, teams=()) if isinstance(edit.row, User) else edit.row
    if isinstance(row, User):
        _check_identities(rows, row)
    if there is None or there.row != row:
        rows[edit.kind, edit.id] = Stored(row, etag)
        yield edit.kind, edit.id, ChangeKind.CREATED if there is None else ChangeKind.UPDATED


def _goes_with(key: tuple[RowKind, RowId], kind: RowKind, row_id: RowId) -> bool:
    if key == (kind, row_id):
        return True
    place = {RowKind.TEAM: 0, RowKind.USER: 1}.get(kind)
    return key[0] is RowKind.MEMBERSHIP and place is not None and key[1][place] == row_id[0]


def _check_identities(rows: _Rows, user: User) -> None:
    for stored in rows.values():
        other = stored.row
        if isinstance(other, User) and other.id != user.id and set(other.identities) & set(user.identities):
            raise AlreadyExists


def _check_references(rows: _Rows) -> None:
    organizations = {stored.row.id for stored in rows.values() if isinstance(stored.row, Organization)}
    for (kind, row_id), stored in rows.items():
        if kind is RowKind.MEMBERSHIP:
            if (RowKind.TEAM, row_id[:1]) not in rows or (RowKind.USER, row_id[1:]) not in rows:
                raise BrokenReference
        elif isinstance(stored.row, Team):
            if stored.row.organization and stored.row.organization not in organizations:
                raise BrokenReference
        elif isinstance(stored.row, User) and not organizations.issuperset(stored.row.organizations):
            raise BrokenReference


def _change_id(row_id: RowId) -> str:
    return place_id(*row_id) if len(row_id) == 2 else row_id[0]
