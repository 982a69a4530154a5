"""Runs an import: reads there, compares as `usherd directory apply` does, and writes here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from usherd.changes import RowKind
from usherd.cli.directory_plan import KINDS, KeptRows, Key, gathered, planned
from usherd.cli.import_view import KIND_NAMES, Outcome
from usherd.errors import AlreadyExists, EtagMismatch, Fault
from usherd.facts import EndUser, Organization, Team, User
from usherd.imports.litellm import translate
from usherd.imports.litellm_read import Choices
from usherd.imports.litellm_reading import Reading
from usherd.imports.notes import Notes
from usherd.imports.writing import EndedEarly, write
from usherd.rpc.directory.client import DirectoryClient
from usherd.store import Edit, ModelRow, Place, Row, Stored

Heard = Callable[[str, int, int], None]
"""Hears of progress: what is being done, how much of it is done, and how much there is."""


async def bring(client: DirectoryClient, reading: Reading, choices: Choices, *, dry_run: bool, heard: Heard) -> Outcome:
    """Makes the directory as what was read says. Raises Fault when the directory cannot be read."""
    translated = translate(reading.read, choices)
    kept = await _kept(client, heard)
    blocked: list[tuple[str, str]] = []
    rows = [_still_blocked(row, kept, blocked) for row in translated.rows]
    plan = planned(gathered(Stored(row, "") for row in rows), kept, prune=False)
    made, ended = 0, None

    def refused(edit: Edit, fault: Fault) -> None:
        _refused(translated.notes, edit, fault)

    edits = plan.edits()
    if not dry_run:
        try:
            made = await write(client, edits, lambda done, total: heard("writing", done, total), refused)
        except EndedEarly as error:
            made, ended = error.made, error.__cause__
    wanted = {key_of(row) for row in rows}
    return Outcome(
        reading=reading,
        translated=translated,
        plan=plan,
        planned=len(edits),
        wanted=_counted(wanted),
        only_here=_counted(key for key in kept if key not in wanted),
        blocked_here=tuple(blocked),
        dry_run=dry_run,
        made=made,
        ended=ended if isinstance(ended, Fault) else None,
    )


async def _kept(client: DirectoryClient, heard: Heard) -> KeptRows:
    kept: dict[Key, Stored] = {}
    for kind in KINDS:
        async for stored in client.rows(kind):
            kept[key_of(stored.row)] = stored
            if len(kept) % 100 == 0:
                heard("reading the directory", len(kept), len(kept))
    return kept


_KIND_OF = {
    Organization: RowKind.ORGANIZATION,
    Team: RowKind.TEAM,
    User: RowKind.USER,
    Place: RowKind.MEMBERSHIP,
    EndUser: RowKind.END_USER,
    ModelRow: RowKind.MODEL,
}


def key_of(row: Row) -> Key:
    """The row's kind and id."""
    if isinstance(row, Place):
        return RowKind.MEMBERSHIP, (row.team, row.user)
    return _KIND_OF[type(row)], (row.name if isinstance(row, ModelRow) else row.id,)


def _still_blocked(row: Row, kept: KeptRows, blocked: list[tuple[str, str]]) -> Row:
    """The row with the block that it has here: whoever set it knows why, and LiteLLM does not."""
    if isinstance(row, Place | ModelRow) or row.blocked:
        return row
    kind, row_id = key_of(row)
    stored = kept.get((kind, row_id))
    if stored is None or not getattr(stored.row, "blocked", False):
        return row
    blocked.append((KIND_NAMES[kind], row.id))
    return replace(row, blocked=True)


def _counted(keys: Iterable[Key]) -> dict[RowKind, int]:
    counts: dict[RowKind, int] = dict.fromkeys(KINDS, 0)
    for kind, _ in keys:
        counts[kind] += 1
    return counts


def _refused(notes: Notes, edit: Edit, fault: Fault) -> None:
    reason = fault.message
    if isinstance(fault, AlreadyExists):
        reason = "another has its id or identity"
    elif isinstance(fault, EtagMismatch):
        reason = "somebody changes it meanwhile"
    notes.skip(KIND_NAMES[edit.kind], " in ".join(_shown(edit)), f"the directory refuses it: {reason}")


def _shown(edit: Edit) -> Iterator[str]:
    return reversed(edit.id)
