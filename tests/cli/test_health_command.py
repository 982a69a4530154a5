"""`usherd health` says to probes and scripts whether a server takes questions, and never more than yes or no."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from commands import usherd
from tools.changing import Daemon, running


def test_a_server_that_takes_questions_is_exit_code_0(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        whole = usherd("health", daemon.address)
        service = usherd("health", "--service", "usher.v1.AuthorizationService", env={"USHERD_SERVER": daemon.address})
        stranger = usherd("health", daemon.address, "--service", "another.v1.Service")

    assert (whole.returncode, whole.stdout, whole.stderr) == (0, "SERVING\n", "")
    assert (service.returncode, service.stdout) == (0, "SERVING\n")
    assert (stranger.returncode, stranger.stdout) == (2, "")


def test_a_server_that_takes_none_is_exit_code_1(tmp_path: Path) -> None:
    def without_keys(folder: Path) -> Daemon:
        daemon = Daemon(folder)
        keys = {"jwks_url": "http://127.0.0.1:1/keys"}
        daemon.configure(issuer={"keys": keys}, insecure={"loopback_http": True})
        return daemon

    with running(tmp_path, without_keys) as daemon:
        done = usherd("health", daemon.address)

    assert (done.returncode, done.stdout) == (1, "NOT_SERVING\n")


def test_no_answer_is_exit_code_2() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        hanging = usherd("health", address, "--timeout", "0.5")
    nobody = usherd("health", address, "--timeout", "0.5")
    nowhere = usherd("health", "nowhere")

    assert [done.returncode for done in (hanging, nobody, nowhere)] == [2, 2, 2]
    assert [done.stdout for done in (hanging, nobody, nowhere)] == ["", "", ""]
    assert f"{address}: no answer" in nobody.stderr
    assert "expected host:port" in nowhere.stderr


def test_a_server_that_tells_its_callers_apart_may_close_its_health_to_others(tmp_path: Path) -> None:
    def closed(folder: Path) -> Daemon:
        daemon = Daemon(folder)
        (folder / "credential").write_text(secrets.token_hex(32))
        caller = {"name": "probe", "credential": ["file:credential"], "rpcs": ["grpc.health.v1.Health/*"]}
        daemon.configure(callers=[caller], server={"address": "127.0.0.1:0", "health": "callers"})
        return daemon

    with running(tmp_path, closed) as daemon:
        stranger = usherd("health", daemon.address)
        known = usherd("health", daemon.address, "--credential-file", tmp_path / "credential")

    assert (stranger.returncode, known.returncode) == (2, 0)
    assert "CALLER_UNKNOWN" in stranger.stderr
