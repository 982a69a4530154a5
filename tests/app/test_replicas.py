"""Two daemons on one database: what one of them is told, both answer by; none of it ends with either."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from commands import server, usherd
from tools.changing import ROUTE, Daemon
from tools.waiting import until
from usher_client import Client

LATE = 5.0
"""Seconds that a busy machine may take for what is a fraction of one."""


class Replicas(Daemon):
    """Daemons of one configuration."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.configure(directory={"url": "sqlite:///usher.db", "seed": "directory.yaml"}, telemetry={"log": "json"})
        self.stack = ExitStack()

    def start(self) -> tuple[str, Client]:
        _, address = self.stack.enter_context(server(self.folder / "usherd.yaml"))
        return address, self.stack.enter_context(Client(address))


@pytest.fixture(name="replicas")
def _replicas(tmp_path: Path) -> Iterator[Replicas]:
    replicas = Replicas(tmp_path)
    with replicas.stack:
        yield replicas


def reason(client: Client, token: str) -> str:
    return client.authorize(token, ROUTE, "gpt-4o", deadline=10.0).reason


def test_a_team_that_is_blocked_on_one_is_blocked_on_both_and_stays_so(replicas: Replicas) -> None:
    (here, one), (_, other) = replicas.start(), replicas.start()
    token = replicas.token()
    assert [reason(client, token) for client in (one, other)] == ["ALLOWED", "ALLOWED"]

    done = usherd("directory", "block", "team", "red", "--server", here)
    begun = time.monotonic()
    assert done.returncode == 0, done.stderr
    # It counts at once where it was said.
    assert reason(one, token) == "TEAM_BLOCKED"
    until(lambda: reason(other, token) == "TEAM_BLOCKED")
    assert time.monotonic() - begun < LATE

    _, third = replicas.start()
    assert reason(third, token) == "TEAM_BLOCKED"


def test_what_one_was_told_before_it_was_killed_is_not_lost(replicas: Replicas) -> None:
    with server(replicas.folder / "usherd.yaml") as (process, address):
        done = usherd("directory", "block", "team", "red", "--server", address)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert done.returncode == 0, done.stderr
    _, after = replicas.start()
    assert reason(after, replicas.token()) == "TEAM_BLOCKED"


def test_a_database_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    replicas = Replicas(tmp_path)
    replicas.configure(directory={"url": "postgresql://usher@127.0.0.1:1/usher"})

    done = usherd("serve", "--config", str(tmp_path / "usherd.yaml"))

    assert done.returncode == 2
    assert "directory.url: the database is out of reach: " in done.stderr
    assert "usher@127.0.0.1" not in done.stderr
