"""A replica's copy of the list: there before the first question, told of what others revoke, and never guessed."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from config_files import settings
from keyring import KeyPair, claims, decode, encode, key_pair, key_set
from stores.sql.conftest import OpenDatabase
from stores.support import Hands
from tools.log_feed import LogFeed
from usherd.changes import Lookup, News, Sought
from usherd.domain import Decision, Question
from usherd.errors import DirectoryUnavailable, Fault, RevocationsUnavailable
from usherd.ground import SharedKept
from usherd.house import House, opened
from usherd.reasons import Reason
from usherd.revocations import Entry, Snapshot
from usherd.revoked import RevokedTokens
from usherd.stores.followed_revocations import followed_revocations
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database
from usherd.stores.sql.revocations import SqlRevocations

ID = "0123456789abcdef" * 2
TOKEN = Lookup(Sought.TOKEN, (ID,))
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256 (SEC 2, section 2.4.2)."""


class Unreachable(SqlRevocations):
    """A store that is out of reach so many times."""

    def __init__(self, database: Database, times: int) -> None:
        super().__init__(database)
        self.times = times

    async def snapshot(self) -> Snapshot:
        if self.times > 0:
            self.times -= 1
            raise DirectoryUnavailable
        return await super().snapshot()


async def known(revoked: RevokedTokens) -> None:
    async with asyncio.timeout(10):
        while not revoked.known:  # noqa: ASYNC110 (it is asked, and tells nobody)
            await asyncio.sleep(0.01)


async def test_the_list_is_there_when_the_block_begins_and_nobody_listens_after_it(
    database: Database, clock: Hands
) -> None:
    store, feed = SqlRevocations(database), LogFeed(database)
    await store.revoke(Entry(which=TOKEN, until=clock.now + 9), note="", caller="")

    async with followed_revocations(store, feed.listen, lambda: feed.current, clock) as revoked:
        assert revoked.one(TOKEN) is not None
        assert revoked.known
        assert feed.listeners == 1
    assert feed.listeners == 0


