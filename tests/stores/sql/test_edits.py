"""Edits: all of them or none, each told to the change log with every way in which its row was or is found."""

from __future__ import annotations

import asyncio

import pytest

from stores.sql.making import (
    CREATED,
    DELETED,
    TEAM,
    UPDATED,
    USER,
    apply,
    create,
    delete,
    news,
    place,
    put,
    told,
    touched,
)
from stores.sql.making import update as updated
from usherd.changes import Lookup, RowKind, Sought
from usherd.domain import Limit
from usherd.errors import AlreadyExists, BrokenReference, EtagMismatch, NotFound
from usherd.facts import EndUser, Membership, Organization, Team, User
from usherd.store import Edit, ModelRow, Place, Row
from usherd.stores.sql.rows import kind_of, row_id
from usherd.stores.sql.sql_store import SqlStore

FULL_LIMIT = Limit(tpm=1, rpm=2**62, max_budget_micro_usd=2**63 - 1, budget_reset_seconds=86400)
ROWS: list[Row] = [
    Organization(id="o", alias="acme", models=("a", "b*"), blocked=True, limit=FULL_LIMIT),
    Organization(id="o2", models=()),
    Team(id="t", issuer="idp", alias="🚀", organization="o", models=("x",), blocked=True, limit=FULL_LIMIT,
         guardrails_modifiable=False, model_aliases={"gpt": "x", "'; DROP TABLE": "y"}),
    Team(id="t2"),
    User(id="u", identities=(("idp", "a"), ("other", "b")), sso_ids=("s1", "s2"), email="u@example.org", role="admin",
         models=(), organizations=("o", "o2"), administers=("o2",), blocked=True, limit=FULL_LIMIT),
    User(id="ü\u200dx"),
    Place(team="t", user="u", place=Membership(role="admin", max_budget_micro_usd=0)),
    EndUser(id="e", blocked=True, limit=FULL_LIMIT),
    ModelRow(name="x", provider="p", groups=("g",), aliases=("y", "z")),
]  # fmt: skip


async def only(store: SqlStore, row: Row) -> Row:
    (stored,) = await store.get(kind_of(row), [row_id(row)])
    assert stored is not None
    return stored.row


async def test_a_row_comes_back_as_it_was_written(store: SqlStore) -> None:
    applied = await apply(store, *ROWS)
    assert applied.revision == 2
    for row, stored in zip(ROWS, applied.rows, strict=True):
        assert stored is not None
        found = await only(store, row)
        assert found == stored.row
        assert stored.etag == "2"
        if isinstance(row, Place):
            assert isinstance(found, Place)
            assert (found.place, found.place.revision) == (row.place, "2")
        else:
            teams = {"teams": ("t",)} if isinstance(row, User) and row.id == "u" else {}
            assert found == type(row)(
                **{**{name: getattr(row, name) for name in row.__slots__}, **teams, "revision": "2"}
            )


async def test_what_is_not_there_is_not_found(store: SqlStore) -> None:
    await apply(store, Team(id="t"))
    missing = [("x",), ("t",), ("\0",), ("\ud800",), ("x" * 1000,)]
    assert [stored is None for stored in await store.get(TEAM, missing)] == [True, False, True, True, True]
    for edit in (updated(Team(id="x")), delete(TEAM, "x")):
        with pytest.raises(NotFound):
            await store.apply([edit])


async def test_a_row_that_is_as_it_should_be_keeps_its_revision_and_is_not_told(store: SqlStore) -> None:
    await apply(store, *ROWS)
    again = await apply(store, *ROWS)
    assert again.revision == 2
    assert {stored.etag for stored in again.rows if stored} == {"2"}
    assert await told(store, 2) == []


async def test_the_order_of_a_list_that_has_none_is_no_change(store: SqlStore) -> None:
    await apply(store, User(id="u", identities=(("b", "1"), ("a", "2")), sso_ids=("y", "x")))
    await apply(store, User(id="u", identities=(("a", "2"), ("b", "1")), sso_ids=("x", "y", "x")))
    assert await store.head() == 2


