"""Shows rows, plans and what came of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from rich import box
from rich.table import Table

from usherd.cli.console import console, say, say_json, styled
from usherd.cli.directory_plan import Plan, Step
from usherd.store import ModelRow, Op, Place, RowId, Stored

_SIGNS = {Op.CREATE: ("+", "yes"), Op.UPDATE: ("~", "fault"), Op.DELETE: ("-", "no")}
_WORDS = {Op.CREATE: "create", Op.UPDATE: "update", Op.DELETE: "delete"}
LONGEST = 200
"""Characters of one value that are shown."""


def shown_row(stored: Stored) -> dict[str, Any]:
    """A row as it stands in a directory file; places and models, which do not, by their fields."""
    row = stored.row
    if isinstance(row, Place):
        given = {"team": row.team, "user": row.user, "role": row.place.role}
        budget = row.place.max_budget_micro_usd
        return given if budget is None else given | {"max_budget_micro_usd": budget}
    if isinstance(row, ModelRow):
        return {each.name: value for each in fields(row) if (value := _plain(getattr(row, each.name)))}
    from usherd.config.directory_file import row_mapping

    return row_mapping(row)


def show_rows(rows: Iterable[Stored]) -> None:
    """Rows as a table: their ids, and what else they say in one line."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    table.add_column("id")
    table.add_column("row")
    for stored in rows:
        values = shown_row(stored)
        name = " ".join(str(values.pop(key)) for key in ("id", "name", "team", "user") if key in values)
        table.add_row(styled(name), styled("  ".join(f"{key}: {_short(value)}" for key, value in values.items())))
    console().print(table)


def show_plan(plan: Plan) -> None:
    """What is to be done, row by row."""
    for step in plan.steps:
        sign, style = _SIGNS[step.op]
        say(f"{sign} {step.kind.name.lower()} {name_of(step.id)}", style)
        if step.op is Op.UPDATE:
            for field, before, after in step.fields():
                say(f"    {field}: {_short(before)} -> {_short(after)}")


def summary(plan: Plan) -> str:
    """How many rows, in one line."""
    counts = ", ".join(f"{plan.count(op)} to {word}" for op, word in _WORDS.items())
    return f"{counts}, {plan.unchanged} as they should be"


def tell_plan(plan: Plan, *, revision: str, applied: bool) -> None:
    """The plan as JSON."""
    say_json(
        {
            "applied": applied,
            "revision": revision,
            **{word: plan.count(op) for op, word in _WORDS.items()},
            "unchanged": plan.unchanged,
            "changes": [_step(step) for step in plan.steps],
        }
    )


def _step(step: Step) -> Mapping[str, Any]:
    changed = {name: [_plain(before), _plain(after)] for name, before, after in step.fields()}
    more = {"fields": changed} if step.op is Op.UPDATE else {}
    return {"change": _WORDS[step.op], "kind": step.kind.name.lower(), "id": list(step.id), **more}


def name_of(row_id: RowId) -> str:
    """An id in one line."""
    return " ".join(row_id)


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return dict(value) if isinstance(value, Mapping) else value
