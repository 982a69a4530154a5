"""Pages: every row once, in the order of code points, whatever is written meanwhile."""

from __future__ import annotations

import pytest

from stores.sql.making import ORGANIZATION, TEAM, USER, apply, delete, place
from usherd.changes import RowKind
from usherd.facts import EndUser, Organization, Team, User
from usherd.store import Filter, ModelRow, RowId
from usherd.stores.sql.rows import row_id
from usherd.stores.sql.sql_store import SqlStore

PLACE, END_USER, MODEL = RowKind.MEMBERSHIP, RowKind.END_USER, RowKind.MODEL


async def ids(store: SqlStore, kind: RowKind, wanted: Filter | None = None, limit: int = 100) -> list[RowId]:
    """All ids, page by page."""
    found: list[RowId] = []
    while True:
        page = await store.page(kind, wanted or Filter(), after=found[-1] if found else (), limit=limit)
        found += [row_id(stored.row) for stored in page.rows]
        assert len(page.rows) <= limit
        if not page.more:
            return found
        assert len(page.rows) == limit


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_have_every_row_once_in_the_order_of_code_points(store: SqlStore, limit: int) -> None:
    names = ["a", "B", "b", "ä", "z", "Z", "ß", "aa", "a-", "_", "1", "10", "2", "é", "e\u0301", "\uffee", "🚀"]
    await apply(store, *(Team(id=name) for name in names), *(User(id=name) for name in names))
    expected = [(name,) for name in sorted(names)]
    assert await ids(store, TEAM, limit=limit) == expected
    pairs = [(team, user) for team in names[:4] for user in names[:5]]
    await apply(store, *(place(*pair) for pair in pairs))
    assert await ids(store, PLACE, limit=limit) == sorted(pairs)


async def test_a_page_says_what_it_was_read_at_and_whether_there_is_more(store: SqlStore) -> None:
    await apply(store, Team(id="a"), Team(id="b"))
    page = await store.page(TEAM, Filter(), limit=2)
    assert ([stored.etag for stored in page.rows], page.more, page.revision) == (["2", "2"], False, 2)
    assert (await store.page(TEAM, Filter(), limit=1)).more
    assert (await store.page(TEAM, Filter(), after=("b",), limit=1)).rows == ()


async def test_what_is_written_between_two_pages_moves_no_other_row(store: SqlStore) -> None:
    await apply(store, *(Team(id=name) for name in "bdf"))
    first = await store.page(TEAM, Filter(), limit=2)
    await apply(store, Team(id="a"), Team(id="c"), Team(id="e"))
    await store.apply([delete(TEAM, "d")])
    second = await store.page(TEAM, Filter(), after=row_id(first.rows[-1].row), limit=10)
    assert [stored.row for stored in second.rows] == [Team(id="e", revision="3"), Team(id="f", revision="2")]


@pytest.mark.parametrize(
    ("kind", "wanted", "expected"),
    [
        (TEAM, Filter(prefix="t"), ["t1", "t2", "t%"]), (TEAM, Filter(prefix="t%"), ["t%"]),
        (TEAM, Filter(prefix="T"), []),
        (TEAM, Filter(alias="x"), ["t1"]), (TEAM, Filter(organization="o"), ["t1", "t2"]),
        (TEAM, Filter(issuer="idp"), ["t2"]), (TEAM, Filter(blocked=True), ["t2"]),
        (TEAM, Filter(blocked=False, organization="o"), ["t1"]), (TEAM, Filter(email="e"), []),
        (TEAM, Filter(user="u"), []),
        (USER, Filter(team="t1"), ["u"]), (USER, Filter(organization="o"), ["u"]), (USER, Filter(issuer="idp"), ["v"]),
        (USER, Filter(email="e"), ["u"]), (USER, Filter(blocked=True), ["v"]), (USER, Filter(alias="x"), []),
        (PLACE, Filter(team="t2"), ["v"]), (PLACE, Filter(user="v"), ["v"]), (PLACE, Filter(prefix="t"), []),
        (ORGANIZATION, Filter(alias="acme"), ["o"]), (ORGANIZATION, Filter(blocked=True), []),
        (END_USER, Filter(blocked=True), ["e"]), (END_USER, Filter(prefix="e"), ["e"]),
        (MODEL, Filter(prefix="m"), ["m"]),
        (MODEL, Filter(prefix="\0"), []), (MODEL, Filter(prefix="'; --"), []),
    ],
)  # fmt: skip
async def test_a_filter_has_what_it_says_and_nothing_else(
    store: SqlStore, kind: RowKind, wanted: Filter, expected: list[str]
) -> None:
    await apply(
        store, Organization(id="o", alias="acme"), Team(id="t1", alias="x", organization="o"),
        Team(id="t2", issuer="idp", organization="o", blocked=True), Team(id="t%"),
        User(id="u", email="e", organizations=("o",)), User(id="v", identities=(("idp", "s"),), blocked=True),
        place("t1", "u"), place("t2", "v"), EndUser(id="e", blocked=True), EndUser(id="f"), ModelRow(name="m"),
    )  # fmt: skip
    assert {each[-1] for each in await ids(store, kind, wanted)} == set(expected)
