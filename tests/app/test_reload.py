"""A changed configuration takes effect while questions are answered: all at once, or not at all."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired

import pytest

from keyring import key_pair, key_set
from tools.changing import Daemon, running
from tools.waiting import PATIENCE, until


def test_a_change_is_seen_by_every_question_after_it_and_no_call_fails(tmp_path: Path) -> None:
    asked: list[tuple[float, str]] = []
    with running(tmp_path) as daemon:
        token, stop = daemon.token(), threading.Event()

        def ask() -> None:
            while not stop.is_set():
                began = time.monotonic()
                asked.append((began, daemon.reason(token)))

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for each in askers:
            each.start()
        try:
            until(lambda: len(asked) > 100)
            daemon.write("directory.yaml", {"teams": [{"id": "red", "models": ["gpt-4o"], "blocked": True}]})
            daemon.wait_for("reloaded")
            changed = time.monotonic()
            until(lambda: len([began for began, _ in asked if began > changed]) > 100)
        finally:
            stop.set()
            for each in askers:
                each.join()

    # A call that failed would have ended its thread.
    assert {reason for _, reason in asked} == {"ALLOWED", "TEAM_BLOCKED"}
    assert {reason for began, reason in asked if began > changed} == {"TEAM_BLOCKED"}


def test_a_signal_reads_the_configuration_again(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        token = daemon.token()
        assert daemon.reason(token) == "ALLOWED"
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.wait_for("reloaded")["changed"] == 0
        assert daemon.reason(token) == "ALLOWED"
        assert daemon.process.poll() is None


def test_a_tightened_issuer_is_obeyed_by_tokens_that_are_remembered(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        token = daemon.token()
        assert [daemon.reason(token) for _ in range(3)] == ["ALLOWED"] * 3
        daemon.configure(issuer={"audiences": ["another"]})
        daemon.wait_for("reloaded")

        assert daemon.reason(token) == "AUDIENCE_MISMATCH"
        assert daemon.reason(daemon.token(aud="another")) == "ALLOWED"


def test_a_configuration_that_does_not_load_changes_nothing_and_is_told_with_its_line(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        token = daemon.token()
        daemon.configure(rolls=[])
        refused = daemon.wait_for("reload_refused")
        assert daemon.reason(token) == "ALLOWED"
        daemon.configure(access={"user.unknown": "refused"})
        daemon.wait_for("reloaded")
        assert daemon.reason(token) == "USER_UNKNOWN"

    assert (refused["level"], refused["file"], refused["line"]) == ("error", "usherd.yaml", 1)
    assert (refused["key"], refused["problem"]) == ("rolls", "unknown key; did you mean roles?")


def test_a_signal_is_answered_by_the_problems_although_they_were_told_before(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        daemon.configure(rolls=[])
        first = daemon.wait_for("reload_refused")
        daemon.process.send_signal(signal.SIGHUP)
        again = daemon.wait_for("reload_refused", 2)

    assert {**again, "timestamp": first["timestamp"]} == first
    assert again["timestamp"] > first["timestamp"]


def test_keys_that_cannot_be_loaded_do_not_take_the_place_of_good_ones(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        token = daemon.token()
        daemon.configure(issuer={"keys": {"jwks_url": "https://127.0.0.1:1/keys"}})
        refused = daemon.wait_for("reload_refused")
        assert daemon.reason(token) == "ALLOWED"

        daemon.write("keys.json", {"keys": []})
        daemon.configure()
        daemon.wait_for("reload_refused", 2)
        assert daemon.reason(token) == "ALLOWED"

    assert "issuer idp" in refused["problem"]


def test_a_file_of_keys_that_changes_is_read_again(tmp_path: Path) -> None:
    other = key_pair("Ed25519", "k2")
    with running(tmp_path) as daemon:
        assert daemon.reason(daemon.token(other)) == "UNKNOWN_KEY"
        daemon.write("keys.json", key_set(other))
        daemon.wait_for("reloaded")

        assert daemon.reason(daemon.token(other)) == "ALLOWED"
        assert daemon.reason(daemon.token()) == "UNKNOWN_KEY"


def test_a_change_during_a_reload_is_seen_too(tmp_path: Path) -> None:
    with running(tmp_path) as daemon, socket.create_server(("127.0.0.1", 0)) as silent:
        token = daemon.token()
        slow = {"name": "slow", "issuer": "https://slow.example", "audiences": ["gateway"]}
        keys = {"jwks_url": f"http://127.0.0.1:{silent.getsockname()[1]}/keys"}
        daemon.issuer["name"] = "idp"
        one = daemon.issuer
        daemon.write("directory.yaml", {"teams": [{"id": "red", "issuer": "idp", "models": ["gpt-4o"]}]})
        daemon.configure(issuers=[one, slow | {"keys": keys}], insecure={"loopback_http": True})
        # Its keys are waited for, for seconds; the files have been read.
        waiting, _ = silent.accept()
        with waiting:
            daemon.write("directory.yaml", {"teams": [{"id": "red", "issuer": "idp", "models": ["o1"]}]})
            time.sleep(1)
        daemon.wait_for("reloaded", 2)

        assert daemon.reason(token) == "MODEL_NOT_GRANTED"


def test_what_is_missing_is_waited_for(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        token = daemon.token()
        daemon.configure(directory={"seed": "later.yaml"})
        daemon.wait_for("reload_refused")
        assert daemon.reason(token) == "ALLOWED"
        daemon.write("later.yaml", {"teams": [{"id": "red", "models": ["o1"]}]})
        daemon.wait_for("reloaded")

        assert daemon.reason(token) == "MODEL_NOT_GRANTED"


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        token = daemon.token()
        (tmp_path / "directory.yaml").unlink()
        os.mkfifo(tmp_path / "directory.yaml")
        assert daemon.wait_for("reload_refused")["problem"] == "is no regular file"
        assert daemon.reason(token) == "ALLOWED"
        daemon.process.terminate()
        assert daemon.process.wait(PATIENCE) == 0


def test_a_signal_never_ends_a_server(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        daemon.issuer["keys"] = {"jwks_url": f"http://127.0.0.1:{silent.getsockname()[1]}/keys"}
        daemon.configure(insecure={"loopback_http": True})
        process = Popen(
            [sys.executable, "-m", "usherd", "serve", "--config", str(tmp_path / "usherd.yaml")], stderr=DEVNULL
        )
        try:
            # It waits for its keys.
            waiting, _ = silent.accept()
            process.send_signal(signal.SIGHUP)
            with waiting, pytest.raises(TimeoutExpired):
                process.wait(1.0)
        finally:
            process.kill()
            process.wait()


def test_what_takes_effect_at_start_only_is_told(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        limits = {"address": "127.0.0.1:0", "limits": {"concurrency": 7}}
        daemon.configure(server=limits, telemetry={"level": "debug"})
        told = daemon.wait_for("reload_needs_restart")
        assert daemon.wait_for("reloaded")["changed"] == 0

    assert sorted(told["keys"].split(", ")) == ["log_level", "server.concurrency"]


@pytest.mark.parametrize("asked_to", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_reloading_ends_when_it_is_told_to(tmp_path: Path, asked_to: signal.Signals) -> None:
    with running(tmp_path) as daemon:
        # Nobody answers there (RFC 5737): the first load of these keys would take its whole time.
        daemon.configure(issuer={"keys": {"jwks_url": "https://192.0.2.1/keys"}})
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(1.5)
        daemon.process.send_signal(asked_to)

        assert daemon.process.wait(PATIENCE) == 0
