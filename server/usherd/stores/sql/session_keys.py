"""The keys that sign sessions in a database, which all replicas share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from usherd.session_store import SealedKey
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database

MAX_KEYS = 100
"""Keys that are read at most: rotation leaves a handful."""

_TABLE = schema.session_keys
_ROW = _TABLE.c


class SqlSessionKeys:
    """`SessionKeyStore` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keys(self) -> Sequence[SealedKey]:
        """As `SessionKeyStore.keys`."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(_kept(self._database.clock()))).all()
        return [_key(row) for row in reversed(rows)]

    async def add(self, key: SealedKey, instead_of: str | None) -> bool:
        """As `SessionKeyStore.add`."""
        # Nobody else writes meanwhile, so that whoever comes second finds the other's key.
        async with self._database.writing() as writing:
            row = (await writing.connection.execute(_kept(writing.now).limit(1))).one_or_none()
            if (None if row is None else row.kid) != instead_of:
                return False
            await writing.connection.execute(delete(_TABLE).where(_ROW.verifies_until <= writing.now))
            values = {
                "kid": key.kid,
                "public": key.public,
                "sealed": key.sealed,
                "created_at": key.created_at,
                "signs_until": key.signs_until,
                "verifies_until": key.verifies_until,
            }
            await writing.connection.execute(insert(_TABLE), [values])
            return True

    async def reseal(self, kid: str, before: bytes, after: bytes) -> None:
        """As `SessionKeyStore.reseal`."""
        async with self._database.writing() as writing:
            same = update(_TABLE).where(_ROW.kid == kid, _ROW.sealed == before)
            await writing.connection.execute(same.values(sealed=after))


def _kept(now: float) -> Any:
    newest_first = (_ROW.created_at.desc(), _ROW.kid)
    return select(_TABLE).where(_ROW.verifies_until > now).order_by(*newest_first).limit(MAX_KEYS)


def _key(row: Row[Any]) -> SealedKey:
    return SealedKey(
        kid=row.kid,
        public=row.public,
        sealed=bytes(row.sealed),
        created_at=row.created_at,
        signs_until=row.signs_until,
        verifies_until=row.verifies_until,
    )
