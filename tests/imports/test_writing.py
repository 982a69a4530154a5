"""An import writes what it can, tries again what may succeed later, and says what was refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from usherd.changes import RowKind
from usherd.errors import AlreadyExists, DirectoryUnavailable, Fault
from usherd.facts import Team
from usherd.imports.writing import BATCH, MOST_REFUSED, EndedEarly, write
from usherd.store import Edit, Op


class Directory:
    """Takes edits, but for some."""

    def __init__(self, *, taken: frozenset[str] = frozenset(), most: int = 1000, ends_at: int | None = None) -> None:
        self.taken = taken
        self.most = most
        self.ends_at = ends_at
        self.made: list[str] = []
        self.requests: list[str] = []

    async def apply(self, edits: Sequence[Edit], request_id: str) -> tuple[int, str]:
        self.requests.append(request_id)
        if self.ends_at == len(self.requests):
            raise DirectoryUnavailable
        ids = [edit.id[0] for edit in edits[: self.most]]
        if self.taken.intersection(ids):
            raise AlreadyExists
        self.made += ids
        return len(ids), "s:1"


def _edits(count: int) -> list[Edit]:
    return [Edit(Op.CREATE, RowKind.TEAM, (f"t{number}",), Team(id=f"t{number}", models=())) for number in range(count)]


async def _write(directory: Directory, count: int) -> tuple[int, list[str], list[tuple[int, int]]]:
    refused: list[str] = []
    heard: list[tuple[int, int]] = []

    def refuse(edit: Edit, fault: Fault) -> None:
        refused.append(edit.id[0])

    made = await write(directory, _edits(count), lambda done, total: heard.append((done, total)), refuse)
    return made, refused, heard


async def test_what_one_row_is_refused_for_keeps_no_other_out() -> None:
    directory = Directory(taken=frozenset({"t3", "t417"}))
    made, refused, heard = await _write(directory, 1000)
    assert made == 998
    assert refused == ["t3", "t417"]
    assert directory.made == [f"t{number}" for number in range(1000) if number not in (3, 417)]
    assert heard[-1] == (1000, 1000)
    assert len(directory.requests) < 1000 / BATCH + 50


async def test_rows_are_written_in_order_in_steps_as_long_as_one_takes() -> None:
    directory = Directory(most=7)
    assert (await _write(directory, 100))[0] == 100
    assert directory.made == [f"t{number}" for number in range(100)]
    assert len(set(directory.requests)) == 15


async def test_another_request_is_never_named_as_one_before() -> None:
    first, second = Directory(taken=frozenset({"t50"})), Directory()
    await _write(first, 100)
    await _write(second, 100)
    requests = first.requests + second.requests
    assert len(set(requests)) == len(requests)


async def test_a_fault_ends_it_early_and_says_how_much_is_written() -> None:
    with pytest.raises(EndedEarly) as ended:
        await _write(Directory(taken=frozenset({"t0"}), most=10, ends_at=12), 1000)
    assert isinstance(ended.value.__cause__, DirectoryUnavailable)
    assert 0 < ended.value.made < 100


async def test_when_everything_is_refused_it_ends_early() -> None:
    directory = Directory(taken=frozenset(f"t{number}" for number in range(5, 5000)))
    with pytest.raises(EndedEarly) as ended:
        await _write(directory, 5000)
    assert ended.value.made == 5
    assert len(directory.requests) < 4 * MOST_REFUSED
