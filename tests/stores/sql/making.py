"""Short ways to say what is to be done to a store, and to see what it says has changed."""

from __future__ import annotations

from usherd.changes import Change, ChangeKind, Lookup, RowKind
from usherd.facts import Membership
from usherd.store import Applied, Edit, Op, Place, Request, Row, Store
from usherd.stores.sql.rows import kind_of, row_id

ORGANIZATION, TEAM, USER, PLACE = RowKind.ORGANIZATION, RowKind.TEAM, RowKind.USER, RowKind.MEMBERSHIP
CREATED, UPDATED, DELETED = ChangeKind


def put(row: Row, etag: str = "") -> Edit:
    return Edit(Op.PUT, kind_of(row), row_id(row), row, etag)


def create(row: Row) -> Edit:
    return Edit(Op.CREATE, kind_of(row), row_id(row), row)


def update(row: Row, etag: str = "") -> Edit:
    return Edit(Op.UPDATE, kind_of(row), row_id(row), row, etag)


def delete(kind: RowKind, *ids: str, etag: str = "") -> Edit:
    return Edit(Op.DELETE, kind, ids, None, etag)


def place(team: str, user: str, maximum: int | None = None, role: str = "user") -> Place:
    return Place(team=team, user=user, place=Membership(role=role, max_budget_micro_usd=maximum))


def request(request_id: str = "r", digest: bytes = b"d", caller: str = "gateway") -> Request:
    return Request(caller, request_id, digest)


async def apply(store: Store, *rows: Row) -> Applied:
    """Makes these the rows of their ids."""
    return await store.apply([put(row) for row in rows])


async def news(store: Store, after: int) -> list[Change]:
    """All changes since that revision."""
    return list((await store.changes(after)).changes)


async def told(store: Store, after: int) -> list[tuple[RowKind, str, ChangeKind]]:
    """What has changed since that revision, and how."""
    return [(change.kind, change.id, change.change) for change in await news(store, after)]


async def touched(store: Store, after: int) -> set[Lookup]:
    """What is found otherwise since that revision."""
    return {lookup for change in await news(store, after) for lookup in change.lookups}
