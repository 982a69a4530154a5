"""The list of revoked tokens in a database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.changes import ChangeKind, Lookup, RowKind, Sought
from usherd.errors import ListFull, NotFound
from usherd.revocation_store import Page, Revocation, Revoked, Wanted
from usherd.revocations import MAX_REVOCATIONS, ONE_TOKEN, RESERVED, Entry, Snapshot, told
from usherd.store import Request
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database, Writing
from usherd.stores.sql.requests import remembered

SWEPT_AT_ONCE = 256
"""Expired entries that one revocation takes out of the list at most: it grows by one, and so never grows with age."""
_READ_AT_ONCE = 200
"""Rows that are read of a whole list before others get their turn: some two milliseconds."""

_TABLE = schema.revocations
_ROW = _TABLE.c
_ENTRIES: Select[Any] = select(_ROW.id, _ROW.kind, _ROW.key, _ROW.issued_before, _ROW.until).order_by(_ROW.id)


class SqlRevocations:
    """`RevocationStore` on a database."""

    def __init__(self, database: Database, bound: int = MAX_REVOCATIONS, reserved: int = RESERVED) -> None:
        """`bound` is the list's, of which single tokens leave `reserved` places to the others."""
        self._database = database
        self._bound = bound
        self._reserved = reserved
        self._id_key = hashlib.blake2b(database.token_key, digest_size=32, person=b"usherd revoked").digest()

    @property
    def id(self) -> str:
        """The store's id."""
        return self._database.store_id

    async def revoke(self, entry: Entry, *, note: str, caller: str, request: Request | None = None) -> Revoked:
        """As `RevocationStore.revoke`."""
        async with self._database.writing() as writing:
            id = self._id_of(entry.which)
            if request is not None:
                answer = {"revision": writing.revision, "id": id}
                before = await remembered(writing.connection, request, answer, writing.now)
                if before is not None:
                    return await self._as_before(writing.connection, before)
            await _sweep(writing, id)
            row = (await writing.connection.execute(select(_TABLE).where(_ROW.id == id))).one_or_none()
            if row is None:
                await self._make_room(writing.connection, entry)
            made = entry if row is None or row.until <= writing.now else entry.joined(_entry(row))
            values = {
                "issued_before": made.issued_before,
                "until": made.until,
                "note": note,
                "caller": caller,
                "created_at": writing.now,
                "revision": writing.revision,
            }
            if row is None:
                which = {"id": id, "kind": int(made.which.sought), "key": _key(made.which)}
                await writing.connection.execute(insert(_TABLE), [which | values])
            else:
                await writing.connection.execute(update(_TABLE).where(_ROW.id == id).values(values))
            change = ChangeKind.CREATED if row is None else ChangeKind.UPDATED
            writing.changed(RowKind.REVOCATION, id, change, [made.which, told(made, writing.revision)])
            kept = Revocation(id=id, entry=made, note=note, caller=caller, revoked_at=writing.now)
            return Revoked(writing.revision, kept)

    async def page(self, wanted: Wanted, *, after: str = "", limit: int = 100) -> Page:
        """As `RevocationStore.page`."""
        async with self._database.reading() as connection:
            revision = (await self._database.head(connection)).revision
            query = select(_TABLE).where(_ROW.id > after, _ROW.until > self._database.clock(), *_conditions(wanted))
            rows = (await connection.execute(query.order_by(_ROW.id).limit(limit + 1))).all()
        return Page(tuple(map(_revocation, rows[:limit])), len(rows) > limit, revision)

    async def snapshot(self) -> Snapshot:
        """As `RevocationStore.snapshot`."""
        entries: dict[Lookup, Entry] = {}
        async with self._database.reading() as connection:
            revision = (await self._database.head(connection)).revision
            after = ""
            while True:
                query = _ENTRIES.where(_ROW.id > after).limit(_READ_AT_ONCE)
                rows = (await connection.execute(query)).all()
                for row in rows:
                    entry = _entry(row)
                    entries[entry.which] = entry
                if len(rows) < _READ_AT_ONCE:
                    return Snapshot(entries, revision)
                after = rows[-1].id

    async def lift(self, id: str, request: Request | None = None) -> int:
        """As `RevocationStore.lift`."""
        async with self._database.writing() as writing:
            if request is not None:
                answer = {"revision": writing.revision}
                before = await remembered(writing.connection, request, answer, writing.now)
                if before is not None:
                    return int(before["revision"])
            row = (await writing.connection.execute(select(_TABLE).where(_ROW.id == id))).one_or_none()
            if row is None or row.until <= writing.now:
                raise NotFound
            await writing.connection.execute(delete(_TABLE).where(_ROW.id == id))
            entry = _entry(row)
            lookups = [entry.which, told(entry, writing.revision, lifted=True)]
            writing.changed(RowKind.REVOCATION, id, ChangeKind.DELETED, lookups)
            return writing.revision

    async def _as_before(self, connection: AsyncConnection, before: Mapping[str, Any]) -> Revoked:
        query = select(_TABLE).where(_ROW.id == before["id"], _ROW.revision == before["revision"])
        row = (await connection.execute(query)).one_or_none()
        return Revoked(int(before["revision"]), None if row is None else _revocation(row))

    async def _make_room(self, connection: AsyncConnection, entry: Entry) -> None:
        count = await connection.scalar(select(func.count()).select_from(_TABLE)) or 0
        if count >= self._bound - (self._reserved if entry.which.sought in ONE_TOKEN else 0):
            raise ListFull

    def _id_of(self, which: Lookup) -> str:
        # Keyed: an id says nothing about whom it is, not even to whoever guesses.
        words = f"{int(which.sought)} {_key(which)}".encode()
        return hashlib.blake2b(words, key=self._id_key, digest_size=16).hexdigest()


