"""What is changed over DirectoryService is what the daemon's next answers go by, from the revision that it answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from commands import server_beside, usherd
from tools.changing import ROUTE, Daemon
from tools.directory_world import Client
from usherd.domain import Question
from usherd.rpc.dial import connected, dial

COMPANY = "teams: [{id: red, models: [gpt-4o], max_budget: 1}]\nusers: [{id: alice, teams: [red]}]\n"


class Kept:
    """A daemon whose directory is in a database, and the ways to it."""

    def __init__(self, folder: Path, address: str, daemon: Daemon, channel: grpc.aio.Channel) -> None:
        self.folder = folder
        self.address = address
        self._daemon = daemon
        self.call = Client(channel)

    async def reason(self, revision: str) -> str:
        """Of an answer that is at least so fresh."""
        question = Question(token=self._daemon.token(), route=ROUTE, method="POST", model="gpt-4o")
        async with dial(self.address) as client:
            decision = await client.check(question, at_least_as_fresh=revision, timeout=20)
        return decision.verdict.reason.name

    async def directory(self, *arguments: str, typed: str = "") -> str:
        """What `usherd directory` says."""
        command = ("directory", *arguments, "--server", self.address)
        done = await asyncio.to_thread(usherd, *command, typed=typed)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    daemon = Daemon(tmp_path)
    daemon.configure(directory={"url": "sqlite:///directory.db"})
    async with server_beside(tmp_path / "usherd.yaml") as (_, address), connected(address) as connection:
        yield Kept(tmp_path, address, daemon, connection.channel)


def _since(said: str) -> str:
    return said.split()[-1]


async def test_each_change_is_in_every_answer_from_its_revision_on(kept: Kept) -> None:
    applied = await kept.directory("apply", "-", typed=COMPANY)
    said = [await kept.reason(_since(applied))]
    said.append(await kept.reason(_since(await kept.directory("block", "team", "red"))))
    said.append(await kept.reason(_since(await kept.directory("unblock", "team", "red"))))
    spent: dict[str, Any] = {"owner": {"team_id": "red"}, "micro_usd": 1_000_001}
    said.append(await kept.reason((await kept.call("RecordUsage", usages=[spent])).revision))
    said.append(await kept.reason((await kept.call("ResetUsage", owner={"team_id": "red"})).revision))
    said.append(await kept.reason((await kept.call("DeleteTeam", id="red")).revision))

    assert said == ["ALLOWED", "TEAM_BLOCKED", "ALLOWED", "TEAM_BUDGET_EXHAUSTED", "ALLOWED", "ROUTE_NOT_GRANTED"]


async def test_an_export_of_the_daemons_directory_is_there_already(kept: Kept) -> None:
    await kept.directory("apply", "-", typed=COMPANY)

    exported = await kept.directory("export")
    again = await kept.directory("apply", "-", "--prune", "--dry-run", typed=exported)

    assert again == "0 to create, 0 to update, 0 to delete, 3 as they should be\n"


async def test_whoever_watches_the_daemon_hears_of_a_change_in_the_database(kept: Kept) -> None:
    events = kept.call.watch()
    await anext(events)

    await kept.directory("apply", "-", typed=COMPANY)

    heard = set[str]()
    async with asyncio.timeout(20):
        async for event in events:
            heard.add(event.change.id)
            if {"red", "alice"} <= heard:
                break
    await events.aclose()  # type: ignore[attr-defined]
