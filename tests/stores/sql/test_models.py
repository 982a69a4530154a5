"""The whole catalogue of a database: each model once, by name, and no more than are wanted."""

from __future__ import annotations

import pytest

from stores.sql.making import apply
from usherd.store import ModelRow
from usherd.stores.sql.database import Database
from usherd.stores.sql.models import models_in
from usherd.stores.sql.sql_store import SqlStore

NAMES = ["a", "B", "b", "ä", "z", "Z", "a/*", "\uffee", "🚀", *(f"m{number}" for number in range(450))]


@pytest.mark.parametrize("most", [0, 1, 200, 201, 459, 460, 10_000])
async def test_each_is_there_once_in_the_order_of_code_points(store: SqlStore, database: Database, most: int) -> None:
    await apply(store, *(ModelRow(name=name, provider="p", groups=("g",), aliases=(f"x{name}",)) for name in NAMES))

    found = await models_in(database, most)

    assert [row.name for row in found] == sorted(NAMES)[:most]
    assert {(row.provider, row.groups) for row in found} <= {("p", ("g",))}
    assert [row.aliases for row in found] == [(f"x{row.name}",) for row in found]


async def test_an_empty_database_has_none(store: SqlStore, database: Database) -> None:
    assert await models_in(database, 10) == ()
