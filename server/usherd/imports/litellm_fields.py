"""Reads fields of LiteLLM's records, with a note for each that is not taken over as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from usherd.domain import Limit
from usherd.ids import well_formed_id
from usherd.imports import litellm_tables as tables
from usherd.imports.litellm_read import Read, Record
from usherd.imports.litellm_tables import TableFacts
from usherd.imports.notes import Notes
from usherd.imports.values import NotJson, from_json, is_set, micro_usd, period, rate

MAX_MODELS = 1000
MAX_MODEL_BYTES = 256
NO_ID = "its id is not 1 to 256 printable characters"


class Fields:
    """Reads fields under one set of budgets and aliases."""

    def __init__(self, read: Read, notes: Notes) -> None:
        self.notes = notes
        self._read = read
        self._budgets = {row["budget_id"]: row for row in read.of(tables.BUDGETS)}
        self._aliases = {row["id"]: row.get("aliases") for row in read.of(tables.MODELS)}

    def named(self, table: TableFacts) -> Iterator[tuple[str, Record]]:
        """Records whose id can be one here."""
        for row in self._read.of(table):
            row_id = row[table.key[0]]
            if well_formed_id(row_id):
                yield row_id, row
            else:
                self.notes.skip(table.kind, row_id, NO_ID)

    def told(self, table: TableFacts, row_id: str, row: Record) -> None:
        """Notes what usherd has no place for."""
        for name in table.told:
            if is_set(row.get(name)):
                self.notes.leave(table.kind, row_id, name)

    def models(self, table: TableFacts, row_id: str, row: Record) -> tuple[str, ...] | None:
        """Its entries, each once; None: the row cannot be imported with them."""
        entries = tuple(dict.fromkeys(row.get("models") or ()))
        usable = tuple(each for each in entries if isinstance(each, str) and _is_entry(each))
        if len(usable) > MAX_MODELS:
            self.notes.skip(table.kind, row_id, f"it has more than {MAX_MODELS} models")
            return None
        if len(usable) < len(entries):
            if not usable:
                # An empty list is no restriction in some places.
                self.notes.skip(table.kind, row_id, "none of its models is 1 to 256 bytes, printable")
                return None
            self.notes.leave(table.kind, row_id, "models: those that are not 1 to 256 bytes, printable")
        return usable

    def text(self, table: TableFacts, row_id: str, name: str, value: Any) -> str:
        """A name or address; empty: there is none that can be one here."""
        if not value:
            return ""
        if isinstance(value, str) and well_formed_id(value):
            return value
        self.notes.leave(table.kind, row_id, f"{name}: it is not 1 to 256 printable characters")
        return ""

    def model_aliases(self, row_id: str, model_id: Any) -> dict[str, str]:
        """A team's aliases of models."""
        try:
            aliases = from_json(self._aliases.get(model_id)) or {}
        except NotJson:
            aliases = None
        if not isinstance(aliases, dict):
            self.notes.leave(tables.TEAMS.kind, row_id, "model_aliases: they are no mapping in JSON")
            return {}
        usable = {
            name: model
            for name, model in aliases.items()
            if isinstance(model, str) and well_formed_id(name) and well_formed_id(model)
        }
        if len(usable) < len(aliases):
            self.notes.leave(tables.TEAMS.kind, row_id, "model_aliases: those that are no pairs of names")
        return usable

    def metadata(self, table: TableFacts, row_id: str, row: Record) -> dict[str, Any]:
        """The metadata; what LiteLLM decides by them, and usherd does not, is noted."""
        try:
            metadata = from_json(row.get("metadata")) or {}
        except NotJson:
            metadata = None
        if not isinstance(metadata, dict):
            self.notes.leave(table.kind, row_id, "metadata: it is no mapping in JSON")
            return {}
        for name in tables.RESTRICTING_METADATA:
            value = metadata.get(name)
            if value and not (name == "guardrails" and isinstance(value, dict) and set(value) <= {"modify_guardrails"}):
                self.notes.leave(table.kind, row_id, f"metadata.{name}")
        return metadata

    def budget(self, table: TableFacts, row_id: str, budget_id: Any) -> Limit:
        """The limits of a budget that stands in a table of its own."""
        if budget_id is None:
            return Limit()
        row = self._budgets.get(budget_id)
        if row is None:
            self.notes.leave(table.kind, row_id, "budget_id: there is no such budget")
            return Limit()
        for name in tables.BUDGETS.told:
            if is_set(row.get(name)):
                self.notes.leave(table.kind, row_id, f"{name} of its budget")
        return self.limit(table, row_id, row)

    def limit(self, table: TableFacts, row_id: str, row: Record) -> Limit:
        """The limits that a record has in itself."""
        found = {
            name: read(row.get(name))
            for name, read in (
                ("max_budget", micro_usd),
                ("tpm_limit", rate),
                ("rpm_limit", rate),
                ("budget_duration", period),
            )
        }
        for name, value in found.items():
            if value.note:
                self.notes.leave(table.kind, row_id, f"{name}: it {value.note}")
        return Limit(
            tpm=found["tpm_limit"].value,
            rpm=found["rpm_limit"].value,
            max_budget_micro_usd=found["max_budget"].value,
            budget_reset_seconds=found["budget_duration"].value,
        )


def _is_entry(text: str) -> bool:
    return well_formed_id(text) and len(text.encode()) <= MAX_MODEL_BYTES
