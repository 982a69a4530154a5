"""`usherd parity`: asks recorded questions again, and says where usherd and LiteLLM part."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from usherd.cli.console import Exit, fail, say, say_json
from usherd.cli.parity_view import as_json, latest_json, show, show_latest

if TYPE_CHECKING:
    from usherd.parity.cases import Case
    from usherd.parity.latest import Change
    from usherd.parity.results import Result

EXAMPLES = """\b
CASES is a file of recorded questions with LiteLLM's answers; the key documents stand in jwks/ beside it.

\b
Examples:
  usherd parity cases.jsonl
  usherd parity cases.jsonl --out results.jsonl
  usherd parity cases.jsonl --only team.id.known.claude --json
  usherd parity cases.jsonl --against latest

Exit codes: 0 no answer differs but by a named difference, 1 some do, 2 the cases cannot be read."""


class Preset(StrEnum):
    """Whose rules answer."""

    LITELLM = "litellm"
    STRICT = "strict"


class Against(StrEnum):
    """Which version of LiteLLM answers are compared with."""

    REFERENCE = "reference"
    LATEST = "latest"


def parity(
    cases: Annotated[Path, typer.Argument(metavar="CASES", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Writes each answer to a file, one JSON object a line.")] = None,
    preset: Annotated[Preset, typer.Option(help="strict: what access.shadow: strict would answer.")] = Preset.LITELLM,
    against: Annotated[
        Against,
        typer.Option(help="latest: what strict answers where LiteLLM 1.109.1 answers otherwise than 1.63.2."),
    ] = Against.REFERENCE,
    only: Annotated[list[str] | None, typer.Option(help="Only the case of this id; may be given again.")] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="Answers in JSON.")] = False,
) -> None:
    """Asks recorded questions, and compares with what LiteLLM answered."""
    # Only now: what answers questions takes longer to import than most commands to run.
    from usherd.parity.cases import CasesUnusable
    from usherd.parity.compare import as_result
    from usherd.parity.fixtures import importable

    try:
        chosen = _chosen(cases, frozenset(only or ()))
        with importable(cases):
            if against is Against.LATEST:
                changes = asyncio.run(_changes(cases, chosen))
                say_json(latest_json(changes)) if as_json_ else show_latest(changes)
                raise typer.Exit(Exit.YES)
            results = asyncio.run(_results(cases, chosen, preset.value))
    except CasesUnusable as error:
        fail(str(error))
    if out is not None:
        _write(out, [as_result(each.case, each.answer, each.difference) for each in results])
    say_json(as_json(results)) if as_json_ else show(results)
    raise typer.Exit(Exit.NO if any(each.otherwise for each in results) else Exit.YES)


def _chosen(file: Path, only: frozenset[str]) -> list[Case]:
    from usherd.parity.cases import read_cases

    found = [case for case in read_cases(file) if not only or case.id in only]
    missing = only - {case.id for case in found}
    if missing:
        fail(f"{file}: has no case {', '.join(sorted(missing))}")
    if not found:
        fail(f"{file}: has no cases")
    return found


async def _results(file: Path, cases: Sequence[Case], preset: str) -> list[Result]:
    from usherd.parity.cases import KeyDocuments
    from usherd.parity.results import result_of
    from usherd.parity.runner import running

    documents = KeyDocuments(file.parent / "jwks")
    async with running(documents, preset) as runner:
        return [
            await result_of(runner, case, documents.value(case.keys), named=preset == Preset.LITELLM)
            for case in _shown(cases)
        ]


async def _changes(file: Path, cases: Sequence[Case]) -> dict[str, Change]:
    from usherd.parity.cases import KeyDocuments
    from usherd.parity.latest import Change, kind_of
    from usherd.parity.runner import running

    changes: dict[str, Change] = {}
    async with running(KeyDocuments(file.parent / "jwks"), Preset.STRICT) as runner:
        for case in _shown(cases):
            kind = kind_of(case)
            if kind is not None:
                changes.setdefault(kind, Change()).add(case, await runner.ask(case))
    return changes


def _shown(cases: Sequence[Case]) -> Iterator[Case]:
    """The cases, with a bar on standard error that shows how many are done, if that is a terminal."""
    with _bar(len(cases)) as advance:
        for case in cases:
            yield case
            advance()


@contextmanager
def _bar(total: int) -> Iterator[Any]:
    if not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (TextColumn("cases"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("cases", total=total)
        yield lambda: progress.advance(task)


def _write(file: Path, results: Sequence[dict[str, Any]]) -> None:
    try:
        with file.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(each, ensure_ascii=True) + "\n" for each in results)
    except OSError as error:
        fail(f"{file}: cannot be written: {error.strerror or 'unknown error'}")
    say(f"{len(results)} answers are in {file}", "dim")
