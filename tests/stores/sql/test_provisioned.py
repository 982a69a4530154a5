"""What provisioning writes: as to a directory in memory, but that teams are places."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from stores.sql.making import apply, delete, place, put, told, touched
from usherd.changes import Lookup, RowKind, Sought
from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, Membership, Team, User, Write, WriteKind
from usherd.store import Filter, Place, Spent, Usage
from usherd.stores.sql.sql_store import SqlStore

CREATE, UPDATE, TEAM = WriteKind.CREATE_USER, WriteKind.UPDATE_USER, WriteKind.CREATE_TEAM
ALICE = User(id="alice", identities=(("idp", "a"),), sso_ids=("s",), email="a@x", role="old", limit=Limit(tpm=1))
RED = BudgetOwner(BudgetKind.MEMBER, "alice", "red")


async def user(store: SqlStore, name: str) -> User | None:
    (stored,) = await store.get(RowKind.USER, [(name,)])
    assert stored is None or isinstance(stored.row, User)
    return None if stored is None else stored.row  # type: ignore[return-value]


async def test_a_new_user_comes_with_new_teams_in_one_step(store: SqlStore) -> None:
    row = User(id="carol", identities=(("idp", "c"),), email="c@x", models=("m",), role="r", teams=("new", "nowhere"))
    await store.write([Write(CREATE, row), Write(TEAM, Team(id="new", alias="n"))])
    assert await user(store, "carol") == User(
        id="carol", identities=(("idp", "c"),), email="c@x", models=("m",), role="r", teams=("new",), revision="2"
    )
    found = await store.get(RowKind.MEMBERSHIP, [("new", "carol")])
    assert found[0] is not None
    assert found[0].row == Place(team="new", user="carol", place=Membership())
    assert await store.head() == 2


@pytest.mark.parametrize(
    "row",
    [
        User(id="alice", role="other"), User(id="x", identities=(("idp", "a"),)),
        User(id="a"), User(id="y", identities=(("other", "z"), ("idp", "a"))),
    ],
)  # fmt: skip
async def test_whoever_has_the_id_or_an_identity_came_first(store: SqlStore, row: User) -> None:
    await apply(store, ALICE)
    await store.write([Write(CREATE, row), Write(TEAM, Team(id="t"))])
    assert await user(store, "alice") is not None
    assert [name for _, name, _ in await told(store, 2)] == ["t"]


async def test_writes_that_are_made_again_change_nothing(store: SqlStore) -> None:
    await apply(store, Team(id="t"))
    writes = [
        Write(TEAM, Team(id="t", alias="another")), Write(CREATE, User(id="u", teams=("t",))),
        Write(UPDATE, User(id="u", role="r", teams=("t",))), Write(UPDATE, User(id="nobody", role="r")),
    ]  # fmt: skip
    await store.write(writes)
    await store.write(writes)
    assert await store.head() == 3
    assert (await store.get(RowKind.TEAM, [("t",)]))[0] == ((Team(id="t", revision="2")), "2")


async def test_a_user_kept_in_step_gets_role_and_teams_and_keeps_all_else(store: SqlStore) -> None:
    await apply(store, ALICE, Team(id="old"), Team(id="kept"), Team(id="new"))
    await apply(store, place("old", "alice"), place("kept", "alice", 7, "admin"))
    await store.write([Write(UPDATE, User(id="alice", role="new", teams=("kept", "new"), email="never"))])
    found = await user(store, "alice")
    assert found is not None
    assert (found.role, found.teams, found.email, found.sso_ids, found.limit) == (
        "new", ("kept", "new"), "a@x", ("s",), Limit(tpm=1),
    )  # fmt: skip
    (kept,) = await store.get(RowKind.MEMBERSHIP, [("kept", "alice")])
    assert kept is not None
    assert kept.row == Place(team="kept", user="alice", place=Membership(role="admin", max_budget_micro_usd=7))


async def test_who_has_two_tokens_sheds_no_limit_of_a_place(store: SqlStore) -> None:
    """What is set of the place, and what was spent there, are there again when the user is."""
    await apply(store, ALICE, Team(id="red"), Team(id="blue"))
    await apply(store, place("red", "alice", 7, "admin"))
    await store.record_usage([Usage(RED, 5)])
    await store.write([Write(UPDATE, User(id="alice", role="old", teams=("blue",)))])
    assert (await user(store, "alice") or ALICE).teams == ("blue",)
    assert [each.row for each in (await store.page(RowKind.USER, Filter(team="red"))).rows] == []
    assert await touched(store, 3) >= {
        Lookup(Sought.USER_IDENTITY, ("idp", "a")),
        Lookup(Sought.MEMBERSHIP, ("red", "alice")),
    }
    await store.record_usage([Usage(RED, 5)])
    await store.write([Write(UPDATE, User(id="alice", role="old", teams=("red",)))])
    assert (await user(store, "alice") or ALICE).teams == ("red",)
    found = await store.get(RowKind.MEMBERSHIP, [("red", "alice"), ("blue", "alice")])
    assert [each and each.row for each in found] == [place("red", "alice", 7, "admin"), None]
    assert await store.usage(RED) == Spent(10, BudgetState.EXCEEDED, math.inf)


async def test_a_place_that_its_user_is_away_from_is_taken_away_or_given_back_by_whoever_writes_it(
    store: SqlStore,
) -> None:
    await apply(store, ALICE, Team(id="red"), place("red", "alice", 7))
    await store.record_usage([Usage(RED, 5)])
    away = Write(UPDATE, User(id="alice", role="old"))
    await store.write([away])
    assert await store.get(RowKind.MEMBERSHIP, [("red", "alice")]) == [
        (replace(place("red", "alice", 7), away=True), "3")
    ]
    await apply(store, place("red", "alice", 7))
    assert (await user(store, "alice") or ALICE).teams == ("red",)
    await store.write([away])
    await store.apply([delete(RowKind.MEMBERSHIP, "red", "alice")])
    await store.write([Write(UPDATE, User(id="alice", role="old", teams=("red",)))])
    assert await store.usage(RED) == Spent(0, BudgetState.WITHIN, math.inf)


async def test_a_user_that_has_changed_since_is_left_alone(store: SqlStore) -> None:
    await apply(store, ALICE, Team(id="t"))
    await store.apply([put(User(id="alice", identities=ALICE.identities, role="taken away"))])
    await store.write([Write(UPDATE, User(id="alice", role="old", teams=("t",), revision="2"))])
    assert (await user(store, "alice") or ALICE).role == "taken away"
    assert await store.head() == 3
    await store.write([Write(UPDATE, User(id="alice", role="new", revision="3"))])
    assert (await user(store, "alice") or ALICE).role == "new"


async def test_two_gateways_that_see_somebody_new_make_one_user(store: SqlStore) -> None:
    rows = [User(id=f"u{number}", identities=(("idp", "s"),)) for number in range(8)]
    await asyncio.gather(*(store.write([Write(CREATE, row)]) for row in rows))
    assert await store.head() == 2
    assert len((await store.page(RowKind.USER, Filter())).rows) == 1


@pytest.mark.parametrize("email", ["x" * 255, "a\0@x", "\ud800", "a\n@x"])
async def test_an_address_that_is_none_keeps_nobody_out(store: SqlStore, email: str) -> None:
    """What a token says of its holder is in the holder's hands: it never makes the directory fail."""
    await store.write([Write(CREATE, User(id="u", email=email))])
    assert (await user(store, "u") or ALICE).email == ""


@pytest.mark.parametrize("write", [Write(CREATE, User(id="")), Write(TEAM, User(id="u")), Write(UPDATE, Team(id="t"))])
async def test_a_row_that_no_such_write_can_be_about_is_a_bug(store: SqlStore, write: Write) -> None:
    with pytest.raises(ValueError, match=write.kind.value):
        await store.write([write])
