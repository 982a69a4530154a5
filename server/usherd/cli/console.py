"""Writes to people and to scripts: plain text, colours on terminals only, nothing that a terminal would obey."""

from __future__ import annotations

import json
import sys
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn, TypedDict

import typer
from rich.console import Console
from rich.text import Text


class Exit(IntEnum):
    """What a command's exit code means."""

    YES = 0
    NO = 1
    NO_ANSWER = 2


class _Help(TypedDict):
    add_completion: bool
    pretty_exceptions_enable: bool
    rich_markup_mode: None


HELP = _Help(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
"""How each group of commands shows help and errors: as plain text, without tracebacks."""

COLOURS = {"yes": "bold green", "no": "bold red", "fault": "bold yellow", "warning": "yellow", "dim": "dim"}


WIDTH_ELSEWHERE = 160
"""Columns of a table that does not go to a terminal."""


def console() -> Console:
    """A console on standard output. It minds NO_COLOR, and is plain unless it is on a terminal."""
    width = None if sys.stdout.isatty() else WIDTH_ELSEWHERE
    return Console(width=width, highlight=False, soft_wrap=True, emoji=False, markup=False)


def escaped(text: str) -> str:
    """A text in which no character moves a cursor, changes a colour or turns the direction of writing."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def styled(text: str, style: str = "") -> Text:
    """A text in one of the named colours, escaped."""
    return Text(escaped(text), style=COLOURS.get(style, ""))


def say(text: str = "", style: str = "") -> None:
    """One line on standard output."""
    console().print(styled(text, style))


def say_json(value: Any) -> None:
    """A value as JSON on standard output, in ASCII: a terminal shows it as it is."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=False, ensure_ascii=True) + "\n")


def say_json_line(value: Any) -> None:
    """A value as one line of JSON, which leaves at once: somebody follows."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """One line on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False).print(
        styled(f"usherd: {text}", "warning")
    )


def fail(text: str) -> NoReturn:
    """Ends the command without an answer, for a reason on standard error."""
    for line in text.splitlines():
        sys.stderr.write(f"usherd: {escaped(line)}\n")
    raise typer.Exit(Exit.NO_ANSWER)


MAX_TOKEN_INPUT = 1024 * 1024
"""Bytes of a token that are read: far more than any server takes."""


def token_from(text: str) -> str:
    """The token that an argument means: `-` reads it from standard input, `@FILE` from a file."""
    if text == "-":
        return sys.stdin.buffer.read(MAX_TOKEN_INPUT).decode("utf-8", "surrogateescape").strip()
    if text.startswith("@"):
        try:
            with Path(text[1:]).open("rb") as file:
                return file.read(MAX_TOKEN_INPUT).decode("utf-8", "surrogateescape").strip()
        except OSError as error:
            fail(f"{text[1:]}: cannot be read: {error.strerror or 'unknown error'}")
    warn("a token in the arguments can be seen by every user of this machine; - reads it from standard input")
    return text
