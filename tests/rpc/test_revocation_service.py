"""RevocationService over gRPC: what is accepted, what is kept of it, and what is refused without a trace."""

from __future__ import annotations

import logging
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text

import keyring
from keyring import NOW
from tools.directory_world import Client, Failed
from tools.revocation_world import METHODS, PAIR, SERVICE, Hands, policy, revoking
from tools.rpc_world import calling, running
from usher.v1 import revocation_pb2
from usherd.changes import Lookup, Sought
from usherd.errors import KeysUnavailable
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.names import REVOCATION
from usherd.stores.sql.database import Database

DAY = 86_400
LONGEST = 90_000
ID = "0123456789abcdef" * 2


def at(seconds: float) -> Timestamp:
    return Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))


def subject(issuer: str = "idp", subject: str = "alice") -> revocation_pb2.RevokedTokens:
    return revocation_pb2.RevokedTokens(subject=revocation_pb2.SubjectOfIssuer(issuer=issuer, subject=subject))


def jti(jti: str = "7", issuer: str = "idp") -> revocation_pb2.RevokedTokens:
    return revocation_pb2.RevokedTokens(jti=revocation_pb2.TokenOfIssuer(issuer=issuer, jti=jti))


def of_issuer(name: str = "idp") -> revocation_pb2.RevokedTokens:
    return revocation_pb2.RevokedTokens(issuer=name)


def seconds(stamp: Timestamp) -> float:
    return stamp.seconds + stamp.nanos / 1e9


async def refused(call: Client, method: str = "Revoke", **fields: Any) -> tuple[str, str]:
    with pytest.raises(Failed) as caught:
        await call(method, **fields)
    return caught.value.reason, caught.value.field


async def test_a_token_that_is_sent_is_revoked_by_its_id_until_it_has_expired() -> None:
    async with revoking() as world:
        token = PAIR.token(keyring.claims(exp=int(NOW) + 600))
        verified = await world.verifier.verify(token, patience=0)

        answer = await world.call("Revoke", token=token, note="leaked")

        row = answer.revocation
        assert row.tokens.token_id == verified.token_id
        assert seconds(row.until) == NOW + 600 + 300
        assert not row.HasField("issued_before")
        assert (row.note, row.caller, seconds(row.revoked_at)) == ("leaked", "", NOW)
        assert (await world.call("ListRevocations")).revocations == [row]
        assert answer.revision.startswith(f"{world.store.id}:")
        entries = (await world.store.snapshot()).entries
        assert list(entries) == [Lookup(Sought.TOKEN, (verified.token_id,))]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "no token",
        PAIR.token(keyring.claims(exp=int(NOW) - 31)),
        PAIR.token(keyring.claims(nbf=int(NOW) + 3600)),
        PAIR.token(keyring.claims(aud="elsewhere")),
        PAIR.token(keyring.claims(iss="https://unknown.example")),
        PAIR.token()[:-4] + "AAAA",
        "a" * 9000,
    ],
)
async def test_a_token_that_is_not_genuine_now_is_refused_and_fills_nothing(token: str) -> None:
    async with revoking() as world:
        assert await refused(world.call, token=token) == ("FIELD_INVALID", "token")
        assert await world.ids() == []


async def test_a_token_whose_keys_are_out_of_reach_is_no_answer() -> None:
    class NoKeys(keyring.StaticKeys):
        def find(self, issuer: str, kid: str | None) -> Any:
            raise KeysUnavailable

    async with revoking(keys=NoKeys({})) as world:
        assert await refused(world.call, token=PAIR.token()) == ("KEYS_UNAVAILABLE", "")


@pytest.mark.parametrize("tokens", [subject(), of_issuer(), of_issuer("session")])
async def test_many_tokens_are_revoked_if_they_were_issued_before_now_or_another_moment(
    tokens: revocation_pb2.RevokedTokens,
) -> None:
    async with revoking() as world:
        now = (await world.call("Revoke", tokens=tokens)).revocation
        earlier = (await world.call("Revoke", tokens=tokens, issued_before=at(NOW - 99.5))).revocation

        assert seconds(now.issued_before) == NOW
        assert seconds(now.until) == NOW + LONGEST + 300
        assert earlier.tokens == tokens
        assert seconds(earlier.issued_before) == NOW


