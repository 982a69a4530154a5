"""What manages a server's directory is open to this machine, or to callers with the right to it, and to nobody else."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from commands import server, usherd
from tools.changing import Daemon


def _fault(address: str, *arguments: str, **env: str) -> str:
    done = usherd("directory", *arguments, "--server", address, "--json", env=env)
    assert done.returncode == 2
    return str(json.loads(done.stdout)["fault"])


@pytest.mark.parametrize(("host", "fault"), [("127.0.0.1", "NO_STORE"), ("0.0.0.0", "CALLER_NOT_ALLOWED")])
def test_without_callers_only_this_machine_manages(tmp_path: Path, host: str, fault: str) -> None:
    daemon = Daemon(tmp_path)
    daemon.configure(server={"address": f"{host}:0"}, insecure={"plaintext": True})

    with server(tmp_path / "usherd.yaml") as (_, address):
        local = address.replace("0.0.0.0", "127.0.0.1")
        assert _fault(local, "list", "team") == fault
        assert _fault(local, "block", "user", "ann") == fault


def test_with_callers_the_right_is_given_and_follows_a_reload(tmp_path: Path) -> None:
    credential = "f1e2d3c4b5a6978812345678abcdef90"
    (tmp_path / "credential").write_text(credential)
    caller = {"name": "console", "credential": "file:credential", "rpcs": ["DirectoryService/ListTeams"]}
    daemon = Daemon(tmp_path)
    daemon.configure(callers=[caller])

    with server(tmp_path / "usherd.yaml") as (process, address):
        daemon.process = process
        assert _fault(address, "list", "team") == "CALLER_UNKNOWN"
        assert _fault(address, "list", "team", USHERD_CREDENTIAL=credential) == "NO_STORE"
        assert _fault(address, "list", "user", USHERD_CREDENTIAL=credential) == "CALLER_NOT_ALLOWED"
        daemon.configure(callers=[caller | {"rpcs": ["DirectoryService/*"]}])
        process.send_signal(signal.SIGHUP)
        daemon.wait_for("reloaded")
        assert _fault(address, "list", "user", USHERD_CREDENTIAL=credential) == "NO_STORE"
