"""Whoever writes an option as another tool has it is told usherd's own."""

from __future__ import annotations

import pytest

from commands import usherd_here


@pytest.mark.parametrize(
    ("command", "written", "meant"),
    [
        (("ask",), "--url", "--server"),
        (("ask",), "--host", "--server"),
        (("ask",), "--addr", "--address"),
        (("ask",), "--cacert", "--ca"),
        (("ask",), "--tls-cert", "--cert"),
        (("ask",), "--output", "--json"),
        (("ask",), "--verbose", "--explain"),
        (("ask",), "--follow", "--watch"),
        (("ask",), "--deadline", "--timeout"),
        (("directory", "list"), "--endpoint", "--server"),
        (("revocations", "list"), "--target", "--server"),
        (("serve",), "--listen", "--address"),
        (("serve",), "--config-file", "--config"),
        (("directory", "apply"), "--check", "--dry-run"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_an_option_of_another_tools_is_told_as_usherds_own(command: tuple[str, ...], written: str, meant: str) -> None:
    done = usherd_here(*command, written, "x")

    assert done.returncode == 2
    assert meant in done.stderr.partition(f"No such option: {written}")[2]


@pytest.mark.parametrize("written", ["--server", "--address", "--url"])
def test_an_address_that_is_an_argument_is_told_as_one(written: str) -> None:
    done = usherd_here("health", written, "127.0.0.1:1")

    assert done.returncode == 2
    assert f"No such option: {written}; expected it without, as the argument [SERVER]" in done.stderr


def test_an_option_that_stands_before_its_command_is_told_its_place() -> None:
    done = usherd_here("--server", "127.0.0.1:1", "ask", "/v1/models")

    assert done.returncode == 2
    assert "No such option: --server; expected it after the command" in done.stderr


def test_an_option_that_is_nothing_like_any_is_told_no_other() -> None:
    done = usherd_here("ask", "--qqqqqq")

    assert done.returncode == 2
    assert done.stderr.endswith("No such option: --qqqqqq\n")


def test_a_server_has_the_same_option_for_every_command_that_asks_it() -> None:
    env = {"USHERD_TOKEN": "a"}
    done = usherd_here("ask", "--address", "127.0.0.1:1", "/v1/models", env=env)

    assert done.returncode == 2
    assert "nobody answers at 127.0.0.1:1" in done.stderr
