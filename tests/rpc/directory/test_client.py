"""The command line's side of the service: an answer that was lost costs nothing, and one of no use is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tools.memory_store import MemoryStore
from tools.rpc_world import running
from usherd.changes import RowKind
from usherd.errors import DirectoryUnavailable, EtagMismatch
from usherd.facts import EndUser, User
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.dial import connected
from usherd.rpc.directory import client
from usherd.rpc.directory.client import DirectoryClient, NoSuchFilter
from usherd.rpc.directory.kept import KeptDirectory
from usherd.store import Applied, Edit, Filter, Op, Request, Store


class Forgetful(MemoryStore):
    """Makes what it is asked to, and does not say so, the first times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.asked = 0

    async def apply(self, edits: Sequence[Edit], request: Request | None = None) -> Applied:
        applied = await super().apply(edits, request)
        self.asked += 1
        if self.asked <= self.times:
            raise DirectoryUnavailable
        return applied


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WAIT", 0.0)


def creation(name: str) -> Edit:
    return Edit(Op.CREATE, RowKind.END_USER, (name,), EndUser(id=name))


@pytest.mark.parametrize(("times", "reached"), [(3, True), (4, False)])
async def test_a_transaction_whose_answer_was_lost_is_made_once(times: int, reached: bool) -> None:
    store = Forgetful(times)
    kept, admission = KeptDirectory(store=store), Admission(Terms(may_manage=True))
    async with running(directory=kept, begins=admission.begins) as server, connected(server.address) as connection:
        if reached:
            assert await DirectoryClient(connection).apply([creation("a")], "r-1") == (1, "memory:1")
        else:
            with pytest.raises(DirectoryUnavailable):
                await DirectoryClient(connection).apply([creation("a")], "r-1")

    assert store.asked == 4
    assert await store.head() == 1


async def test_as_many_edits_go_in_a_transaction_as_fit_and_long_rows_are_no_obstacle(store: Store) -> None:
    models = tuple(f"{number}-{'x' * 200}" for number in range(1000))
    edits = [Edit(Op.PUT, RowKind.USER, (name,), User(id=name, models=models)) for name in ("a", "b", "c")]
    edits += [creation(f"{number}") for number in range(700)]
    kept, admission, made = KeptDirectory(store=store), Admission(Terms(may_manage=True)), list[int]()
    async with running(directory=kept, begins=admission.begins) as server, connected(server.address) as connection:
        there = DirectoryClient(connection)
        while sum(made) < len(edits):
            count, _ = await there.apply(edits[sum(made) :], f"r-{len(made)}")
            made.append(count)
        rows = [stored.row async for stored in there.rows(RowKind.USER)]

    assert made == [1, 1, 500, 201]
    assert [row.models for row in rows if isinstance(row, User)] == [models] * 3


async def test_rows_are_read_and_changed_as_they_are_kept(store: Store) -> None:
    kept, admission = KeptDirectory(store=store), Admission(Terms(may_manage=True))
    async with running(directory=kept, begins=admission.begins) as server, connected(server.address) as connection:
        there = DirectoryClient(connection)
        await there.apply([creation("a"), creation("b")], "r-1")
        first = await there.get(RowKind.END_USER, ("a",))
        await there.block(RowKind.END_USER, ("a",), blocked=True)
        blocked = [stored.row async for stored in there.rows(RowKind.END_USER, Filter(blocked=True))]

        assert blocked == [EndUser(id="a", blocked=True)]
        assert first is not None
        assert await there.get(RowKind.END_USER, ("nobody",)) is None
        with pytest.raises(EtagMismatch):
            await there.apply([Edit(Op.DELETE, RowKind.END_USER, ("a",), None, first.etag)], "r-2")
        with pytest.raises(NoSuchFilter):
            [each async for each in there.rows(RowKind.END_USER, Filter(email="a@example.com"))]
