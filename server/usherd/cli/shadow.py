"""`usherd shadow`: reads from a server's log what a candidate policy would have answered otherwise."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from usherd.cli.console import Exit, console, fail, say, say_json, styled

EXAMPLES = """\b
The server counts while `access.shadow` names a candidate: `strict`, `litellm` or another file.
LOG is its log in JSON (`telemetry: {log: json}`), or - for standard input.

\b
Examples:
  usherd serve --config usherd.yaml 2>> usherd.log      with access: {shadow: strict}
  usherd shadow usherd.log
  usherd shadow - --json < usherd.log

Exit codes: 0 the candidate agrees on every effect, 1 it does not, 2 nothing to read."""

MAX_LINE = 64 * 1024
"""Characters of a line of the log that are read."""


@dataclass
class Counted:
    """The newest counts of each life of a server, added up."""

    questions: dict[str, int] = field(default_factory=dict)
    agreed: dict[str, int] = field(default_factory=dict)
    kinds: dict[tuple[str, str, bool], dict[str, int]] = field(default_factory=dict)

    def add(self, line: Any) -> None:
        """Takes one event of the log; others than those of shadows are passed over."""
        if not isinstance(line, dict) or not isinstance(life := line.get("life"), str):
            return
        if line.get("event") == "shadow_summary":
            self.questions[life], self.agreed[life] = _count(line, "questions"), _count(line, "agreed")
        elif line.get("event") == "shadow_kind":
            kind = (str(line.get("live")), str(line.get("candidate")), line.get("effect_differs") is True)
            self.kinds.setdefault(kind, {})[life] = _count(line, "count")

    def rows(self) -> list[tuple[str, str, bool, int]]:
        """(live, candidate, whether the effect differs, count): those that matter most first."""
        summed = [(*kind, sum(lives.values())) for kind, lives in self.kinds.items()]
        return sorted(summed, key=lambda row: (not row[2], -row[3], row[0], row[1]))


def shadow(
    log: Annotated[str, typer.Argument(metavar="LOG", help="A log in JSON, or - for standard input.")] = "-",
    as_json: Annotated[bool, typer.Option("--json", help="Answers in JSON.")] = False,
) -> None:
    """Shows where the candidate policy of a server would have answered otherwise."""
    counted = Counted()
    for line in _lines(log):
        counted.add(line)
    if not counted.questions:
        fail("the log tells of no shadow; expected a JSON log of a server with access.shadow, a minute or more of it")
    rows = counted.rows()
    _tell_json(counted, rows) if as_json else _tell(counted, rows)
    raise typer.Exit(Exit.NO if any(row[2] for row in rows) else Exit.YES)


def _tell(counted: Counted, rows: list[tuple[str, str, bool, int]]) -> None:
    questions, agreed = sum(counted.questions.values()), sum(counted.agreed.values())
    say(f"{questions} questions, {agreed} answered alike ({_share(agreed, questions)})")
    if not rows:
        return
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for column in ("live", "candidate", "effect", "count", "share"):
        table.add_column(column, justify="right" if column in ("count", "share") else "left")
    for live, candidate, differs, count in rows:
        effect = styled("differs", "no") if differs else styled("same", "dim")
        table.add_row(styled(live), styled(candidate), effect, str(count), _share(count, questions))
    console().print(table)


def _tell_json(counted: Counted, rows: list[tuple[str, str, bool, int]]) -> None:
    say_json(
        {
            "questions": sum(counted.questions.values()),
            "agreed": sum(counted.agreed.values()),
            "differences": [
                {"live": live, "candidate": candidate, "effect_differs": differs, "count": count}
                for live, candidate, differs, count in rows
            ],
        }
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _lines(log: str) -> Iterator[Any]:
    if log == "-":
        yield from _events(sys.stdin)
        return
    try:
        with Path(log).open(encoding="utf-8", errors="replace") as file:
            yield from _events(file)
    except OSError as error:
        fail(f"{log}: cannot be read: {error.strerror or 'unknown error'}")


def _events(lines: Iterable[str]) -> Iterator[Any]:
    for line in lines:
        if '"shadow_' not in line or len(line) > MAX_LINE:
            continue
        try:
            yield json.loads(line)
        except ValueError:
            # A line that was cut, or is another program's.
            continue


def _count(line: dict[str, Any], name: str) -> int:
    value = line.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
