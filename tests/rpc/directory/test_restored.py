"""Whoever watches the changes of a database that is restored is told so, and hears what comes after."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest

from tools.directory_world import Client, Failed, directory
from usherd.rpc.directory import watch
from usherd.store import Changes
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.sql_store import SqlStore


class Watched(SqlStore):
    """A store that tells how often it was looked at."""

    heads = reads = 0

    async def head(self) -> int:
        self.heads += 1
        return await super().head()

    async def changes(self, after: int, limit: int = 1000) -> Changes:
        self.reads += 1
        return await super().changes(after, limit)


class World:
    """A directory in a file, and a backup of it."""

    def __init__(self, file: Path, store: Watched, call: Client) -> None:
        self._file = file
        self._backup = file.with_name("backup.db")
        self._organizations = 0
        self.store = store
        self.call = call

    async def write(self, times: int = 1) -> None:
        for _ in range(times):
            self._organizations += 1
            await self.call("CreateOrganization", organization={"id": f"o{self._organizations}"})

    def back_up(self) -> None:
        _copy(self._file, self._backup)

    def restore(self) -> None:
        _copy(self._backup, self._file)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.fixture(name="world")
async def _world(tmp_path: Path) -> AsyncIterator[World]:
    file = tmp_path / "directory.db"
    async with opened_database(f"sqlite:///{file}", upgrade=True) as database:
        store = Watched(database)
        async with directory(store) as call:
            yield World(file, store, call)
        await store.close()


async def caught_up(events: AsyncIterator[Any]) -> list[str]:
    """The rows of which is told before there is no more."""
    found = []
    async for event in events:
        if event.WhichOneof("event") == "change":
            found.append(event.change.id)
        elif event.checkpoint.caught_up:
            return found
    raise AssertionError("the stream ended")


async def _until_it_fails(events: AsyncIterator[Any]) -> AsyncIterator[str]:
    """The kinds of the events, and at last how the stream ends."""
    try:
        async for event in events:
            yield event.WhichOneof("event")
    except Failed as failed:
        yield str(failed)


@pytest.mark.parametrize("further", [0, 1, 2, 3])
async def test_whoever_has_heard_what_is_lost_is_told_to_list_everything_anew(
    world: World, further: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE", 0.1)
    await world.write()
    world.back_up()
    async with asyncio.timeout(30), aclosing(world.call.watch()) as events:
        assert await caught_up(events) == []
        await world.write()
        assert await caught_up(events) == ["o2"]
        world.restore()
        # As many revisions as were lost, and more: only what was committed then tells them from those.
        await world.write(further)

        told = [each async for each in _until_it_fails(events)]

    assert told[-1].startswith("StatusCode.OUT_OF_RANGE CHANGES_COMPACTED")
    assert "change" not in told


async def test_whoever_comes_after_hears_what_comes_and_keeps_nobody_busy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE", 600)
    world.back_up()
    async with asyncio.timeout(30), aclosing(world.call.watch()) as events:
        await caught_up(events)
        await world.write(3)
        while "o3" not in await caught_up(events):
            pass
        world.restore()

        async with aclosing(world.call.watch()) as later:
            assert await caught_up(later) == []
            looked, read = world.store.heads, world.store.reads
            while world.store.heads < looked + 5:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            # A read or two until it is known here that there are fewer revisions now.
            assert world.store.reads - read < 5
            await world.write()
            while not (heard := await caught_up(later)):
                pass

    assert heard == ["o4"]
