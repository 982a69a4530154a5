"""A real server writes down its decisions, through rotations, reloads and its end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from commands import environment, server, usherd
from tools.changing import ROUTE, Daemon
from tools.log_lines import log_events
from tools.waiting import until
from usher_client import Client


@contextmanager
def _running(folder: Path, **log: Any) -> Iterator[Daemon]:
    daemon = Daemon(folder)
    daemon.configure(telemetry={"decision_log": {"file": "decisions.jsonl"} | log})
    with server(folder / "usherd.yaml") as (process, address), Client(address) as client:
        daemon.process, daemon.client = process, client
        yield daemon


def _lines(file: Path) -> list[dict[str, Any]]:
    return log_events(file)


def test_every_answer_has_its_line_at_the_end(tmp_path: Path) -> None:
    with _running(tmp_path, include=["route", "model"], principal=["team"]) as daemon:
        asked = [(daemon.token(), "gpt-4o"), (daemon.token(groups=["blue"]), "gpt-4o"), (daemon.token(), "o3")] * 3
        answers = [daemon.client.authorize(token, ROUTE, model, request_id="r-1") for token, model in asked]
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(20) == 0
    lines = _lines(tmp_path / "decisions.jsonl")

    assert [line["decision_id"] for line in lines] == [answer.decision_id for answer in answers]
    assert [line["reason"] for line in lines] == [answer.reason for answer in answers]
    assert [line["reason"] for line in lines[:3]] == ["ALLOWED", "NOT_ENTITLED", "MODEL_NOT_GRANTED"]
    assert {line["request_id"] for line in lines} == {"r-1"}
    assert {line["issuer"] for line in lines} == {"idp"}
    assert [line["principal"]["team"] for line in lines[:3]] == ["red", "", "red"]
    assert (tmp_path / "decisions.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("told", [False, True], ids=["not told", "SIGHUP"])
def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path, told: bool) -> None:
    file = tmp_path / "decisions.jsonl"
    with _running(tmp_path) as daemon:
        daemon.reason(daemon.token())
        until(lambda: len(_lines(file)) == 1)
        file.rename(tmp_path / "decisions.jsonl.1")
        if told:
            daemon.process.send_signal(signal.SIGHUP)
            until(file.exists)
            daemon.wait_for("reloaded")
        daemon.reason(daemon.token())
        until(file.exists)
        until(lambda: len(_lines(file)) == 1)

    assert len(_lines(tmp_path / "decisions.jsonl.1")) == 1


def test_another_log_takes_effect_with_the_next_start_and_that_is_said(tmp_path: Path) -> None:
    with _running(tmp_path) as daemon:
        log = {"file": "others.jsonl", "on_error": "refuse"}
        daemon.configure(telemetry={"decision_log": log, "traces": {"endpoint": "http://127.0.0.1:1"}})
        daemon.process.send_signal(signal.SIGHUP)
        told = daemon.wait_for("reload_needs_restart")

    keys = told["keys"].split(", ")
    assert {"decision_log.file", "decision_log.on_error"} <= set(keys)
    assert any(key.startswith("traces") for key in keys)
    assert not (tmp_path / "others.jsonl").exists()


def test_standard_output_has_decisions_and_nothing_else(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    socket = tmp_path / "s"
    daemon.configure(telemetry={"decision_log": {"stdout": True}}, server={"address": f"unix:{socket}"})

    with (tmp_path / "server.log").open("w") as log:
        command = [sys.executable, "-m", "usherd", "serve", "--config", str(tmp_path / "usherd.yaml")]
        process = Popen(command, env=environment(), stdout=PIPE, stderr=log, text=True)
    try:
        daemon.wait_for("serving")
        with Client(f"unix:{socket}") as client:
            decision = client.authorize(daemon.token(), ROUTE, "gpt-4o", deadline=10.0)
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=20)

    (line,) = [json.loads(each) for each in out.splitlines()]
    assert line["decision_id"] == decision.decision_id


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_log_that_cannot_be_written_is_a_mistake_that_names_its_key(tmp_path: Path, command: str) -> None:
    Daemon(tmp_path).configure(telemetry={"decision_log": {"file": "nowhere/decisions.jsonl"}})
    words = ("serve", "--config") if command == "serve" else ("config", "check")
    done = usherd(*words, tmp_path / "usherd.yaml")

    assert done.returncode == 2
    assert "telemetry.decision_log.file: cannot be written" in done.stderr
    assert "expected a file" in done.stderr
