"""Tells who writes an option as other tools have it how it is written here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

_ADDRESS = (
    "--address",
    "--addr",
    "--host",
    "--url",
    "--target",
    "--endpoint",
    "--listen",
    "--bind",
    "--server",
    "--to",
)
_SAME = (
    _ADDRESS,
    ("--ca", "--cacert", "--ca-file", "--ca-cert", "--tls-ca", "--root-cert"),
    ("--cert", "--client-cert", "--cert-file", "--tls-cert"),
    ("--key", "--client-key", "--key-file", "--tls-key"),
    ("--credential-file", "--bearer", "--bearer-file", "--credential", "--api-key", "--password-file"),
    ("--config", "--config-file", "--file", "--conf", "--configuration"),
    ("--json", "--output", "--format"),
    ("--out", "--output", "--output-file"),
    ("--dry-run", "--check", "--plan", "--what-if"),
    ("--yes", "--force", "--assume-yes", "--auto-approve"),
    ("--explain", "--verbose", "--why", "--debug"),
    ("--watch", "--follow", "--stream"),
    ("--timeout", "--deadline", "--max-time", "--wait"),
    ("--count", "--limit", "--tail", "--lines"),
)
"""Words for the same, in usherd's commands and elsewhere; a row that has none of a command's own says nothing of it."""


class Commands(TyperGroup):
    """The commands. Whatever option none of them has is told with those that mean the same."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        """The first of the words, before the command: an option that only a command has is told its place."""
        with _hinted("; expected it after the command"):
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        """The command and what stands after it."""
        with _hinted(""):
            return super().invoke(ctx)


@contextmanager
def _hinted(place: str) -> Iterator[None]:
    try:
        yield
    # Typer brings a command line library of its own, or takes another's: what it raises has no name that is public.
    except Exception as error:
        written, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
        if not hasattr(error, "possibilities") or written is None or context is None:
            raise
        options, arguments = _has(context)
        found = {each for row in _SAME if written in row for each in row if each in options}
        if found:
            error.possibilities = sorted({*(error.possibilities or ()), *found})
        elif place and written in _anywhere(context.command):
            error.message += place  # type: ignore[attr-defined]
        elif written in _ADDRESS and "server" in arguments:
            error.message += "; expected it without, as the argument [SERVER]"  # type: ignore[attr-defined]
        raise


def _has(context: typer.Context) -> tuple[set[str], set[str]]:
    """The options that a command has, and the names of its arguments."""
    parameters = context.command.params
    options = {word for each in parameters if each.param_type_name == "option" for word in each.opts}
    return options, {each.name or "" for each in parameters if each.param_type_name == "argument"}


def _anywhere(command: Any) -> set[str]:
    """The options of all commands of a group."""
    own = {word for each in command.params for word in each.opts}
    return own.union(*(_anywhere(each) for each in getattr(command, "commands", {}).values()))
