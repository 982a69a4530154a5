"""Sessions of the user interface in a database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from usherd.changes import ChangeKind, RowKind
from usherd.errors import NotFound
from usherd.session_store import Ended, SessionPage
from usherd.sessions import MAX_PER_USER, LoginMethod, Session, kept_claims, lookup_of
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database, Writing

SWEPT_AT_ONCE = 64
"""Expired sessions that a new one takes away at most."""

_TABLE = schema.sessions
_ROW = _TABLE.c
_KEYS = schema.session_keys


class SqlSessions:
    """`SessionStore` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def id(self) -> str:
        """The store's id."""
        return self._database.store_id

    async def create(self, session: Session, kid: str) -> int:
        """As `SessionStore.create`."""
        async with self._database.writing() as writing:
            signs = update(_KEYS).where(_KEYS.c.kid == kid, _KEYS.c.signs_until > writing.now)
            if (await writing.connection.execute(signs.values(kid=kid))).rowcount != 1:
                raise NotFound
            # A lifetime may have become longer since the key was made.
            longer = update(_KEYS).where(_KEYS.c.kid == kid, _KEYS.c.verifies_until < session.expires_at)
            await writing.connection.execute(longer.values(verifies_until=session.expires_at))
            await _sweep(writing)
            await _make_room(writing, session.user_id)
            values = {
                "id": session.id,
                "user_id": session.user_id,
                "claims": kept_claims(session),
                "created_at": session.created_at,
                "expires_at": session.expires_at,
                "revoked_at": None,
                "caller": session.caller,
                "revision": writing.revision,
            }
            await writing.connection.execute(insert(_TABLE), [values])
            writing.changed(RowKind.SESSION, session.id, ChangeKind.CREATED, [lookup_of(session.id)])
            return writing.revision

    async def get(self, session_id: str) -> Session | None:
        """As `SessionStore.get`."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(_TABLE).where(_ROW.id == session_id))).one_or_none()
        return None if row is None else _session(row)

    async def page(
        self, *, user_id: str = "", valid_only: bool = False, after: str = "", limit: int = 100
    ) -> SessionPage:
        """As `SessionStore.page`."""
        conditions = [_ROW.id > after, _ROW.expires_at > self._database.clock()]
        if user_id:
            conditions.append(_ROW.user_id == user_id)
        if valid_only:
            conditions.append(_ROW.revoked_at.is_(None))
        async with self._database.reading() as connection:
            revision = (await self._database.head(connection)).revision
            query = select(_TABLE).where(*conditions).order_by(_ROW.id).limit(limit + 1)
            rows = (await connection.execute(query)).all()
        return SessionPage(tuple(map(_session, rows[:limit])), len(rows) > limit, revision)

    async def revoke(self, *, session_id: str = "", user_id: str = "") -> Ended:
        """As `SessionStore.revoke`."""
        async with self._database.writing() as writing:
            which = _ROW.id == session_id if session_id else _ROW.user_id == user_id
            valid = select(_ROW.id).where(which, _ROW.revoked_at.is_(None), _ROW.expires_at > writing.now)
            ids = list((await writing.connection.execute(valid.order_by(_ROW.id))).scalars())
            await _end(writing, ids)
            # With nothing to end, the last revision there is refuses it already.
            return Ended(len(ids), writing.revision if ids else writing.revision - 1)


async def _end(writing: Writing, ids: Sequence[str]) -> None:
    for session_id in ids:
        ended = update(_TABLE).where(_ROW.id == session_id)
        await writing.connection.execute(ended.values(revoked_at=writing.now, revision=writing.revision))
        writing.changed(RowKind.SESSION, session_id, ChangeKind.UPDATED, [lookup_of(session_id)])


async def _make_room(writing: Writing, user_id: str) -> None:
    """Ends the user's oldest sessions, so that there is room for one more."""
    valid = select(_ROW.id).where(_ROW.user_id == user_id, _ROW.revoked_at.is_(None), _ROW.expires_at > writing.now)
    newest_first = valid.order_by(_ROW.created_at.desc(), _ROW.id).offset(MAX_PER_USER - 1)
    await _end(writing, list((await writing.connection.execute(newest_first)).scalars()))


async def _sweep(writing: Writing) -> None:
    """Takes expired ones away, the oldest first. Nobody is told: their tokens have expired with them."""
    expired = select(_ROW.id).where(_ROW.expires_at <= writing.now).order_by(_ROW.expires_at).limit(SWEPT_AT_ONCE)
    ids = list((await writing.connection.execute(expired)).scalars())
    if ids:
        await writing.connection.execute(delete(_TABLE).where(_ROW.id.in_(ids)))


def _session(row: Row[Any]) -> Session:
    kept = json.loads(row.claims)
    return Session(
        id=row.id,
        user_id=row.user_id,
        email=kept["email"],
        role=kept["role"],
        login_method=LoginMethod(kept["login_method"]),
        created_at=row.created_at,
        expires_at=row.expires_at,
        caller=row.caller,
        revoked_at=row.revoked_at,
    )
