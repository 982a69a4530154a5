"""An import writes what it can, tries again what may succeed later, and says what was refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from usherd.imports.plan import Plan

from usherd.changes import RowKind
from usherd.errors import AlreadyExists, DirectoryUnavailable, Fault, InternalFault
from usherd.facts import Team
from usherd.imports import writing
from usherd.imports.writing import MOST_REFUSED, TooManyRefused, write
from usherd.store import Edit, Op, Stored


class Directory:
    """Takes edits, but for some."""

    def __init__(self, *, taken: frozenset[str] = frozenset(), faults: Sequence[Fault] = ()) -> None:
        self.taken = taken
        self.faults = list(faults)
        self.made: list[str] = []
        self.requests: list[str] = []

    async def rows(self, kind: RowKind) -> AsyncIterator[Sequence[Stored]]:
        yield ()

    def steps(self, edits: Sequence[Edit]) -> Iterator[Sequence[Edit]]:
        for first in range(0, len(edits), 8):
            yield edits[first : first + 8]

    async def apply(self, edits: Sequence[Edit], request_id: str) -> None:
        self.requests.append(request_id)
        if self.faults:
            raise self.faults.pop(0)
        ids = [edit.id[0] for edit in edits]
        if self.taken.intersection(ids):
            raise AlreadyExists
        self.made += ids


def _plan(count: int) -> Plan:
    edits = tuple(
        Edit(Op.CREATE, RowKind.TEAM, (f"t{number}",), Team(id=f"t{number}", models=())) for number in range(count)
    )
    return Plan(edits, {}, ())


async def _write(directory: Directory, plan: Plan) -> tuple[int, list[str], list[tuple[int, int]]]:
    refused: list[str] = []
    heard: list[tuple[int, int]] = []
    made = await write(
        directory, plan, lambda done, total: heard.append((done, total)), lambda edit, fault: refused.append(edit.id[0])
    )
    return made, refused, heard


async def test_what_one_row_is_refused_for_keeps_no_other_out() -> None:
    directory = Directory(taken=frozenset({"t3", "t17"}))
    made, refused, heard = await _write(directory, _plan(20))
    assert made == 18
    assert refused == ["t3", "t17"]
    assert directory.made == [f"t{number}" for number in range(20) if number not in (3, 17)]
    assert heard[-1] == (20, 20)


async def test_a_step_that_may_have_been_made_is_tried_again_as_the_same_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "FIRST_WAIT", 0.001)
    directory = Directory(faults=[DirectoryUnavailable(), DirectoryUnavailable()])
    assert (await _write(directory, _plan(3)))[0] == 3
    assert len(directory.requests) == 3
    assert len(set(directory.requests)) == 1


async def test_a_directory_that_stays_out_of_reach_ends_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "FIRST_WAIT", 0.001)
    directory = Directory(faults=[DirectoryUnavailable() for _ in range(writing.TRIES)])
    with pytest.raises(DirectoryUnavailable):
        await _write(directory, _plan(3))


async def test_any_other_fault_ends_the_import_at_once() -> None:
    directory = Directory(faults=[InternalFault()])
    with pytest.raises(InternalFault):
        await _write(directory, _plan(3))
    assert len(directory.requests) == 1


async def test_when_everything_is_refused_it_ends_early() -> None:
    directory = Directory(taken=frozenset(f"t{number}" for number in range(5, 500)))
    with pytest.raises(TooManyRefused) as ended:
        await _write(directory, _plan(500))
    assert ended.value.made == 5
    assert len(directory.requests) < 4 * MOST_REFUSED
