"""`usherd ask --watch` shows what becomes of a decision, and its exit code is what was told last."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from commands import PATIENCE, company, environment, server, usherd
from usherd.cli.dev_issuer import Signer
from usherd.cli.dev_people import PEOPLE, token_of

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Signer, str]]:
    """A server whose directory can be changed."""
    with company(tmp_path_factory.mktemp("company")) as (signer, config):
        text = config.read_text("utf-8")
        assert text.count("{seed: directory.yaml}") == 1, text
        config.write_text(text.replace("{seed: directory.yaml}", "{url: 'sqlite:///kept.db', seed: directory.yaml}"))
        with server(config) as (_, address):
            yield signer, address


@contextmanager
def watching(address: str, token: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs, with its question asked."""
    command = [sys.executable, "-m", "usherd", "ask", CHAT, "gpt-4o", "--server", address, "--watch", *options]
    # Where the tests run in the background, SIGINT is ignored, and what they start would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, env=environment({"USHERD_TOKEN": token}), stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def event(process: subprocess.Popen[str], kind: str) -> dict[str, Any]:
    """The next event of that kind; those before it are passed over."""
    assert process.stdout is not None
    for line in process.stdout:
        found: dict[str, Any] = json.loads(line)
        if found["event"] == kind:
            return found
    raise AssertionError(f"no {kind} was told")


def test_a_block_and_its_end_are_told_while_they_happen(kept: tuple[Signer, str]) -> None:
    signer, address = kept
    with watching(address, token_of(PEOPLE["alice"], signer), "--json") as process:
        first = event(process, "decision")
        user = first["decision"]["principal"]["user_id"]
        usherd("directory", "block", "user", user, "--server", address)
        blocked = event(process, "changed")
        usherd("directory", "unblock", "user", user, "--server", address)
        back = event(process, "changed")
        process.send_signal(signal.SIGINT)
        code = process.wait(PATIENCE)

    assert (first["decision"]["effect"], blocked["decision"]["effect"], back["decision"]["effect"]) == (
        "ALLOW",
        "DENY",
        "ALLOW",
    )
    assert (blocked["decision"]["reason"], blocked["cause"]) == ("USER_BLOCKED", "DIRECTORY")
    assert code == 0


def test_a_revocation_ends_it_with_exit_code_1(kept: tuple[Signer, str]) -> None:
    signer, address = kept
    token = token_of(PEOPLE["alice"], signer)
    with watching(address, token) as process:
        assert process.stdout is not None
        shown = [process.stdout.readline()]
        done = usherd("revoke", "-", "--server", address, typed=token)
        shown += process.stdout.readlines()
        code = process.wait(PATIENCE)

    assert done.returncode == 0, done.stderr
    assert shown[0].startswith("ALLOW")
    assert "DENY  TOKEN_REVOKED  for good  (token revoked)" in shown[-1]
    assert code == 1


def test_what_is_lost_is_unknown_and_neither_allowed_nor_denied(tmp_path: Path) -> None:
    with company(tmp_path) as (signer, config), server(config) as (process, address):
        token = token_of(PEOPLE["alice"], signer)
        with watching(address, token, "--json") as command:
            first = event(command, "decision")
            process.kill()
            lost = event(command, "unknown")
            code = command.wait(PATIENCE)

    assert first["decision"]["effect"] == "ALLOW"
    assert lost["code"] == "UNAVAILABLE"
    assert "decision" not in lost
    assert code == 2


def test_a_server_that_ends_says_so(tmp_path: Path) -> None:
    with (
        company(tmp_path) as (signer, config),
        server(config) as (process, address),
        watching(address, token_of(PEOPLE["alice"], signer)) as command,
    ):
        assert command.stdout is not None
        assert command.stdout.readline().startswith("ALLOW")
        process.terminate()
        rest = command.stdout.read()
        code = command.wait(PATIENCE)

    assert "UNKNOWN" in rest or "NO DECISION" in rest
    assert code == 2


def test_a_denial_is_followed_too_and_nobody_at_all_is_said_at_once(kept: tuple[Signer, str]) -> None:
    signer, address = kept
    began = time.monotonic()
    nobody = usherd("ask", "-", CHAT, "--watch", "--server", "127.0.0.1:1", typed="x")
    with watching(address, token_of(PEOPLE["mallory"], signer), "--json") as process:
        first = event(process, "decision")
        process.send_signal(signal.SIGINT)
        code = process.wait(PATIENCE)

    assert (nobody.returncode, "nobody answers at 127.0.0.1:1" in nobody.stderr) == (2, True)
    assert time.monotonic() - began < PATIENCE
    assert (first["decision"]["reason"], code) == ("NOT_ENTITLED", 1)


def test_it_needs_a_server() -> None:
    done = usherd("ask", "-", CHAT, "--watch", "--config", "usherd.yaml", typed="x")

    assert done.returncode == 2
    assert "--watch is for a server" in done.stderr
