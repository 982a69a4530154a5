"""The command line is plain where nobody looks, and says so little when it fails that nothing leaks."""

from __future__ import annotations

import pytest
import typer
from rich.console import Console

from commands import usherd
from usherd import __main__
from usherd.cli.console import escaped
from usherd.cli.main import app

COMMANDS = (
    (),
    ("serve",),
    ("ask",),
    ("health",),
    ("completion",),
    ("decisions",),
    ("config",),
    ("config", "check"),
    ("config", "show"),
    ("config", "diff"),
    ("config", "schema"),
    ("config", "import-litellm"),
    ("token",),
    ("token", "inspect"),
    ("dev",),
    ("dev", "token"),
    ("dev", "demo"),
)


def _command(path: tuple[str, ...]) -> object:
    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    return command


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_and_every_option_what_it_means(path: tuple[str, ...]) -> None:
    command = _command(path)

    assert command.help  # type: ignore[attr-defined]
    without = [each.name for each in command.params if each.param_type_name == "option" and not each.help]  # type: ignore[attr-defined]
    assert without == []


@pytest.mark.parametrize(
    "path", [path for path in COMMANDS if len(path) != 1 or path[0] in ("serve", "ask", "decisions", "dev")]
)
def test_every_command_has_examples_or_exit_codes(path: tuple[str, ...]) -> None:
    command = _command(path)

    assert "Example" in command.epilog or "Exit code" in command.epilog  # type: ignore[attr-defined]


def test_an_error_that_nobody_expected_shows_its_class_and_place_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise LookupError("a secret text")

    monkeypatch.setattr("usherd.cli.main.app", broken)

    with pytest.raises(SystemExit) as ended:
        __main__.main()

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usherd: internal error: LookupError at ")
    assert "secret" not in said


def test_output_that_is_no_terminal_has_no_colours() -> None:
    done = usherd("--help", env={"TERM": "xterm-256color"})

    assert done.returncode == 0
    assert "\x1b" not in done.stdout


def test_a_terminal_gets_colours_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with_colours = Console(force_terminal=True).color_system
    monkeypatch.setenv("NO_COLOR", "1")

    assert with_colours is not None
    assert Console(force_terminal=True).no_color


def test_no_character_of_a_text_moves_a_terminal() -> None:
    assert escaped("a\x1b[2J\r\n\u202eb\x9b é") == "a\\x1b[2J\\r\\n\\u202eb\\x9b é"
