"""`usherd test`: tells stories about a policy, and says which are not true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usherd.cli.console import Exit, fail, say, say_json
from usherd.config.problems import ConfigError

if TYPE_CHECKING:
    from usherd.config.schema_stories import Story
    from usherd.stories.book import OpenBook
    from usherd.stories.run import Result

EXAMPLES = """\b
PATHS are files, or folders in which each YAML file with stories counts; the folder stories unless given.

\b
Examples:
  usherd test
  usherd test stories/ --filter "blocked team" --verbose
  usherd test stories.yaml --config usherd.yaml --junit report.xml

Exit codes: 0 all are true, 1 some are not, 2 a file is malformed or a policy does not load."""


def tell(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="[PATHS]...", show_default=False)] = None,
    text: Annotated[str, typer.Option("--filter", help="Only stories with this text in their name.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="Only stories with this tag; may be given again.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The configuration of files that name none.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--junit", help="Writes a report in JUnit's XML.")] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="Answers in JSON.")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Ends with the first story that fails.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Names stories that pass, too.")] = False,
) -> None:
    """Tells stories: each asks a question under a policy, and says what must be answered."""
    # Only now: what answers questions takes longer to import than most commands to run.
    from usherd.stories.book import read_book
    from usherd.stories.finding import NoStories, story_files
    from usherd.stories.report import as_json, junit

    try:
        files = story_files(paths or [Path("stories")])
        books = [read_book(file, config) for file in files]
    except (NoStories, ConfigError) as error:
        fail(str(error))

    def chosen(story: Story) -> bool:
        return text in story.name and set(tag or ()) <= set(story.tags)

    results = asyncio.run(_told(books, chosen, fail_fast=fail_fast, show=not as_json_, verbose=verbose))
    if report is not None:
        _write(report, junit(results))
    if as_json_:
        say_json({"passed": _count(results, "passed"), "results": [as_json(each) for each in results]})
    else:
        _sum_up(results)
    if _count(results, "malformed") or not results:
        raise typer.Exit(Exit.NO_ANSWER)
    raise typer.Exit(Exit.NO if _count(results, "failed") else Exit.YES)


async def _told(
    books: Sequence[OpenBook], chosen: Callable[[Story], bool], *, fail_fast: bool, show: bool, verbose: bool
) -> list[Result]:
    from usherd.stories.run import run

    results: list[Result] = []
    for book in books:
        async with aclosing(run(book, chosen)) as told:
            async for result in told:
                results.append(result)
                if show:
                    _show(result, verbose=verbose)
                if fail_fast and not result.passed:
                    return results
    return results


def _show(result: Result, *, verbose: bool) -> None:
    from usherd.stories.report import lines

    if result.passed:
        if verbose:
            say(f"PASS  {result.book}:{result.line}: {result.name}", "yes")
        return
    first, *others = lines(result)
    say(f"FAIL  {first}" if result.failures else f"ERROR {first}", "no" if result.failures else "fault")
    for line in others:
        say(f"    {line}", "dim" if line.startswith("    ") else "")


def _sum_up(results: Sequence[Result]) -> None:
    failed, malformed = _count(results, "failed"), _count(results, "malformed")
    told = [f"{_count(results, 'passed')} passed", f"{failed} failed"]
    if malformed:
        told.append(f"{malformed} malformed")
    if not results:
        told = ["no story was chosen"]
    say(", ".join(told), "no" if failed or malformed or not results else "yes")


def _count(results: Sequence[Result], wanted: str) -> int:
    return sum(result.outcome == wanted for result in results)


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        fail(f"{file}: cannot be written: {error.strerror or 'unknown error'}")