async def test_a_moment_to_come_is_taken_as_far_as_clocks_may_differ_and_no_further() -> None:
    async with revoking() as world:
        row = (await world.call("Revoke", tokens=subject(), issued_before=at(NOW + 30))).revocation
        assert seconds(row.issued_before) == NOW + 30
        assert seconds(row.until) == NOW + 30 + LONGEST + 300
        for moment in (at(NOW + 30.001), Timestamp(seconds=-1), Timestamp(seconds=5, nanos=-1), at(2**40)):
            assert await refused(world.call, tokens=subject(), issued_before=moment) == (
                "FIELD_INVALID",
                "issued_before",
            )


async def test_one_token_has_no_moment() -> None:
    async with revoking() as world:
        for what in ({"token": PAIR.token()}, {"tokens": jti()}):
            found = await refused(world.call, issued_before=at(NOW), **what)
            assert found == ("FIELD_INVALID", "issued_before")


async def test_a_revocation_can_be_kept_for_longer_and_never_for_less() -> None:
    async with revoking() as world:
        longer = (await world.call("Revoke", tokens=jti(), keep_until=at(NOW + 9 * DAY))).revocation
        less = (await world.call("Revoke", tokens=jti("8"), keep_until=at(NOW + 5))).revocation

        assert seconds(longer.until) == NOW + 9 * DAY
        assert seconds(less.until) == NOW + LONGEST + 300
        assert (await refused(world.call, tokens=jti(), keep_until=at(2**33)))[1] == "keep_until"


async def test_where_a_lifetime_has_no_bound_it_is_kept_until_it_is_lifted() -> None:
    async with revoking(policy(max_lifetime=None)) as world:
        for tokens in (jti(), subject(), of_issuer(), revocation_pb2.RevokedTokens(token_id=ID)):
            assert not (await world.call("Revoke", tokens=tokens)).revocation.HasField("until")
        sent = await world.call("Revoke", token=PAIR.token(keyring.claims(exp=int(NOW) + 9 * DAY)))
        assert seconds(sent.revocation.until) == NOW + 9 * DAY + 300


async def test_a_longer_lifetime_is_kept_longer_and_a_shorter_one_as_long_as_a_reload_could_make_it() -> None:
    for lifetime, kept in ((7 * DAY, 7 * DAY), (600, LONGEST)):
        async with revoking(policy(max_lifetime=lifetime)) as world:
            row = (await world.call("Revoke", tokens=of_issuer())).revocation
            assert seconds(row.until) == NOW + kept + 300


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("token", {}),
        ("tokens", {"tokens": revocation_pb2.RevokedTokens()}),
        ("tokens.issuer", {"tokens": of_issuer("unknown")}),
        ("tokens.issuer", {"tokens": of_issuer("")}),
        ("tokens.jti.issuer", {"tokens": jti(issuer="https://idp.example")}),
        ("tokens.jti.jti", {"tokens": jti("")}),
        ("tokens.jti.jti", {"tokens": jti("a\nb")}),
        ("tokens.subject.subject", {"tokens": subject(subject="x" * 257)}),
        ("tokens.subject.issuer", {"tokens": subject("other")}),
        ("tokens.token_id", {"tokens": revocation_pb2.RevokedTokens(token_id=ID.upper())}),
        ("tokens.token_id", {"tokens": revocation_pb2.RevokedTokens(token_id=ID[:-1])}),
        ("note", {"tokens": jti(), "note": "x" * 1025}),
        ("note", {"tokens": jti(), "note": "a\x9bb"}),
        ("request_id", {"tokens": jti(), "request_id": "é"}),
    ],
)
async def test_what_cannot_be_is_refused_by_the_name_of_its_field(field: str, fields: dict[str, Any]) -> None:
    async with revoking() as world:
        assert await refused(world.call, **fields) == ("FIELD_INVALID", field)
        assert await world.ids() == []


async def test_a_revocation_is_lifted_once() -> None:
    async with revoking() as world:
        row = (await world.call("Revoke", tokens=subject())).revocation
        lifted = await world.call("LiftRevocation", id=row.id, request_id="once")
        again = await world.call("LiftRevocation", id=row.id, request_id="once")

        assert await world.ids() == []
        assert again.revision == lifted.revision
        assert await refused(world.call, "LiftRevocation", id=row.id) == ("NOT_FOUND", "")
        assert await refused(world.call, "LiftRevocation", id="x") == ("FIELD_INVALID", "id")