async def _sweep(writing: Writing, spared: str) -> None:
    """Takes entries out that no longer count, the oldest first. Replicas hear of it, and keep what the table keeps.

    One is spared: what is about to be revoked again must not be told to be gone in the same breath.
    """
    query = select(_TABLE).where(_ROW.until <= writing.now, _ROW.id != spared).order_by(_ROW.until).limit(SWEPT_AT_ONCE)
    rows = (await writing.connection.execute(query)).all()
    if rows:
        await writing.connection.execute(delete(_TABLE).where(_ROW.id.in_([row.id for row in rows])))
    for row in rows:
        # Nobody is told to look for it again: it counted for nothing already.
        lookups = [told(_entry(row), writing.revision, lifted=True)]
        writing.changed(RowKind.REVOCATION, row.id, ChangeKind.DELETED, lookups)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.issuer:
        # Keys are JSON lists: what begins so has this issuer first, and no other.
        begin = json.dumps([wanted.issuer], ensure_ascii=False)[:-1]
        found += [_ROW.kind != int(Sought.TOKEN), func.substr(_ROW.key, 1, len(begin)) == begin]
        found.append(func.substr(_ROW.key, len(begin) + 1, 1).in_([",", "]"]))
    for sought, word in ((Sought.SUBJECT, wanted.subject), (Sought.JTI, wanted.jti)):
        if word:
            end = "," + json.dumps([word], ensure_ascii=False)[1:]
            found.append(_ROW.kind == int(sought))
            found.append(func.substr(_ROW.key, func.length(_ROW.key) - len(end) + 1) == end)
    if wanted.token_id:
        found += [_ROW.kind == int(Sought.TOKEN), _ROW.key == _key(Lookup(Sought.TOKEN, (wanted.token_id,)))]
    return found


def _key(which: Lookup) -> str:
    return json.dumps(which.key, separators=(",", ":"), ensure_ascii=False)


def _entry(row: Row[Any]) -> Entry:
    which = Lookup(Sought(row.kind), tuple(json.loads(row.key)))
    return Entry(which=which, issued_before=row.issued_before, until=row.until)


def _revocation(row: Row[Any]) -> Revocation:
    return Revocation(id=row.id, entry=_entry(row), note=row.note, caller=row.caller, revoked_at=row.created_at)
