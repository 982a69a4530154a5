"""Workers that share a database are one server: what one is told, all answer by, and none of it ends with any."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc.aio
import pytest

from tools.directory_world import Client, Failed
from tools.kept_workers import ALONE, COMPANY, At, KeptWorkers, kept_workers
from tools.waiting import until

pytestmark = pytest.mark.slow

SOON = 1.0
"""Seconds within which all have heard. Of several tries the quickest counts: the machine may be busy with others."""
TRIES = 3
Change = Callable[[], Awaitable[object]]


async def heard(other: At, token: str, changes: tuple[tuple[Change, str], ...]) -> list[float]:
    """Seconds from the moment a change is answered until a living decision elsewhere has the reason that follows."""
    took = []
    async with other.watching(token) as reasons:
        assert await anext(reasons) == "ALLOWED"
        for change, reason in changes:
            await change()
            begun = time.monotonic()
            assert await anext(reasons) == reason
            took.append(time.monotonic() - begun)
    return took


async def test_a_block_at_one_is_heard_by_living_decisions_of_the_other(workers: KeptWorkers) -> None:
    async with workers.at(1) as one, workers.at(2) as other:

        async def block() -> None:
            await one.directory("BlockTeam", id="red")

        async def unblock() -> None:
            await one.directory("UnblockTeam", id="red")

        changes = ((block, "TEAM_BLOCKED"), (unblock, "ALLOWED")) * TRIES
        took = await heard(other, workers.token(), changes)
        await one.directory("BlockTeam", id="red")
        # Counts at once where it was said, and for who asks anew elsewhere once it was heard.
        assert await one.reason(workers.token()) == "TEAM_BLOCKED"

    assert min(took[::2]) < SOON
    assert min(took[1::2]) < SOON


async def test_a_revocation_at_one_is_heard_by_living_decisions_of_the_other(workers: KeptWorkers) -> None:
    async with workers.at(1) as one, workers.at(2) as other:
        took = []
        for number in range(TRIES):
            token = workers.token(jti=f"t{number}")

            async def revoke(token: str = token) -> None:
                await one.revocations("Revoke", token=token)

            took += await heard(other, token, ((revoke, "TOKEN_REVOKED"),))
            assert await one.reason(token) == "TOKEN_REVOKED"

    assert min(took) < SOON


async def test_what_was_acknowledged_outlives_whoever_acknowledged_it(workers: KeptWorkers) -> None:
    acknowledged: list[tuple[str, str]] = []
    ended = asyncio.Event()

    async def write(name: str) -> None:
        number = 0
        while not ended.is_set():
            async with grpc.aio.insecure_channel(workers.address, options=ALONE) as channel:
                call = Client(channel)
                try:
                    while not ended.is_set():
                        number += 1
                        made = await call("CreateTeam", team={"id": f"{name}-{number}"})
                        acknowledged.append((made.team.id, made.revision))
                except Failed as failure:
                    # Its worker is dead, or it came while that was.
                    if failure.code is not grpc.StatusCode.UNAVAILABLE:
                        raise

    async with asyncio.TaskGroup() as writing:
        for name in "abcdefgh":
            writing.create_task(write(name))
        for worker in (1, 2):
            before = len(acknowledged)
            await asyncio.to_thread(until, lambda before=before: len(acknowledged) >= before + 20)
            await asyncio.to_thread(workers.kill, worker)
            await asyncio.to_thread(workers.serves, worker, 2)
        ended.set()

    async with workers.at(1) as one, workers.at(2) as other:
        for at in (one, other):
            assert await teams(at.directory) >= {team for team, _ in acknowledged}
    assert len({revision for _, revision in acknowledged}) == len(acknowledged) > 40


async def teams(call: Client) -> set[str]:
    """The ids of all."""
    found: set[str] = set()
    page = ""
    while True:
        answer = await call("ListTeams", page_size=1000, page_token=page)
        found |= {team.id for team in answer.teams}
        if not (page := answer.next_page_token):
            return found


def test_servers_that_begin_at_once_on_an_empty_database_fill_it_once(tmp_path: Path, shared_url: str) -> None:
    """The first worker of each begins with the others' first, and the rest with each other."""
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        folders = [tmp_path / name for name in "abc"]

        def start(folder: Path) -> KeptWorkers:
            folder.mkdir()
            return stack.enter_context(kept_workers(folder, shared_url))

        started = list(threads.map(start, folders))
        seeded = [event for each in started for event in each.events("directory_seeded")]
        aside = [event for each in started for event in each.events("directory_seed_left_aside")]
        failed = [event for each in started for event in each.events("worker_ended")]
        stores = {event["store"] for event in aside}

    assert (len(seeded), len(aside), failed) == (1, 5, [])
    assert seeded[0]["teams"] == len(COMPANY["teams"])
    assert len(stores) == 1
