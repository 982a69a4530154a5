"""What an import cannot carry over: rows that are left out, and what is left out of rows. Nothing goes silently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Note(NamedTuple):
    """One thing that did not come over, with all rows that it happened to."""

    kind: str
    """What it is about, in the singular: `team`."""
    text: str
    """What is not there, or why the row is not."""
    ids: tuple[str, ...]
    """The rows, in the order in which they were met."""


class Notes:
    """Collects notes."""

    def __init__(self) -> None:
        self._skipped: dict[tuple[str, str], list[str]] = {}
        self._left: dict[tuple[str, str], list[str]] = {}

    def skip(self, kind: str, row_id: str, reason: str) -> None:
        """The whole row is not imported."""
        self._skipped.setdefault((kind, reason), []).append(row_id)

    def leave(self, kind: str, row_id: str, text: str) -> None:
        """The row is imported, and this of it is not, or is not what it was."""
        self._left.setdefault((kind, text), []).append(row_id)

    @property
    def skipped(self) -> tuple[Note, ...]:
        """Rows that are not imported."""
        return tuple(_sorted(self._skipped))

    @property
    def left(self) -> tuple[Note, ...]:
        """What is left out of rows that are imported."""
        return tuple(_sorted(self._left))


def _sorted(notes: dict[tuple[str, str], list[str]]) -> Iterator[Note]:
    for (kind, text), ids in sorted(notes.items()):
        yield Note(kind, text, tuple(ids))
