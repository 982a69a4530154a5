"""A revocation, or its end, that is asked for again is made once, for a day."""

from __future__ import annotations

import pytest

from stores.sql.test_revocations import ID, entry, revoke
from stores.support import Hands
from usherd.changes import Sought
from usherd.errors import FieldInvalid
from usherd.revocation_store import Wanted
from usherd.store import Request
from usherd.stores.sql.database import Database
from usherd.stores.sql.revocations import SqlRevocations


async def test_a_repeated_request_does_nothing_more_and_is_answered_as_before(database: Database) -> None:
    store, request = SqlRevocations(database), Request("ops", "r1", b"digest")
    what = entry(Sought.ISSUER, "idp", before=10.0)
    first = await store.revoke(what, note="", caller="ops", request=request)

    again = await store.revoke(entry(Sought.ISSUER, "idp", before=99.0), note="", caller="ops", request=request)
    lift = Request("ops", "r2", b"digest")
    assert first.revocation is not None
    lifted = [await store.lift(first.revocation.id, lift) for _ in range(2)]
    gone = await store.revoke(what, note="", caller="ops", request=request)

    assert again == first
    assert lifted[0] == lifted[1]
    assert gone == (first.revision, None)
    assert (await store.page(Wanted())).rows == ()


async def test_the_id_of_another_request_is_refused_and_that_of_another_caller_is_another(database: Database) -> None:
    store, what = SqlRevocations(database), entry(Sought.TOKEN, ID)
    await revoke(store, what, request=Request("ops", "r1", b"digest"))

    with pytest.raises(FieldInvalid):
        await revoke(store, what, request=Request("ops", "r1", b"another"))
    await revoke(store, what, request=Request("dev", "r1", b"another"))


async def test_a_request_is_remembered_for_a_day(database: Database, clock: Hands) -> None:
    store, request = SqlRevocations(database), Request("ops", "r1", b"digest")
    what = entry(Sought.JTI, "idp", "a")
    (revoked,) = await revoke(store, what, request=request)
    await store.lift(revoked, Request("ops", "r2", b"digest"))

    clock.move(24 * 3600 - 1)
    assert (await store.revoke(what, note="", caller="ops", request=request)).revocation is None
    assert (await store.page(Wanted())).rows == ()
    clock.move(1)
    assert await revoke(store, what, request=request) == [revoked]
    assert [row.id for row in (await store.page(Wanted())).rows] == [revoked]
    await store.lift(revoked, Request("ops", "r2", b"digest"))
    assert (await store.page(Wanted())).rows == ()
