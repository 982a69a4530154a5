"""The list of revoked tokens in a database: what is in it, what the change log says of it, and what it never does."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from examples import examples
from stores.sql.conftest import OpenDatabase
from stores.support import Hands
from usherd.changes import ChangeKind, Lookup, News, RowKind, Sought
from usherd.errors import ListFull, NotFound
from usherd.revocation_store import Wanted
from usherd.revocations import Entry, told
from usherd.revoked import RevokedTokens
from usherd.store import Request
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database, opened_database
from usherd.stores.sql.revocations import SWEPT_AT_ONCE, SqlRevocations

ID = "0123456789abcdef" * 2


def entry(sought: Sought, *key: str, before: float | None = None, until: float = math.inf) -> Entry:
    return Entry(which=Lookup(sought, key), issued_before=before, until=until)


async def revoke(store: SqlRevocations, *entries: Entry, caller: str = "", request: Request | None = None) -> list[str]:
    ids = []
    for each in entries:
        done = await store.revoke(each, note="", caller=caller, request=request)
        assert done.revocation is not None
        ids.append(done.revocation.id)
    return ids


async def log_of(database: Database) -> list[tuple[int, str, int, list[Lookup]]]:
    async with database.reading() as connection:
        rows = await connection.execute(select(schema.change_log).where(schema.change_log.c.kind == RowKind.REVOCATION))
        return [
            (
                row.revision,
                row.row_id,
                row.change,
                [Lookup(Sought(n), tuple(key)) for n, *key in json.loads(row.lookups)],
            )
            for row in rows
        ]


async def test_what_is_revoked_is_in_the_list_as_it_was_said_and_in_the_change_log(
    database: Database, clock: Hands
) -> None:
    store, what = SqlRevocations(database), entry(Sought.SUBJECT, "idp", 'é"\\,', before=1.5, until=9e9)
    clock.now = 1234.5

    done = await store.revoke(what, note="left", caller="ops")

    page = await store.page(Wanted())
    (row,) = page.rows
    assert done.revocation == row
    assert (row.entry, row.note, row.caller, row.revoked_at) == (what, "left", "ops", 1234.5)
    assert (page.more, page.revision) == (False, done.revision)
    assert await log_of(database) == [
        (done.revision, row.id, ChangeKind.CREATED, [what.which, told(what, done.revision)])
    ]
    assert await store.snapshot() == ({what.which: what}, done.revision)


async def test_what_is_revoked_again_joins_what_was(database: Database) -> None:
    store = SqlRevocations(database)
    first = await store.revoke(entry(Sought.ISSUER, "idp", before=20.0, until=5e9), note="a", caller="x")
    second = await store.revoke(entry(Sought.ISSUER, "idp", before=10.0, until=6e9), note="b", caller="y")

    (row,) = (await store.page(Wanted())).rows
    assert (row.entry, row.note, row.caller) == (entry(Sought.ISSUER, "idp", before=20.0, until=6e9), "b", "y")
    assert second.revocation == row
    assert first.revision < second.revision
    assert [each[2] for each in await log_of(database)] == [ChangeKind.CREATED, ChangeKind.UPDATED]


async def test_what_is_lifted_is_gone_and_cannot_be_lifted_again(database: Database) -> None:
    store, what = SqlRevocations(database), entry(Sought.TOKEN, ID)
    (id,) = await revoke(store, what)

    revision = await store.lift(id)

    assert (await store.page(Wanted())).rows == ()
    assert (await log_of(database))[-1] == (
        revision,
        id,
        ChangeKind.DELETED,
        [what.which, told(what, revision, lifted=True)],
    )
    with pytest.raises(NotFound):
        await store.lift(id)


async def test_an_id_says_nothing_of_what_is_revoked_and_is_the_same_on_every_replica(
    open_database: OpenDatabase,
) -> None:
    async with (
        open_database() as one,
        open_database() as other,
        opened_database("sqlite:///:memory:", upgrade=True) as elsewhere,
    ):
        what = entry(Sought.JTI, "idp", "7")
        ids = [(await revoke(SqlRevocations(each), what))[0] for each in (one, other, elsewhere)]

    assert ids[0] == ids[1] != ids[2]
    assert len(ids[0]) == 32


async def test_a_full_list_refuses_more_and_forgets_nothing(database: Database) -> None:
    store = SqlRevocations(database, bound=3, reserved=1)
    await revoke(store, entry(Sought.TOKEN, ID), entry(Sought.JTI, "idp", "1"))

    with pytest.raises(ListFull):
        await revoke(store, entry(Sought.JTI, "idp", "2"))
    await revoke(store, entry(Sought.JTI, "idp", "1"), entry(Sought.ISSUER, "idp", before=1.0))
    with pytest.raises(ListFull):
        await revoke(store, entry(Sought.SUBJECT, "idp", "a", before=1.0))

    assert {each.entry.which.sought for each in (await store.page(Wanted())).rows} == {
        Sought.TOKEN,
        Sought.JTI,
        Sought.ISSUER,
    }


async def test_what_no_longer_counts_is_not_listed_makes_room_and_goes_a_few_at_a_time(
    database: Database, clock: Hands
) -> None:
    store = SqlRevocations(database, bound=SWEPT_AT_ONCE + 10, reserved=0)
    clock.now = 1000.0
    old = [entry(Sought.JTI, "idp", str(number), until=2000.0 + number) for number in range(SWEPT_AT_ONCE + 10)]
    await revoke(store, *old)
    clock.now = 9000.0

    assert (await store.page(Wanted())).rows == ()
    with pytest.raises(NotFound):
        await store.lift((await revoke_ids(database))[0])
    kept = []
    for number in range(2):
        await revoke(store, entry(Sought.JTI, "idp", f"new {number}"))
        kept.append(len(await revoke_ids(database)))
    assert kept == [11, 2]


async def revoke_ids(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list(await connection.scalars(select(schema.revocations.c.id)))


async def test_an_expired_entry_that_is_revoked_again_is_told_as_revoked_alone(
    database: Database, clock: Hands
) -> None:
    store = SqlRevocations(database)
    clock.now = 1000.0
    await revoke(store, entry(Sought.ISSUER, "idp", before=500.0, until=2000.0))
    clock.now = 3000.0

    done = await store.revoke(entry(Sought.ISSUER, "idp", before=400.0, until=4000.0), note="", caller="")

    what = entry(Sought.ISSUER, "idp", before=400.0, until=4000.0)
    assert [each[3] for each in await log_of(database) if each[0] == done.revision] == [
        [what.which, told(what, done.revision)]
    ]


SOME = [
    entry(Sought.TOKEN, "a" * 32),
    entry(Sought.TOKEN, "b" * 32),
    entry(Sought.JTI, "idp", "alice"),
    entry(Sought.JTI, "idp2", "alice"),
    entry(Sought.JTI, 'x"', ',"alice'),
    entry(Sought.SUBJECT, "idp", "alice", before=1.0),
    entry(Sought.SUBJECT, "idp", "ALICE", before=1.0),
    entry(Sought.SUBJECT, "idp2", 'x","alice', before=1.0),
    entry(Sought.SUBJECT, "IDP", "é%_", before=1.0),
    entry(Sought.ISSUER, "idp", before=1.0),
    entry(Sought.ISSUER, "idp2", before=1.0),
    entry(Sought.ISSUER, "a" * 32, before=1.0),
]
_WORDS = st.sampled_from(["", "", *sorted({part for each in SOME for part in each.which.key}), "nobody"])


def fits(wanted: Wanted, which: Lookup) -> bool:
    sought, key = which
    return not (
        (wanted.issuer and (sought is Sought.TOKEN or key[0] != wanted.issuer))
        or (wanted.subject and (sought is not Sought.SUBJECT or key[1] != wanted.subject))
        or (wanted.jti and (sought is not Sought.JTI or key[1] != wanted.jti))
        or (wanted.token_id and which != Lookup(Sought.TOKEN, (wanted.token_id,)))
    )


@examples(60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.builds(Wanted, _WORDS, _WORDS, _WORDS, _WORDS), limit=st.integers(1, 5))
async def test_pages_have_all_that_fits_once_and_in_order(database: Database, wanted: Wanted, limit: int) -> None:
    store = SqlRevocations(database)
    if not (await store.page(Wanted(), limit=1)).rows:
        await revoke(store, *SOME)

    found: list[tuple[str, Lookup]] = []
    more = True
    while more:
        page = await store.page(wanted, after=found[-1][0] if found else "", limit=limit)
        found += [(each.id, each.entry.which) for each in page.rows]
        more = page.more
        assert len(page.rows) <= limit

    assert found == sorted(found)
    assert sorted(which for _, which in found) == sorted(each.which for each in SOME if fits(wanted, each.which))


def copied(entries: Sequence[tuple[int, str, int, list[Lookup]]], store: RevokedTokens) -> None:
    for revision, _, _, lookups in entries:
        store.hear(News(revision, frozenset(), tuple(lookups), 0.0))


async def test_a_copy_that_was_loaded_anywhere_and_followed_the_log_is_the_list(
    database: Database, clock: Hands
) -> None:
    store = SqlRevocations(database)
    clock.now = 1000.0
    snapshots = [await store.snapshot()]
    ids = await revoke(store, *SOME, entry(Sought.JTI, "idp", "short", until=1500.0))
    snapshots.append(await store.snapshot())
    for id in ids[::2]:
        await store.lift(id)
    clock.now = 2000.0
    await revoke(store, entry(Sought.ISSUER, "idp", before=7.0, until=3000.0), SOME[0])
    final = await store.snapshot()
    log = await log_of(database)

    for snapshot in (*snapshots, await store.snapshot()):
        copy = RevokedTokens(clock, lambda: True)
        copy.load(snapshot)
        copied(log, copy)
        assert copy.entries() == final.entries


async def test_a_long_list_is_read_in_full(database: Database) -> None:
    count = 1203
    async with database.writing() as writing:
        await writing.connection.execute(delete(schema.revocations))
        await writing.connection.execute(
            schema.revocations.insert(),
            [
                {
                    "id": f"{number:032x}",
                    "kind": int(Sought.JTI),
                    "key": json.dumps(["idp", str(number)], separators=(",", ":")),
                    "until": 9e9,
                    "note": "",
                    "caller": "",
                    "created_at": 0.0,
                    "revision": 1,
                }
                for number in range(count)
            ],
        )
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(schema.revocations)) == count

    assert len((await SqlRevocations(database).snapshot()).entries) == count