async def test_a_store_that_is_out_of_reach_at_the_start_is_asked_again(
    database: Database, clock: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    store, feed = Unreachable(database, 2), LogFeed(database)
    caplog.set_level(logging.INFO, "usherd")

    async with followed_revocations(store, feed.listen, lambda: True, clock, first_load=0.01) as revoked:
        assert not revoked.known
        with pytest.raises(RevocationsUnavailable):
            revoked.changes()
        await known(revoked)
        assert revoked.changes() == 0
    assert [each.message for each in caplog.records] == ["revocations_unavailable", "revocations_loaded"]


async def test_a_row_that_cannot_be_read_keeps_the_list_unknown_and_is_not_told(
    database: Database, clock: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    store, feed = SqlRevocations(database), LogFeed(database)
    await store.revoke(Entry(which=TOKEN, until=clock.now + 9), note="", caller="")
    async with database.writing() as writing:
        await writing.connection.execute(update(schema.revocations).values(key='["canary'))

    async with followed_revocations(store, feed.listen, lambda: True, clock, first_load=0.3) as revoked:
        assert not revoked.known
    assert [each.message for each in caplog.records if each.name == "usherd.stores"] == ["revocations_unreadable"]
    assert "canary" not in caplog.text


async def test_after_news_that_do_not_say_all_the_list_is_read_again(database: Database, clock: Hands) -> None:
    store, feed = SqlRevocations(database), LogFeed(database)
    async with followed_revocations(store, feed.listen, lambda: True, clock) as revoked:
        done = await store.revoke(Entry(which=TOKEN, until=clock.now + 9), note="", caller="")
        feed.tell(News(done.revision, None, (), 0.0))

        with pytest.raises(RevocationsUnavailable):
            revoked.changes()
        await known(revoked)
        assert revoked.one(TOKEN) is not None


CONFIG = """\
issuers:
  - name: idp
    issuer: https://idp.example
    audiences: [api://gateway]
    algorithms: [ES256]
    keys: {jwks_file: keys.json}
users: {routes: [/v1/models]}
"""
PAIR: KeyPair = key_pair("P-256")


class Replica:
    """One replica: its own connection to the database, its own copy of the list, and a house."""

    def __init__(self, database: Database, feed: LogFeed, kept: SharedKept, life: AsyncExitStack) -> None:
        self.store = SqlRevocations(database)
        self.feed = feed
        self.kept = kept
        self._life = life

    async def house(self, folder: Path, more: str = "") -> House:
        """A house under a configuration; another one with every reload."""
        (folder / "keys.json").write_text(json.dumps(key_set(PAIR)))
        found = settings(folder, CONFIG + more)
        return await self._life.enter_async_context(opened(found, kept=self.kept))


async def replica(life: AsyncExitStack, open_database: OpenDatabase) -> Replica:
    database = await life.enter_async_context(open_database())
    feed = LogFeed(database)
    revoked = await life.enter_async_context(
        followed_revocations(SqlRevocations(database), feed.listen, lambda: feed.current, database.clock)
    )
    return Replica(database, feed, SharedKept(token_key=database.token_key, revoked=revoked), life)


async def reason(house: House, token: str) -> Reason:
    return (await asked(house, token)).verdict.reason


async def asked(house: House, token: str) -> Decision:
    return await house.authorizer.authorize(Question(token, "/v1/models", "GET"))


async def test_a_token_that_one_replica_revokes_is_refused_by_another_in_every_form_and_under_every_configuration(
    open_database: OpenDatabase, clock: Hands, tmp_path: Path
) -> None:
    clock.now = time.time()
    now = int(clock.now)
    token = PAIR.token(claims(iat=now - 5, exp=now + 600))
    head, _, signature = token.rpartition(".")
    raw = decode(signature)
    mirrored = f"{head}.{encode(raw[:32] + (ORDER - int.from_bytes(raw[32:], 'big')).to_bytes(32, 'big'))}"
    async with AsyncExitStack() as life:
        one, other = await replica(life, open_database), await replica(life, open_database)
        here, there = await one.house(tmp_path), await other.house(tmp_path)
        before = [await reason(house, form) for house in (here, there) for form in (token, mirrored)]
        verified = await here.verifier.verify(token, patience=0)

        what = Entry(which=Lookup(Sought.TOKEN, (verified.token_id,)), until=now + 900)
        done = await one.store.revoke(what, note="", caller="")
        for each in (one, other):
            await each.feed.told()
        reloaded = await other.house(tmp_path, "token: {max_lifetime: 2h}\n")
        restarted = await (await replica(life, open_database)).house(tmp_path)
        houses = (here, there, reloaded, restarted)
        revoked = {await reason(house, form) for house in houses for form in (token, mirrored)}

        assert done.revocation is not None
        await other.store.lift(done.revocation.id)
        for each in (one, other):
            await each.feed.told()
        lifted = [await reason(house, form) for house in (here, there, reloaded) for form in (token, mirrored)]

        other.feed.current = False
        with pytest.raises(Fault) as caught:
            await asked(there, token)

    assert Reason.TOKEN_REVOKED not in before
    assert revoked == {Reason.TOKEN_REVOKED}
    assert Reason.TOKEN_REVOKED not in lifted
    assert isinstance(caught.value, RevocationsUnavailable)


async def test_a_candidate_policy_reads_the_same_list(
    open_database: OpenDatabase, clock: Hands, tmp_path: Path
) -> None:
    clock.now = time.time()
    now = int(clock.now)
    async with AsyncExitStack() as life:
        one = await replica(life, open_database)
        (tmp_path / "keys.json").write_text(json.dumps(key_set(PAIR)))
        found = settings(tmp_path, CONFIG)
        house = await life.enter_async_context(opened(replace(found, shadow=found.policy), kept=one.kept))
        what = Entry(which=Lookup(Sought.ISSUER, ("idp",)), issued_before=now + 1.0, until=now + 900.0)
        await one.store.revoke(what, note="", caller="")
        await one.feed.told()

        question = Question(PAIR.token(claims(iat=now - 5, exp=now + 600)), "/v1/models", "GET")
        explained = await house.authorizer.authorize(question, explain=True)

    assert explained.verdict.reason is Reason.TOKEN_REVOKED
    assert explained.verdict.explanation is not None
    assert explained.verdict.explanation.shadow is not None
    assert explained.verdict.explanation.shadow.reason is Reason.TOKEN_REVOKED