async def test_a_repeated_request_is_answered_as_before_and_another_one_with_its_id_is_refused() -> None:
    clock = Hands()
    async with revoking(clock=clock) as world:
        token = PAIR.token(keyring.claims(exp=int(NOW) + 600))
        for fields in ({"tokens": subject()}, {"token": token}):
            name = "r-token" if "token" in fields else "r-tokens"
            first = await world.call("Revoke", **fields, request_id=name)
            clock.now += 5
            assert await world.call("Revoke", **fields, request_id=name) == first
            found = await refused(world.call, **fields, note="another", request_id=name)
            assert found == ("FIELD_INVALID", "request_id")


async def test_a_list_is_filtered_and_paged() -> None:
    async with revoking() as world:
        for tokens in (
            subject(),
            subject(subject="bob"),
            jti(),
            of_issuer(),
            revocation_pb2.RevokedTokens(token_id=ID),
        ):
            await world.call("Revoke", tokens=tokens)
        every = await world.ids()
        assert every == sorted(every)
        assert len(every) == 5
        assert len(await world.ids(issuer="idp")) == 4
        assert len(await world.ids(subject="alice")) == 1
        assert len(await world.ids(jti="7", issuer="idp")) == 1
        assert len(await world.ids(token_id=ID)) == 1
        assert await world.ids(token_id=ID, issuer="idp") == []

        pages, token = [], ""
        while True:
            page = await world.call("ListRevocations", page_size=2, page_token=token)
            pages.append([each.id for each in page.revocations])
            token = page.next_page_token
            if not token:
                break
        assert [each for page in pages for each in page] == every
        assert [len(each) for each in pages] == [2, 2, 1]

        first = await world.call("ListRevocations", page_size=2)
        other = await refused(world.call, "ListRevocations", issuer="idp", page_token=first.next_page_token)
        assert other == ("PAGE_INVALID", "")
        assert (await refused(world.call, "ListRevocations", page_size=1001))[0] == "PAGE_INVALID"
        assert (await refused(world.call, "ListRevocations", token_id="x"))[1] == "token_id"


async def test_a_full_list_refuses_with_resource_exhausted() -> None:
    async with revoking(bound=1) as world:
        await world.call("Revoke", tokens=jti())
        with pytest.raises(Failed) as caught:
            await world.call("Revoke", tokens=jti("8"))
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert len(await world.ids()) == 1


async def test_without_a_store_nothing_is_revoked() -> None:
    begins = Admission(Terms(may_manage=True)).begins
    async with running(begins=begins) as server, calling(server) as channel:
        call = Client(channel, service=SERVICE)
        for method, fields in (("Revoke", {"tokens": jti()}), ("ListRevocations", {}), ("LiftRevocation", {"id": ID})):
            assert (await refused(call, method, **fields))[0] == "NO_STORE"


async def test_it_is_never_open_to_all() -> None:
    async with revoking(begins=Admission(Terms()).begins) as world:
        for method in METHODS:
            assert (await refused(world.call, method.rpartition("/")[2]))[0] == "CALLER_NOT_ALLOWED"


def test_the_service_serves_its_contract() -> None:
    assert {f"/{REVOCATION}/{each}" for each in ("Revoke", "ListRevocations", "LiftRevocation")} == set(METHODS)


async def test_a_token_that_is_sent_and_a_note_are_in_no_log_and_no_table(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "usherd")
    canary = "canary-of-a-subject"
    note = "canary-of-a-note"
    databases: list[Database] = []
    async with revoking() as world:
        databases.append(world.store._database)
        good = PAIR.token(keyring.claims(sub=canary))
        bad = PAIR.token(keyring.claims(sub=canary, aud="elsewhere"))
        await world.call("Revoke", token=good, note=note, request_id="r1")
        await refused(world.call, token=bad, note=note)
        async with databases[0].reading() as connection:
            rows = [
                repr(tuple(row))
                for table in ("requests", "change_log", "revocations")
                for row in await connection.execute(text(f"SELECT * FROM {table}"))
            ]
    stored, key = " ".join(rows), databases[0].token_key
    parts = [canary, *good.split("."), *bad.split(".")]
    assert not [part for part in parts if part in stored]
    assert not [part for part in (*parts, note, key.hex(), repr(key)[2:-1]) if part in caplog.text]
    assert "tokens_revoked" in caplog.text
