"""Keys of sessions rotate without a refused session, are shared by all replicas, and are readable to none else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK, JWKSet
from jwcrypto.jwt import JWT
from sqlalchemy import delete, insert, select, update

from stores.sql.conftest import OpenDatabase
from stores.support import Hands
from tools.session_world import DAY, OTHER_SECRET, SECRET, replica
from usherd.authenticate.own_keys import PUBLISHED_AHEAD, OwnKeys
from usherd.authenticate.signing_key import KeyEncryption, SigningKey
from usherd.errors import SessionsUnavailable
from usherd.stores.session_keeper import LOOK_EVERY, KeysSealedAway, SessionKeeper
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database
from usherd.stores.sql.session_keys import SqlSessionKeys

LIFETIME = 86_400.0
THIRD_SECRET = b"x" * 32


def keeper(database: Database, own: OwnKeys, secrets: Sequence[bytes] = (SECRET,)) -> SessionKeeper:
    return SessionKeeper(
        SqlSessionKeys(database),
        KeyEncryption(secrets),
        own,
        rotate_every=30 * DAY,
        lifetime=LIFETIME,
        clock=database.clock,
        stopwatch=asyncio.get_running_loop().time,
    )


async def kids(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list((await connection.execute(select(schema.session_keys.c.kid))).scalars())


async def test_of_replicas_that_race_for_the_first_key_one_makes_it_and_all_use_it(
    open_database: OpenDatabase,
) -> None:
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(open_database()) for _ in range(4)]
        owns = [OwnKeys(each.clock) for each in databases]
        keepers = [keeper(each, own) for each, own in zip(databases, owns, strict=True)]
        await asyncio.gather(*(each.look() for each in keepers))

        assert len(await kids(databases[0])) == 1
        signers = [own.signer() for own in owns]
        assert {None if each is None else each.key.kid for each in signers} == set(await kids(databases[0]))


async def test_of_replicas_that_race_for_the_next_key_one_makes_it(open_database: OpenDatabase, clock: Hands) -> None:
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(open_database()) for _ in range(3)]
        keepers = [keeper(each, OwnKeys(each.clock)) for each in databases]
        for each in keepers:
            await each.look()
        clock.move(30 * DAY - PUBLISHED_AHEAD)
        await asyncio.gather(*(each.look() for each in keepers))
        assert len(await kids(databases[0])) == 2


async def test_a_rotation_refuses_no_session_that_is_good(open_database: OpenDatabase, clock: Hands) -> None:
    async with open_database() as one, open_database() as other, replica(one) as here, replica(other) as there:
        made: list[tuple[float, str]] = []
        refused: list[str] = []
        signed: set[str] = set()
        turn = 30 * DAY - PUBLISHED_AHEAD
        clock.move(turn - 2 * LOOK_EVERY)
        # Both look as often as they would, an hour around the change, while sessions are made and used on both.
        for step in range(90):
            clock.move(LOOK_EVERY)
            for each in (here, there):
                await keeper_of(each).look()
            if step % 6 == 0:
                answer = await (here, there)[step // 6 % 2].made("alice")
                made.append((clock(), answer.token))
                signed.add(jwt.get_unverified_header(answer.token)["kid"])
            for _, token in made:
                for each in (here, there):
                    if (reason := await each.reason(token)) != "ALLOWED":
                        refused.append(reason)
        assert refused == []
        assert len(signed) == 2
        # The old key is published as long as a session that it signed lasts, and then no more.
        assert len((await here.jwks())["keys"]) == 2
        assert await here.reason(made[0][1]) == "ALLOWED"
        clock.move(2 * LIFETIME)
        await keeper_of(here).look()
        assert len((await here.jwks())["keys"]) == 1


def keeper_of(here: object) -> SessionKeeper:
    """That of a replica: what has the keys read."""
    read_anew = here.kept.keys.read_anew  # type: ignore[attr-defined]
    return read_anew.__self__  # type: ignore[no-any-return]


async def test_a_key_is_published_before_it_signs(open_database: OpenDatabase, clock: Hands) -> None:
    async with open_database() as database:
        own = OwnKeys(clock)
        looking = keeper(database, own)
        await looking.look()
        first = own.signer()
        assert first is not None
        clock.move(30 * DAY - PUBLISHED_AHEAD)
        await looking.look()
        assert len(own.published()["keys"]) == 2  # type: ignore[arg-type]
        assert own.signer() is not None
        assert own.signer().key.kid == first.key.kid  # type: ignore[union-attr]
        clock.move(PUBLISHED_AHEAD)
        assert own.signer().key.kid != first.key.kid  # type: ignore[union-attr]
        assert own.find(first.key.kid) is first.key.verification_key


async def test_after_a_long_standstill_there_is_a_key_at_once(open_database: OpenDatabase, clock: Hands) -> None:
    async with open_database() as database:
        async with replica(database) as here:
            old = await here.made("alice")
        clock.move(400 * DAY)
        async with replica(database) as here, open_database() as other, replica(other) as there:
            made = await here.made("alice")
            assert await there.reason(made.token) == "ALLOWED"
            assert await here.reason(old.token) == "SESSION_INVALID"
            assert len(await kids(database)) == 1


async def test_a_replica_that_has_not_seen_a_key_looks_before_it_says_no(
    open_database: OpenDatabase, clock: Hands
) -> None:
    async with open_database() as one, replica(one) as here:
        assert await here.reason((await here.made("alice")).token) == "ALLOWED"
        clock.move(400 * DAY)
        # No key that it knows is good any more, and another replica makes one that signs at once.
        async with open_database() as other, replica(other) as there:
            made = await there.made("alice")
            assert await here.reason(made.token) == "ALLOWED"


async def test_the_published_keys_verify_sessions_for_others(open_database: OpenDatabase) -> None:
    async with open_database() as database, replica(database) as here:
        made = await here.made("root")
        published = await here.jwks()

        (key,) = jwt.PyJWKSet.from_dict(published).keys
        assert key.key_id == jwt.get_unverified_header(made.token)["kid"]
        options = {"verify_exp": False, "verify_iat": False}
        claims = jwt.decode(
            made.token, key, algorithms=["EdDSA"], audience="usherd-ui", issuer="usherd", options=options
        )
        assert claims["user_role"] == "proxy_admin"
        # And jwcrypto, which has its own thumbprint of it.
        ours = JWKSet.from_json(json.dumps(published)).get_key(key.key_id)
        assert ours.thumbprint() == key.key_id
        JWT(jwt=made.token, key=ours, algs=["EdDSA"], check_claims={"exp": None})
        assert set(published["keys"][0]) == {"kty", "crv", "x", "kid", "use", "alg"}


async def test_with_another_secret_it_does_not_start_and_says_which_key_and_no_more(
    open_database: OpenDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_database() as database:
        async with replica(database):
            pass
        before = await kids(database)
        with pytest.raises(KeysSealedAway) as sealed:
            async with replica(database, secrets=(OTHER_SECRET,)):
                raise AssertionError("it started")
        assert str(sealed.value).startswith("sessions.key_encryption: ")
        assert "expected" in str(sealed.value)
        text = str(sealed.value) + caplog.text
        assert not any(secret.decode() in text for secret in (SECRET, OTHER_SECRET))
        assert await kids(database) == before


async def test_a_secret_is_replaced_in_three_steps_without_a_refused_session(open_database: OpenDatabase) -> None:
    async with open_database() as database:
        async with replica(database, secrets=(SECRET,)) as here:
            made = await here.made("alice")
            # One replica seals under the new secret already; this one goes on with what it has opened.
            async with open_database() as other, replica(other, secrets=(OTHER_SECRET, SECRET)) as there:
                assert await there.reason(made.token) == "ALLOWED"
                await keeper_of(here).look()
                assert await here.reason(made.token) == "ALLOWED"
        async with replica(database, secrets=(OTHER_SECRET,)) as here:
            assert await here.reason(made.token) == "ALLOWED"
            assert len(await kids(database)) == 1


async def test_a_key_that_somebody_else_has_put_there_counts_for_nothing(open_database: OpenDatabase) -> None:
    async with open_database() as database, replica(database) as here:
        mine = SigningKey.new()
        now = here.clock()
        forged = [
            {
                "kid": mine.kid if place == 2 else f"forged-{place}",
                "public": json.dumps(dict(mine.public_jwk)),
                "sealed": sealed,
                "created_at": now - 9000,
                "signs_until": now + 9000,
                "verifies_until": now + 9000,
            }
            for place, sealed in enumerate((b"", b"\x01" + b"\x00" * 60, mine.sealed(KeyEncryption([THIRD_SECRET]))))
        ]
        async with database.writing() as writing:
            await writing.connection.execute(insert(schema.session_keys), forged)
        await keeper_of(here).look()
        good = await here.made("alice")
        claims = jwt.decode(good.token, options={"verify_signature": False})
        forged_token = mine.token(claims, "usherd-session+jwt")
        with pytest.raises(SessionsUnavailable):
            # That it cannot open it is no reason to call its sessions false.
            await here.reason(forged_token)
        assert await here.reason(good.token) == "ALLOWED"
        assert mine.kid not in {each["kid"] for each in (await here.jwks())["keys"]}


async def test_a_sealed_key_opens_under_no_other_id(open_database: OpenDatabase) -> None:
    encryption = KeyEncryption([SECRET, OTHER_SECRET])
    one, other = SigningKey.new(), SigningKey.new()
    assert encryption.open(one.kid, one.sealed(encryption)) is not None
    assert encryption.open(other.kid, one.sealed(encryption)) is None
    async with open_database() as database, replica(database):
        table = schema.session_keys
        async with database.writing() as writing:
            await writing.connection.execute(update(table).values(kid=other.kid))
        with pytest.raises(KeysSealedAway):
            async with replica(database):
                raise AssertionError("it started")


@given(st.binary(max_size=120))
def test_bytes_that_nobody_sealed_are_no_key(data: bytes) -> None:
    key = SigningKey.new()
    encryption = KeyEncryption([SECRET])
    assert encryption.open(key.kid, data) is None
    sealed = bytearray(key.sealed(encryption))
    if data:
        sealed[data[0] % len(sealed)] ^= 1 + data[-1] % 255
        assert encryption.open(key.kid, bytes(sealed)) is None


@pytest.mark.parametrize("secrets", [[], [b"short"], [SECRET, b"x" * 33]])
def test_a_secret_has_32_bytes(secrets: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KeyEncryption(secrets)


async def test_made_up_key_ids_read_the_keys_no_faster(open_database: OpenDatabase) -> None:
    async with open_database() as database, replica(database) as here:
        good = await here.made("alice")
        claims = jwt.decode(good.token, options={"verify_signature": False})
        reads = 0
        store = keeper_of(here)._store
        keys = store.keys

        async def counted() -> object:
            nonlocal reads
            reads += 1
            return await keys()

        store.keys = counted  # type: ignore[method-assign, assignment]
        forged = [SigningKey.new().token(claims, "usherd-session+jwt") for _ in range(200)]
        loop = asyncio.get_running_loop()
        began = loop.time()
        reasons = await asyncio.gather(*(here.reason(each) for each in forged))
        assert set(reasons) == {"SESSION_INVALID"}
        assert reads <= 2 + (loop.time() - began) * 4
        assert await here.reason(good.token) == "ALLOWED"


async def test_keys_that_go_before_their_time_are_told_of_once(open_database: OpenDatabase, clock: Hands) -> None:
    async with open_database() as database:
        own, told = OwnKeys(clock), []
        own.on_gone = lambda: told.append(own.published())
        looking = keeper(database, own)
        await looking.look()
        await looking.look()
        assert told == []
        async with database.writing() as writing:
            await writing.connection.execute(delete(schema.session_keys))
        await looking.look()
        await looking.look()
        # By then the key is gone: whoever looks again finds it so.
        assert told == [{"keys": []}]


def test_what_was_never_read_is_not_known() -> None:
    own = OwnKeys(lambda: 0.0)
    with pytest.raises(SessionsUnavailable):
        own.find("kid")
    with pytest.raises(SessionsUnavailable):
        own.published()


def test_a_key_shows_nothing_of_its_private_half() -> None:
    assert "Private" not in repr(SigningKey.new())
    assert set(JWK(**dict(SigningKey.new().public_jwk)).export_public(as_dict=True)) >= {"x", "kid"}
