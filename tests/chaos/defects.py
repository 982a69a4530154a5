"""Runs usherd with one defect, to show that the chaos finds it, or without notifications, to measure what they spare:
`python defects.py NAME serve --config FILE`."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from usherd.revoked import RevokedTokens
from usherd.store import Applied, Edit, Op, Stored
from usherd.stores.sql.database import Database
from usherd.stores.sql.entity_map import EntityMap
from usherd.stores.sql.feed import ChangeFeed
from usherd.stores.sql.sql_store import SqlStore


def no_notifications() -> None:
    """No defect: a database that tells nobody of changes."""
    genuine = Database.__init__

    def made(self: Any, *arguments: Any, **named: Any) -> None:
        genuine(self, *arguments, **(named | {"notifies": False}))

    Database.__init__ = made  # type: ignore[method-assign]


def the_feed_passes_over_teams() -> None:
    genuine = EntityMap.apply

    def apply(self: Any, revision: int, touched: Any) -> Any:
        left = [(at, lookup) for at, lookup in touched if lookup.sought.name not in ("TEAM", "TEAM_ALIAS")]
        return genuine(self, revision, left)

    EntityMap.apply = apply  # type: ignore[method-assign]


def revocations_are_not_heard() -> None:
    RevokedTokens._take = lambda self, told, revision: None  # type: ignore[method-assign]


def some_writes_are_answered_and_not_made() -> None:
    genuine, numbers = SqlStore.apply, itertools.count(1)

    async def apply(self: Any, edits: Sequence[Edit], request: Any = None) -> Any:
        if len(edits) == 1 and edits[0].op is Op.UPDATE and next(numbers) % 4 == 0:
            return Applied(await self.head(), (Stored(edits[0].row, edits[0].etag),))  # type: ignore[arg-type]
        return await genuine(self, edits, request)

    SqlStore.apply = apply  # type: ignore[method-assign]


def facts_are_never_too_old() -> None:
    ChangeFeed.fresh = property(lambda self: True)  # type: ignore[assignment,method-assign]


DEFECTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        no_notifications,
        the_feed_passes_over_teams,
        revocations_are_not_heard,
        some_writes_are_answered_and_not_made,
        facts_are_never_too_old,
    )
}

if __name__ == "__main__":
    from usherd.__main__ import main

    DEFECTS[sys.argv.pop(1)]()
    main()
