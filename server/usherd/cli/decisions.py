"""`usherd decisions`: finds decisions in a decision log, and shows or counts them."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from usherd.cli.console import Exit, console, fail, styled
from usherd.config.problems import Unusable
from usherd.config.scalars import seconds

EXAMPLES = """\b
LOG is what `telemetry.decision_log` wrote, or - for standard input.

\b
Examples:
  usherd decisions decisions.jsonl --effect deny --since 1h
  usherd decisions decisions.jsonl --id 4f1c                      of decision, request, trace or token
  usherd decisions decisions.jsonl --count reason
  usherd decisions decisions.jsonl --reason TEAM_BLOCKED --json   the lines themselves

Exit codes: 0 there are such decisions, 1 there are none, 2 nothing to read."""

MAX_LINE = 64 * 1024
"""Characters of a line that are read: many times what the longest has."""
_IDS = ("decision_id", "request_id", "trace_id", "token_id")
_COLUMNS = ("time", "effect", "reason", "issuer", "caller", "route", "model", "request_id", "decision_id")
_COUNTED = ("effect", "reason", "issuer", "caller", "route", "model", "policy", "key")

Line = Mapping[str, Any]
Holds = Callable[[Line], bool]


def decisions(
    log: Annotated[str, typer.Argument(metavar="LOG", help="A decision log, or - for standard input.")] = "-",
    effect: Annotated[str | None, typer.Option(help="allow or deny.")] = None,
    reason: Annotated[str | None, typer.Option(help="A reason's name.")] = None,
    caller: Annotated[str | None, typer.Option(help="The gateway that asked.")] = None,
    some_id: Annotated[
        str | None, typer.Option("--id", help="The begin of a decision's, request's, trace's or token's id.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="A duration back from now, as 90s, 1h or 7d.")] = None,
    count: Annotated[
        str | None, typer.Option(help=f"Counts them by {', '.join(_COUNTED[:-1])} or {_COUNTED[-1]}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Shows the lines as they are.")] = False,
) -> None:
    """Finds decisions in a decision log, and shows or counts them."""
    if count is not None and count not in _COUNTED:
        fail(f"--count: {count} is not possible here; expected {', '.join(_COUNTED[:-1])} or {_COUNTED[-1]}")
    holds = _wanted(effect, reason, caller, some_id, since)
    found = (line for line in _lines(log) if all(each(line) for each in holds))
    if count is not None:
        any_found = _tell_counts(Counter(str(line.get(count) or "") for line in found), count)
    elif as_json:
        any_found = _tell_json(found)
    else:
        any_found = _tell(found)
    raise typer.Exit(Exit.YES if any_found else Exit.NO)


def _wanted(
    effect: str | None, reason: str | None, caller: str | None, some_id: str | None, since: str | None
) -> list[Holds]:
    named = {"effect": effect and effect.upper(), "reason": reason and reason.upper(), "caller": caller}
    found: list[Holds] = [_is(name, value) for name, value in named.items() if value is not None]
    if some_id is not None:
        found.append(lambda line: any(str(line.get(name, "")).startswith(some_id) for name in _IDS))
    if since is not None:
        try:
            earliest = time.time() - seconds(since)
        except Unusable as error:
            fail(f"--since: {error}")
        found.append(lambda line: _moment(line) >= earliest)
    return found


def _is(name: str, value: str) -> Holds:
    return lambda line: line.get(name) == value


def _moment(line: Line) -> float:
    try:
        return datetime.fromisoformat(str(line.get("time"))).timestamp()
    except ValueError:
        return 0.0


def _tell(found: Iterable[Line]) -> bool:
    any_found = False
    for line in found:
        any_found = True
        texts = [(name, str(line[name])) for name in _COLUMNS if line.get(name) not in (None, "")]
        shown = (
            styled(text, "yes" if text == "ALLOW" else "no") if name == "effect" else styled(text)
            for name, text in texts
        )
        console().print(*shown)
    return any_found


def _tell_json(found: Iterable[Line]) -> bool:
    any_found = False
    for line in found:
        any_found = True
        # In ASCII: a terminal shows it as it is.
        sys.stdout.write(json.dumps(line, separators=(",", ":"), ensure_ascii=True) + "\n")
    return any_found


def _tell_counts(counted: Counter[str], name: str) -> bool:
    if not counted:
        return False
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    table.add_column(name)
    table.add_column("count", justify="right")
    for text, number in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(styled(text or "-"), str(number))
    console().print(table)
    return True


def _lines(log: str) -> Iterator[Line]:
    """The decisions, in their order; what is none (a line that was cut, another program's) is passed over."""
    seen = False
    try:
        with nullcontext(sys.stdin) if log == "-" else Path(log).open(encoding="utf-8", errors="replace") as file:
            while text := file.readline(MAX_LINE):
                try:
                    line = json.loads(text)
                except (ValueError, RecursionError):
                    continue
                if isinstance(line, dict) and isinstance(line.get("v"), int) and "decision_id" in line:
                    seen = True
                    yield line
    except OSError as error:
        fail(f"{log}: cannot be read: {error.strerror or 'unknown error'}")
    if not seen:
        fail("there is no decision in it; expected what telemetry.decision_log wrote")
