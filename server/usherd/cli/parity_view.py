"""Shows how usherd's answers and LiteLLM's compare: to people as tables, to scripts as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from usherd.cli.console import console, say, styled

if TYPE_CHECKING:
    from usherd.parity.latest import Change
    from usherd.parity.results import Line, Result

EXAMPLES_OF_EACH = 3
"""Ids that are shown of each kind of disagreement."""


def show(results: Sequence[Result]) -> None:
    """A table of the areas, and what differs otherwise."""
    from usherd.parity.results import tally

    counted = tally(results)
    table = _table("area", "cases", "agree", "named", "otherwise", "named differences")
    for area, line in counted.areas.items():
        table.add_row(*_cells(area, line))
    table.add_section()
    table.add_row(*_cells("all", counted.total))
    console().print(table)
    say(
        f"HTTP status of denials: the same in {counted.statuses[True]} of {counted.statuses.total()};"
        f" internal roles: the same in {counted.roles[True]} of {counted.roles.total()}"
    )
    for (kind, area), ids in _kinds(results).items():
        say(f"{area}: {kind}: {len(ids)}: {', '.join(ids[:EXAMPLES_OF_EACH])}", "no")


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """The same for scripts, with the id of each case that differs otherwise."""
    from usherd.parity.results import tally

    counted = tally(results)
    return {
        **_line_json(counted.total),
        "areas": {area: _line_json(line) for area, line in counted.areas.items()},
        "http_status": {"same": counted.statuses[True], "of": counted.statuses.total()},
        "role": {"same": counted.roles[True], "of": counted.roles.total()},
        "differ": [
            {"id": each.case.id, "reason": each.answer.reason, "in": list(each.otherwise)}
            for each in results
            if each.otherwise
        ],
    }


def show_latest(changes: Mapping[str, Change]) -> None:
    """A table of the kinds of changes between LiteLLM's versions, and what strict answers."""
    from usherd.parity.answers import Outcome

    table = _table("change", "cases", "1.63.2 allows", "1.109.1 allows", "strict allows", "denies", "no decision")
    for kind, change in changes.items():
        answers = change.answers
        none = answers[Outcome.FAULT] + answers[Outcome.CONFIG_ERROR]
        numbers = (
            change.cases,
            change.reference_allows,
            change.latest_allows,
            answers[Outcome.ALLOWED],
            answers[Outcome.DENY],
            none,
        )
        table.add_row(styled(kind), *map(str, numbers))
    console().print(table)
    for kind, change in changes.items():
        if change.laxer:
            text = f"{kind}: strict allows {len(change.laxer)} that 1.109.1 denies"
            say(f"{text}: {', '.join(change.laxer[:EXAMPLES_OF_EACH])}")


def latest_json(changes: Mapping[str, Change]) -> dict[str, Any]:
    """The same for scripts."""
    return {
        kind: {
            "cases": change.cases,
            "reference_allows": change.reference_allows,
            "latest_allows": change.latest_allows,
            "strict": {outcome.value: number for outcome, number in change.answers.items()},
            "strict_allows_what_latest_denies": change.laxer,
        }
        for kind, change in changes.items()
    }


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if name == "named differences" else "right")
    return table


def _cells(area: str, line: Line) -> list[Any]:
    named = ", ".join(f"{name} {number}" for name, number in sorted(line.named.items()))
    otherwise = styled(str(line.otherwise), "no" if line.otherwise else "")
    return [styled(area), str(line.cases), str(line.agree), str(line.named.total()), otherwise, styled(named, "dim")]


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "cases": line.cases,
        "agree": line.agree,
        "named": dict(sorted(line.named.items())),
        "otherwise": line.otherwise,
    }


def _kinds(results: Sequence[Result]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for each in results:
        if each.otherwise:
            found.setdefault((", ".join(each.otherwise), each.case.area), []).append(each.case.id)
    return dict(sorted(found.items(), key=lambda kind: -len(kind[1])))
