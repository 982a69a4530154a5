"""Shows what an import has done, or would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table

from usherd.changes import RowKind
from usherd.cli.console import console, say, styled
from usherd.cli.directory_plan import KINDS, Plan
from usherd.errors import Fault
from usherd.imports.litellm import Translated
from usherd.imports.litellm_reading import Reading
from usherd.imports.notes import Note
from usherd.store import Op

KIND_NAMES = {kind: kind.name.lower().replace("_", " ") for kind in RowKind}
"""What one of a kind is called, as in notes."""
EXAMPLES_SHOWN = 3
"""Ids that are shown of each note; all are in the JSON."""
_COLUMNS = ("created", "updated", "unchanged", "deleted", "only here")


class Outcome(NamedTuple):
    """What came of an import."""

    reading: Reading
    translated: Translated
    plan: Plan
    planned: int
    """Edits of the plan."""
    wanted: Mapping[RowKind, int]
    """Rows that the directory should have, by kind."""
    only_here: Mapping[RowKind, int]
    """Rows of the directory that LiteLLM does not have; places of users that it has are deleted, all else stays."""
    blocked_here: tuple[tuple[str, str], ...]
    """Rows that are blocked here only, by kind and id."""
    dry_run: bool
    made: int
    """Edits that were made."""
    ended: Fault | None
    """Why it ended early."""


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """All of it."""
    notes = outcome.translated.notes
    return {
        "dry_run": outcome.dry_run,
        "complete": outcome.ended is None,
        "edits": {"planned": outcome.planned, "made": outcome.made},
        "rows": {
            KIND_NAMES[kind]: dict(zip((name.replace(" ", "_") for name in _COLUMNS), counts, strict=True))
            for kind, counts in _counts(outcome)
        },
        "skipped": list(map(_note_json, notes.skipped)),
        "left_out": list(map(_note_json, notes.left)),
        "blocked_here_only": [{"kind": kind, "id": each} for kind, each in outcome.blocked_here],
        "have_spent": dict(outcome.translated.spend),
        "absent_tables": list(outcome.reading.absent),
        "unknown_columns": list(outcome.reading.unknown),
    }


def _counts(outcome: Outcome) -> Iterator[tuple[RowKind, tuple[int, ...]]]:
    """Of each kind, as planned: created, updated, unchanged, deleted, and those that are only here and stay."""
    for kind in KINDS:
        ops = [step.op for step in outcome.plan.steps if step.kind is kind]
        created, updated, deleted = (ops.count(op) for op in (Op.CREATE, Op.UPDATE, Op.DELETE))
        unchanged = outcome.wanted[kind] - created - updated
        yield kind, (created, updated, unchanged, deleted, outcome.only_here[kind] - deleted)


def _note_json(note: Note) -> dict[str, Any]:
    return {"kind": note.kind, "what": note.text, "count": len(note.ids), "ids": list(note.ids)}


def show_outcome(outcome: Outcome) -> None:
    """For people."""
    _show_counts(outcome)
    notes = outcome.translated.notes
    _show_notes("not imported", notes.skipped)
    _show_notes("imported without", notes.left)
    if outcome.blocked_here:
        say()
        say("blocked here and not in LiteLLM; they stay blocked:", "warning")
        say(f"  {_some([each for _, each in outcome.blocked_here])}")
    if outcome.translated.spend:
        counted = ", ".join(f"{count} x {kind}" for kind, count in outcome.translated.spend)
        say()
        say(f"what was spent is not carried over: budgets begin anew ({counted})", "warning")
    if outcome.reading.absent:
        say(f"tables that this LiteLLM does not have: {', '.join(outcome.reading.absent)}", "dim")
    if outcome.reading.unknown:
        say(
            f"columns that usherd does not know, and does not carry over: {', '.join(outcome.reading.unknown)}",
            "warning",
        )
    say()
    if outcome.dry_run:
        say(f"dry run: nothing was written; {outcome.planned} rows would be", "yes")
    elif outcome.ended is not None:
        say(f"ended early: {outcome.made} of {outcome.planned} rows were written: {outcome.ended.message}", "no")
    else:
        say(f"{outcome.made} rows were written", "yes")


def _show_counts(outcome: Outcome) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("", *_COLUMNS):
        table.add_column(name, justify="right" if name else "left")
    for kind, counts in _counts(outcome):
        table.add_row(KIND_NAMES[kind], *map(str, counts))
    console().print(table)


def _show_notes(title: str, notes: Sequence[Note]) -> None:
    if not notes:
        return
    say()
    say(f"{title}:", "warning")
    for note in notes:
        console().print(styled(f"  {len(note.ids)} x {note.kind}: {note.text}"))
        say(f"      {_some(note.ids)}", "dim")


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(each or "(empty)" for each in ids[:EXAMPLES_SHOWN])
    more = len(ids) - EXAMPLES_SHOWN
    return f"{shown} and {more} more (--json names all)" if more > 0 else shown
