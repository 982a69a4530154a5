"""Tells what a database's change log says when a test wants it told."""

from __future__ import annotations

import json
from collections.abc import Callable

from sqlalchemy import select

from usherd.changes import Listening, Lookup, News, Sought
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database


class LogFeed:
    """The change log of a database, from its head on."""

    def __init__(self, database: Database, after: int = 1) -> None:
        self._database = database
        self._after = after
        self._hearing: list[Listening] = []
        self.current = True

    def listen(self, hear: Listening) -> Callable[[], None]:
        self._hearing.append(hear)
        return lambda: self._hearing.remove(hear)

    async def told(self) -> None:
        """Everything that happened meanwhile, one piece of news for each transaction."""
        log = schema.change_log.c
        async with self._database.reading() as connection:
            query = select(schema.change_log).where(log.revision > self._after).order_by(log.revision, log.place)
            rows = (await connection.execute(query)).all()
        for revision in sorted({row.revision for row in rows}):
            found = [json.loads(row.lookups) for row in rows if row.revision == revision]
            lookups = tuple(Lookup(Sought(n), tuple(key)) for each in found for n, *key in each)
            self.tell(News(revision, frozenset(), lookups, 0.0))
            self._after = revision

    def tell(self, news: News) -> None:
        for hear in tuple(self._hearing):
            hear(news)

    @property
    def listeners(self) -> int:
        return len(self._hearing)
