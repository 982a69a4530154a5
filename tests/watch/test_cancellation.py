"""A client may go away at any moment: nothing is left of it, and nothing that was to be said is lost to others."""

from __future__ import annotations

import asyncio

import pytest

from tools.living_core import Core, living, reasons


def _slow(core: Core) -> None:
    """Reading the directory takes several turns of the event loop."""
    judging = core.hub.judging
    assert judging is not None
    facts = judging._directory.facts

    async def slowly(wanted: object) -> object:
        for _ in range(4):
            await asyncio.sleep(0)
        found = await facts(wanted)  # type: ignore[arg-type]
        for _ in range(4):
            await asyncio.sleep(0)
        return found

    judging._directory.facts = slowly  # type: ignore[method-assign,assignment]


async def _cancelled_after(turns: int, task: asyncio.Task[object]) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("turns", range(14))
async def test_a_subscription_that_is_given_up_while_it_is_made_leaves_nothing(turns: int) -> None:
    async with living() as core:
        _slow(core)
        stream = core.stream()
        await _cancelled_after(turns, asyncio.ensure_future(core.add(stream)))
        stream.close()

    assert (core.hub.streams, core.hub.subscriptions, core.hub._index.entries) == (0, 0, 0)


@pytest.mark.parametrize("turns", range(20))
async def test_a_change_is_told_once_whenever_the_wait_for_it_was_given_up(turns: int) -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        _slow(core)
        core.block("t1")
        asked: asyncio.Task[object] = asyncio.ensure_future(stream.next())
        await _cancelled_after(turns, asked)
        told = [] if asked.cancelled() else [asked.result()]
        told += await core.events(stream)
        stream.close()

    assert list(reasons(told)) == ["TEAM_BLOCKED"]  # type: ignore[arg-type]
    assert core.hub._index.entries == 0


@pytest.mark.parametrize("turns", range(14))
async def test_a_stream_that_is_closed_while_it_is_looked_at_leaves_nothing_and_is_no_wave(turns: int) -> None:
    async with living() as core:
        gone, stays = core.stream(), core.stream()
        for stream in (gone, stays):
            await core.add(stream)
            await core.events(stream)
        _slow(core)
        core.block("t1")
        await _cancelled_after(turns, asyncio.ensure_future(gone.next()))
        gone.close()
        told = await core.events(stays)

    assert list(reasons(told)) == ["TEAM_BLOCKED"]
    assert core.told_after == [0.0]
    assert (core.hub.streams, core.hub.subscriptions) == (1, 1)
