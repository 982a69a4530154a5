"""Measures many edits of a kept directory in one transaction, beside such edits alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import event

from bench.report import Figure
from usherd.facts import Membership, Organization, Team, User
from usherd.store import Edit, Op, Place, Row
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.rows import kind_of, row_id
from usherd.stores.sql.sql_store import SqlStore, store_in

MANY = 1000
ALONE = 100
MIN_ALONE_OVER_AT_ONCE = 10
"""How many times as many statements a row takes alone as among a thousand, at the least."""


def measure(folder: Path, rounds: int) -> list[Figure]:
    """Rows a second, and statements a row, in an SQLite."""
    return asyncio.run(_measure(f"sqlite:///{folder}/edits.db", rounds))


async def _measure(url: str, rounds: int) -> list[Figure]:
    speeds: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    async with opened_database(url, upgrade=True) as database, store_in(database, bare_ids_for="idp") as store:
        sent = 0

        def send(*_: object) -> None:
            nonlocal sent
            sent += 1

        event.listen(database.engine.sync_engine, "before_cursor_execute", send)
        await _apply(store, [Organization(id="o"), Team(id="t", organization="o")])
        for number in range(rounds):
            many, alone = _rows(f"many-{number}", MANY), _rows(f"alone-{number}", ALONE)
            for name, rows in many.items():
                sent, begun = 0, time.perf_counter()
                await _apply(store, rows)
                speeds.setdefault(f"{name}, 1,000 at once", []).append(MANY / (time.perf_counter() - begun))
                each = sent / MANY
                sent, begun = 0, time.perf_counter()
                for row in alone[name]:
                    await _apply(store, [row])
                speeds.setdefault(f"{name}, one at a time", []).append(ALONE / (time.perf_counter() - begun))
                ratios.setdefault(f"{name}: statements of a row, alone / at once", []).append(sent / ALONE / each)
    return [
        *(Figure(name, "rows/s", tuple(values)) for name, values in speeds.items()),
        *(Figure(name, "times", tuple(values), least=MIN_ALONE_OVER_AT_ONCE) for name, values in ratios.items()),
    ]


def _rows(prefix: str, count: int) -> Mapping[str, Sequence[Row]]:
    users = [
        User(id=f"{prefix}-{each}", email="e@x", identities=(("idp", f"{prefix}/{each}"),), organizations=("o",))
        for each in range(count)
    ]
    return {
        "new users": users,
        "changed users": [replace(user, blocked=True) for user in users],
        "new places": [Place(team="t", user=user.id, place=Membership(max_budget_micro_usd=5)) for user in users],
    }


async def _apply(store: SqlStore, rows: Sequence[Row]) -> None:
    await store.apply([Edit(Op.PUT, kind_of(row), row_id(row), row) for row in rows])
