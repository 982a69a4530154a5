"""What the directory in memory promises besides what every directory does."""

from __future__ import annotations

import pytest

from usherd.facts import Membership, Rows, Team
from usherd.ports import Wanted
from usherd.stores.memory_directory import MemoryDirectory, new_store_id


@pytest.mark.parametrize("store_id", ["", "a:b", "x" * 33, "é"])
def test_a_store_id_that_no_revision_could_carry_is_refused(store_id: str) -> None:
    with pytest.raises(ValueError, match="store id"):
        MemoryDirectory(store_id, Rows())


def test_each_process_life_is_another_store() -> None:
    assert len({new_store_id() for _ in range(100)}) == 100


async def test_whoever_handed_rows_over_cannot_change_them_later() -> None:
    members = {"u1": Membership()}
    directory = MemoryDirectory("s", Rows(teams=(Team(id="t", issuer="one", members=members),)))
    members["u2"] = Membership(role="admin")

    team = (await directory.facts([Wanted(issuer="one")])).team("one", "t")

    assert team is not None
    assert set(team.members) == {"u1"}
    with pytest.raises(TypeError):
        team.members["u2"] = Membership()  # type: ignore[index]
