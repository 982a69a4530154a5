"""Replicas that read one kept directory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from usherd.ports import Wanted
from usherd.store import Row
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.rows import kind_of, row_id
from usherd.stores.sql.sql_directory import HouseDirectory, Reading, SqlDirectory, opened_directory
from usherd.stores.sql.sql_store import SqlStore, store_in

ISSUER = "idp"
ANN = Wanted(issuer=ISSUER, user="ann", teams=("red",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    store: SqlStore
    shared: SqlDirectory
    house: HouseDirectory
    told: list[bool]

    async def blocked(self) -> bool | None:
        """Whether the team red is blocked; None: it is not there."""
        team = (await self.house.facts([ANN])).team(ISSUER, "red")
        return None if team is None else team.blocked

    async def blocked_within(self, seconds: float) -> float:
        """Seconds until the team red is blocked here."""
        begun = time.perf_counter()
        async with asyncio.timeout(seconds):
            while not await self.blocked():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return time.perf_counter() - begun


@asynccontextmanager
async def replica(
    url: str,
    reading: Reading = Reading(),  # noqa: B008
    *,
    notifies: bool = True,
    bare_ids_for: str | None = ISSUER,
    stopwatch: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Replica]:
    told: list[bool] = []
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened_database(url, upgrade=True, notifies=notifies))
        store = await stack.enter_async_context(store_in(database, bare_ids_for=bare_ids_for))
        shared = await stack.enter_async_context(
            opened_directory(store, reading, stopwatch=stopwatch, tell=lambda works, _: told.append(works))
        )
        shared.answer_for(bare_ids_for)
        yield Replica(store=store, shared=shared, house=shared.house(bare_ids_for), told=told)


def named(row: Row) -> tuple[int, tuple[str, ...]]:
    return int(kind_of(row)), row_id(row)
