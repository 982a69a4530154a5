"""`usherd config show` and `diff`: what a file means, and what a change of it changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usherd.cli.console import Exit, say, say_json
from usherd.cli.settings import settings_of

if TYPE_CHECKING:
    from usherd.config.shown import Change, Plain

SHOW_EXAMPLES = """\b
Examples:
  usherd config show usherd.yaml
  usherd config show usherd.yaml --directory --json

Every default is filled in, every route group expanded, every option named. Secrets are hidden.
Exit codes: 0 shown, 2 it does not load."""

DIFF_EXAMPLES = """\b
Examples:
  usherd config diff usherd.yaml usherd.new.yaml
  git show HEAD:usherd.yaml > old.yaml && usherd config diff old.yaml usherd.yaml --json

It compares what the files mean, not how they are written. Of a list, the members that come and go are shown.
Exit codes: 0 they mean the same, 1 they differ, 2 one does not load."""

AsJson = Annotated[bool, typer.Option("--json", help="Answers in JSON.")]


def show(
    file: Annotated[Path, typer.Argument(help="The configuration file.")],
    directory: Annotated[bool, typer.Option("--directory", help="With all rows of the directory.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shows what a configuration means."""
    from usherd.config.shown import as_yaml, shown

    value = shown(settings_of(file))
    rows = value["directory"]
    if not directory and isinstance(rows, dict):
        value["directory"] = {kind: f"{len(each)} rows" for kind, each in rows.items() if isinstance(each, dict | list)}
    if as_json:
        say_json(value)
    else:
        sys.stdout.write(as_yaml(value))


def diff(
    old: Annotated[Path, typer.Argument(help="A configuration file.")],
    new: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: AsJson = False,
) -> None:
    """Shows what two configurations mean differently."""
    from usherd.config.shown import changes

    found = changes(settings_of(old), settings_of(new))
    if as_json:
        say_json({"changes": [_as_json(each) for each in found]})
    else:
        for change in found:
            say(change.key)
            for value in change.removed:
                say(f"  - {_text(value)}", "no")
            for value in change.added:
                say(f"  + {_text(value)}", "yes")
        say(f"{len(found)} keys differ" if len(found) != 1 else "1 key differs", "dim")
    raise typer.Exit(Exit.NO if found else Exit.YES)


def _as_json(change: Change) -> dict[str, object]:
    return {"key": change.key, "removed": list(change.removed), "added": list(change.added)}


def _text(value: Plain) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