async def test_all_edits_are_made_or_none(store: SqlStore) -> None:
    with pytest.raises(NotFound):
        await store.apply([create(Team(id="a")), delete(TEAM, "none")])
    assert await store.get(TEAM, [("a",)]) == [None]
    assert (await store.head(), await told(store, 1)) == (1, [])


async def test_edits_of_one_step_have_one_revision_and_see_each_other(store: SqlStore) -> None:
    applied = await store.apply([
        create(Team(id="t")), create(User(id="u")), create(place("t", "u")), updated(Team(id="t", blocked=True)),
        delete(USER, "u"), create(User(id="u", email="new")),
    ])  # fmt: skip
    assert {change.revision for change in await news(store, 1)} == {applied.revision} == {2}
    assert (await only(store, Team(id="t"))) == Team(id="t", blocked=True, revision="2")
    assert (await only(store, User(id="u"))) == User(id="u", email="new", revision="2")


async def test_something_of_that_name_is_not_created_again(store: SqlStore) -> None:
    for row in ROWS:
        await store.apply([create(row)])
    for row in ROWS:
        with pytest.raises(AlreadyExists):
            await store.apply([create(row)])


async def test_an_etag_that_is_not_the_rows_stops_the_edit(store: SqlStore) -> None:
    first = await apply(store, Team(id="t"))
    (stored,) = first.rows
    assert stored is not None
    second = await store.apply([updated(Team(id="t", blocked=True), stored.etag)])
    stale: list[Edit] = [
        updated(Team(id="t"), stored.etag), put(Team(id="t"), stored.etag), delete(TEAM, "t", etag=stored.etag),
        put(Team(id="t"), "2 "), put(Team(id="new"), "1"),
    ]  # fmt: skip
    for edit in stale:
        with pytest.raises(EtagMismatch):
            await store.apply([edit])
    assert (await store.apply([delete(TEAM, "t", etag=str(second.revision))])).rows == (None,)


async def test_every_way_in_which_a_row_was_or_is_found_is_told(store: SqlStore) -> None:
    await apply(store, User(id="u", identities=(("idp", "old"),), sso_ids=("s",), email="old@x"))
    await apply(store, User(id="u", identities=(("idp", "new"),), sso_ids=("s",), email="new@x"))
    assert await touched(store, 2) == {
        Lookup(Sought.USER, ("u",)), Lookup(Sought.USER_SSO, ("s",)),
        Lookup(Sought.USER_IDENTITY, ("idp", "old")), Lookup(Sought.USER_IDENTITY, ("idp", "new")),
        Lookup(Sought.USER_EMAIL, ("old@x",)), Lookup(Sought.USER_EMAIL, ("new@x",)),
    }  # fmt: skip
    await apply(store, Team(id="t", alias="a"), Organization(id="o", alias="b"))
    await apply(store, Team(id="t", issuer="idp", alias="c"), Organization(id="o"))
    assert await touched(store, 4) == {
        Lookup(Sought.TEAM, ("", "t")), Lookup(Sought.TEAM, ("idp", "t")), Lookup(Sought.TEAM_ALIAS, ("", "a")),
        Lookup(Sought.TEAM_ALIAS, ("idp", "c")), Lookup(Sought.ORGANIZATION, ("o",)),
        Lookup(Sought.ORGANIZATION_ALIAS, ("b",)),
    }  # fmt: skip


async def test_a_place_is_told_with_the_user_whose_team_it_is_and_gives_both_a_revision(store: SqlStore) -> None:
    await apply(store, Team(id="t"), User(id="u", email="e"))
    await apply(store, place("t", "u"))
    assert await told(store, 2) == [(RowKind.MEMBERSHIP, "1:t/u", CREATED), (USER, "u", UPDATED)]
    assert Lookup(Sought.USER_EMAIL, ("e",)) in await touched(store, 2)
    assert await only(store, User(id="u")) == User(id="u", email="e", teams=("t",), revision="3")
    await apply(store, place("t", "u", role="admin"))
    assert await told(store, 3) == [(RowKind.MEMBERSHIP, "1:t/u", UPDATED)]
    await store.apply([delete(RowKind.MEMBERSHIP, "t", "u")])
    assert await told(store, 4) == [(RowKind.MEMBERSHIP, "1:t/u", DELETED), (USER, "u", UPDATED)]
    assert await only(store, User(id="u")) == User(id="u", email="e", revision="5")


