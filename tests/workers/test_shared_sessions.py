"""Sessions are told over HTTP by every worker at one address, whichever of them made them and whichever ends."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest

from commands import usherd
from tools.kept_workers import At, KeptWorkers
from tools.waiting import until
from usherd.workers.port import kept


def told(address: str, token: str) -> tuple[int, str]:
    """Status and user of one question over a connection of its own; 0 where there was no answer."""
    host, _, port = address.rpartition(":")
    request = f"GET /sso/session/validate HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    try:
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(request.encode())
            with connection.makefile("rb") as answer:
                head, _, body = answer.read().partition(b"\r\n\r\n")
    except OSError:
        return 0, ""
    status = int(head.split()[1])
    return status, json.loads(body)["data"]["user"] if status == 200 else ""


async def asked(address: str, token: str, times: int) -> set[tuple[int, str]]:
    return {await asyncio.to_thread(told, address, token) for _ in range(times)}


async def made(at: At) -> tuple[str, str]:
    """The id and the token of another session."""
    answer = await at.sessions("CreateSessionForUser", user_id="alice")
    return answer.session.id, answer.token


@pytest.mark.slow
async def test_every_worker_tells_a_session_of_each_and_goes_on_when_another_is_dead(workers: KeptWorkers) -> None:
    await asyncio.to_thread(workers.wait_for, "sessions_served", 2)
    served = workers.events("sessions_served")
    (address,) = {event["address"] for event in served}
    async with workers.at(1) as one, workers.at(2) as other:
        (_, token), (ended, over) = await made(one), await made(other)
        for each in (token, over):
            assert await asked(address, each, 20) == {(200, "alice")}
        await one.sessions("RevokeSessions", session_id=ended)
        await asyncio.to_thread(until, lambda: {told(address, over) for _ in range(10)} == {(401, "")})
    for dead in (1, 2):
        # Stopped, it would keep its share; dead, it has none, and the other answers all.
        await asyncio.to_thread(workers.kill, dead)
        assert await asked(address, token, 20) == {(200, "alice")}
        await asyncio.to_thread(workers.serves, dead, 2)

    assert {event["worker"] for event in served} == {1, 2}
    assert not address.endswith(":0")
    assert {event["address"] for event in workers.events("sessions_served")} == {address}


def test_an_address_that_is_taken_is_refused_before_any_worker_starts(tmp_path: Path, sqlite_url: str) -> None:
    workers = KeptWorkers(tmp_path, sqlite_url)
    with kept("127.0.0.1:0") as taken:
        workers.configure(sessions={"key_encryption": "file:kek", "http": taken})
        done = usherd("serve", "--config", tmp_path / "usherd.yaml")

    assert done.returncode == 2
    assert "sessions.http: cannot listen: it is taken" in done.stderr
    assert "worker_started" not in done.stderr


@pytest.mark.parametrize("http", ["0.0.0.0:0", "nowhere.invalid:0"])
def test_an_address_that_may_not_be_is_told_once_and_by_its_name(tmp_path: Path, sqlite_url: str, http: str) -> None:
    workers = KeptWorkers(tmp_path, sqlite_url)
    workers.configure(sessions={"key_encryption": "file:kek", "http": http})
    done = usherd("serve", "--config", tmp_path / "usherd.yaml")

    assert done.returncode == 2
    assert done.stderr.count("sessions.http: ") == 1
