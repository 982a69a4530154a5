"""Workers are processes: one that ends is followed by another, none outlives its supervisor or takes another along."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import PATIENCE, environment, usherd
from tools.changing import running
from tools.ports import free_port
from tools.waiting import until
from tools.watched import fetched, metrics_address
from tools.workers import ALLOWED, Workers, cumulative, lives, value
from usher_client import Client


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Workers]:
    with running(tmp_path, Workers) as started:
        assert isinstance(started, Workers)
        yield started


def ask(daemon: Workers) -> str:
    """The reason, over a connection of its own: any worker may have it."""
    with Client(daemon.address) as client:
        return client.authorize(daemon.token(), "/v1/chat/completions", "gpt-4o", deadline=10.0).reason


def test_both_answer_at_one_port_and_their_log_lines_have_their_numbers(tmp_path: Path) -> None:
    def talkative(folder: Path) -> Workers:
        daemon = Workers(folder)
        daemon.configure(telemetry={"metrics": "127.0.0.1:0", "log": "json", "level": "debug"})
        return daemon

    with running(tmp_path, talkative) as daemon:
        assert isinstance(daemon, Workers)
        answers = {ask(daemon) for _ in range(50)}
        serving = value(metrics_address(tmp_path), "usherd_workers", state="serving")

    assert answers == {"ALLOWED"}
    # Each of fifty connections is one's or the other's by chance.
    assert {event["worker"] for event in daemon.events("decision")} == {1, 2}
    assert len(daemon.events("decision")) == 50
    assert {(event["worker"], event["address"]) for event in daemon.events("serving")} == {
        (1, daemon.address),
        (2, daemon.address),
    }
    assert not daemon.address.endswith(":0")
    assert serving == 2


@pytest.mark.slow
def test_a_killed_worker_is_followed_by_another_and_no_counter_goes_backwards(daemon: Workers) -> None:
    address = metrics_address(daemon.folder)
    for _ in range(12):
        assert ask(daemon) == "ALLOWED"
    before = cumulative(address)
    first = daemon.pid(1)
    daemon.kill(1)
    while_away = cumulative(address)
    assert [ask(daemon) for _ in range(5)] == ["ALLOWED"] * 5
    daemon.serves(1, 2)
    for _ in range(12):
        assert ask(daemon) == "ALLOWED"
    after = cumulative(address)

    assert daemon.pid(1) != first
    assert value(address, "usherd_decisions_total", **ALLOWED) == 29
    assert value(address, "usherd_call_duration_seconds_count", method="Authorize") == 29
    assert value(address, "usherd_worker_restarts_total") == 1
    assert [key for key in before if while_away.get(key, 0) < before[key]] == []
    assert [key for key in while_away if after.get(key, 0) < while_away[key]] == []
    ended = daemon.events("worker_ended")
    assert [(each["worker"], each["signal"]) for each in ended] == [(1, "SIGKILL")]


@pytest.mark.slow
def test_a_crash_loop_of_one_is_told_and_takes_no_other_down(daemon: Workers) -> None:
    address = metrics_address(daemon.folder)
    daemon.kill(2)
    failures, ended = [], threading.Event()

    def asks() -> None:
        # Connected while the second does not listen: this is the first one's.
        with Client(daemon.address) as client:
            while not ended.is_set():
                try:
                    answer = client.authorize(daemon.token(), "/v1/chat/completions", "gpt-4o", deadline=10.0)
                    failures.extend([] if answer.reason == "ALLOWED" else [answer.reason])
                except Exception as error:
                    failures.append(repr(error))

    asking = threading.Thread(target=asks)
    asking.start()
    for times in (2, 3):
        daemon.serves(2, times)
        daemon.kill(2)
    looping = daemon.wait_for("worker_crash_loop")
    status, told = fetched(address, "/readyz")
    seen = value(address, "usherd_workers_in_crash_loop")
    ended.set()
    asking.join(PATIENCE)

    assert failures == []
    assert looping["worker"] == 2
    assert (status, json.loads(told)["crash_loops"], seen) == (200, [2], 1)
    assert [each["worker"] for each in daemon.events("worker_ended")] == [2, 2, 2]
    waits = [each["again_in"] for each in daemon.events("worker_ended")]
    assert waits == sorted(waits)


@pytest.mark.slow
def test_no_worker_outlives_its_supervisor(daemon: Workers) -> None:
    pids = [daemon.pid(1), daemon.pid(2)]
    # One that stands still hears nothing, and must not stay either.
    os.kill(pids[1], signal.SIGSTOP)
    daemon.process.kill()
    daemon.process.wait(PATIENCE)

    until(lambda: not any(map(lives, pids)))


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_by_itself_is_followed_by_another(daemon: Workers) -> None:
    os.kill(daemon.pid(1), signal.SIGTERM)
    daemon.serves(1, 2)

    assert ask(daemon) == "ALLOWED"
    assert [(each["worker"], each["exit_code"]) for each in daemon.events("worker_ended")] == [(1, 0)]


def test_a_second_signal_kills_all(tmp_path: Path) -> None:
    with running(tmp_path, Workers) as daemon:
        assert isinstance(daemon, Workers)
        pids = [daemon.pid(1), daemon.pid(2)]
        # It does not drain: something holds it.
        os.kill(pids[0], signal.SIGSTOP)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("draining")
        daemon.process.send_signal(signal.SIGTERM)
        code = daemon.process.wait(PATIENCE)

        until(lambda: not any(map(lives, pids)))
    assert code == -signal.SIGTERM


def test_what_no_worker_could_do_is_said_once_and_is_the_exit_code(tmp_path: Path) -> None:
    daemon = Workers(tmp_path)
    daemon.write("keys.json", {"keys": []})
    done = usherd("serve", "--config", tmp_path / "usherd.yaml")

    assert done.returncode == 2
    assert done.stderr.count("issuer idp: keys: no_usable_key") == 1
    assert done.stdout == ""


def test_a_port_where_somebody_listens_is_refused_although_they_would_share_it(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        Workers(tmp_path).configure(server={"address": f"127.0.0.1:{other.getsockname()[1]}", "workers": 2})
        done = usherd("serve", "--config", tmp_path / "usherd.yaml")

    assert done.returncode == 2
    assert "server.address: cannot listen: it is taken" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_daemon_does_not_get_a_share(daemon: Workers, workers: str) -> None:
    address = daemon.address
    done = usherd("serve", "--config", daemon.folder / "usherd.yaml", "--address", address, "--workers", workers)

    assert done.returncode == 2
    assert "server.address: cannot listen: it is taken" in done.stderr


def test_workers_do_not_join_a_daemon_with_one(tmp_path: Path) -> None:
    def alone(folder: Path) -> Workers:
        daemon = Workers(folder)
        daemon.configure(server={"address": "127.0.0.1:0"})
        return daemon

    with running(tmp_path, alone) as daemon:
        options = ("--address", daemon.address, "--workers", "2")
        done = usherd("serve", "--config", tmp_path / "usherd.yaml", *options)

    assert done.returncode == 2
    assert "server.address: cannot listen: it is taken" in done.stderr


@pytest.mark.parametrize("options", [("--workers", "2"), ("--address", "unix:/tmp/usherd-none.sock")])
def test_a_unix_socket_is_for_one_worker_whoever_says_so(tmp_path: Path, options: tuple[str, str]) -> None:
    server = {"address": "unix:/tmp/usherd-none.sock"} if "--workers" in options else {"workers": 2}
    Workers(tmp_path).configure(server=server)
    done = usherd("serve", "--config", tmp_path / "usherd.yaml", *options)

    assert done.returncode == 2
    assert (
        "server.workers: is 2, and a unix: socket is for one; expected 1, or server.address: host:port" in done.stderr
    )


def test_a_terminal_ends_it_once_and_not_twice(tmp_path: Path) -> None:
    """What a terminal sends it sends to all at once: a worker must not take it for the second signal."""
    daemon = Workers(tmp_path)
    port = free_port()
    daemon.configure(server={"address": f"127.0.0.1:{port}", "workers": 2})
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "usherd", "serve", "--config", str(tmp_path / "usherd.yaml")],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(PATIENCE)
    finally:
        process.kill()
        process.communicate()

    assert code == 0
    stopped = [event.get("worker") for event in daemon.events("stopped")]
    assert sorted(stopped, key=str) == [1, 2, None]


def test_who_is_no_supervisor_cannot_make_a_worker(tmp_path: Path) -> None:
    Workers(tmp_path)
    done = usherd("serve", "--config", tmp_path / "usherd.yaml", "--as-worker", "{}")

    assert done.returncode == 2
    assert "expected --workers" in done.stderr