async def test_a_user_that_is_written_keeps_its_places(store: SqlStore) -> None:
    await apply(store, Team(id="t"), User(id="u"), place("t", "u"))
    await apply(store, User(id="u", blocked=True, teams=("elsewhere",)))
    assert await only(store, User(id="u")) == User(id="u", blocked=True, teams=("t",), revision="3")


async def test_what_is_only_there_with_a_row_goes_with_it_and_is_told(store: SqlStore) -> None:
    await apply(store, *ROWS)
    await store.apply([delete(TEAM, "t")])
    assert await told(store, 2) == [
        (RowKind.MEMBERSHIP, "1:t/u", DELETED), (TEAM, "t", DELETED), (USER, "u", UPDATED),
        (RowKind.BUDGET, "member:1:t/u", UPDATED),
    ]  # fmt: skip
    await apply(store, Team(id="t"), place("t", "u"))
    await store.apply([delete(USER, "u")])
    assert await told(store, 4) == [(RowKind.MEMBERSHIP, "1:t/u", DELETED), (USER, "u", DELETED)]
    await apply(store, User(id="other", identities=(("idp", "a"),)))
    assert await store.get(RowKind.MEMBERSHIP, [("t", "u")]) == [None]


async def test_nothing_names_what_is_not_there(store: SqlStore) -> None:
    await apply(store, Team(id="t"), User(id="u"))
    for row in (place("t", "x"), place("x", "u"), Team(id="n", organization="x"), User(id="n", organizations=("x",))):
        with pytest.raises(BrokenReference):
            await apply(store, row)


async def test_an_organization_stays_as_long_as_somebody_names_it(store: SqlStore) -> None:
    await apply(store, Organization(id="o"), Team(id="t", organization="o"), User(id="u", organizations=("o",)))
    gone = delete(RowKind.ORGANIZATION, "o")
    for edits in ([gone], [delete(TEAM, "t"), gone], [delete(USER, "u"), gone]):
        with pytest.raises(BrokenReference):
            await store.apply(edits)
    await store.apply([delete(TEAM, "t"), delete(USER, "u"), gone])
    assert await store.get(RowKind.ORGANIZATION, [("o",)]) == [None]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (User(id="a", identities=(("idp", "s"),)), User(id="b", identities=(("x", "y"), ("idp", "s")))),
        (User(id="s"), User(id="b", identities=(("idp", "s"),))),
        (User(id="a", identities=(("idp", "s"),)), User(id="s")),
    ],
)
async def test_nobody_takes_the_identity_of_another_user(store: SqlStore, first: User, second: User) -> None:
    """Not that of one who is known to the only issuer by its id, either."""
    await apply(store, first)
    with pytest.raises(AlreadyExists):
        await apply(store, second)
    await apply(store, User(id=second.id, identities=(("free", "s"),)))
    with pytest.raises(AlreadyExists):
        await apply(store, second)
    await store.apply([delete(USER, first.id), put(second)])


async def test_ids_are_no_identities_where_there_are_several_issuers(store: SqlStore) -> None:
    store.bare_ids_for = None
    await apply(store, User(id="s"), User(id="b", identities=(("idp", "s"),)))


async def test_of_those_who_want_one_identity_at_once_one_gets_it(store: SqlStore) -> None:
    async def want(number: int) -> bool:
        try:
            await apply(store, User(id=f"u{number}", identities=(("idp", "s"),)))
        except AlreadyExists:
            return False
        return True

    assert sum(await asyncio.gather(*map(want, range(10)))) == 1


async def test_many_rows_are_one_step(store: SqlStore) -> None:
    rows: list[Row] = [Team(id="t"), *(User(id=f"u{number:04}") for number in range(600))]
    rows += [place("t", f"u{number:04}") for number in range(600)]
    await apply(store, *rows)
    await store.apply([delete(TEAM, "t")])
    found = await store.get(USER, [(f"u{number:04}",) for number in range(600)])
    assert {stored and stored.etag for stored in found} == {"3"}
    assert len((await store.changes(2, limit=2000)).changes) == 1 + 2 * 600
