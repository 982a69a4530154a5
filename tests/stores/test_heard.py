"""A write has returned only when this replica answers by it, and is never failed by waiting for that."""

from __future__ import annotations

import asyncio

import pytest

from usherd.errors import DirectoryUnavailable
from usherd.store import Applied, Edit, Request
from usherd.stores import heard
from usherd.stores.heard import HeardStore


class Written:
    """A store whose writes are revision 7."""

    async def apply(self, edits: list[Edit], request: Request | None = None) -> Applied:
        return Applied(7, ())


async def test_a_write_returns_when_the_replica_is_there() -> None:
    asked: list[int] = []
    there = asyncio.Event()

    async def reach(revision: int) -> None:
        asked.append(revision)
        await there.wait()

    writing = asyncio.create_task(HeardStore(Written(), reach).apply([]))  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    before = writing.done()
    there.set()

    assert (await writing).revision == 7
    assert (before, asked) == (False, [7])


async def test_a_replica_that_hears_nothing_does_not_hold_up_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "PATIENCE", 0.01)

    async def never(revision: int) -> None:
        await asyncio.Event().wait()

    assert (await HeardStore(Written(), never).apply([])).revision == 7  # type: ignore[arg-type]


async def test_a_directory_that_is_away_again_does_not_fail_what_was_written() -> None:
    async def away(revision: int) -> None:
        raise DirectoryUnavailable

    assert (await HeardStore(Written(), away).apply([])).revision == 7  # type: ignore[arg-type]
