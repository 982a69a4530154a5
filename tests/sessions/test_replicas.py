"""What one replica does to sessions counts on all of them, and what one does not know it does not guess."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import delete, select

from stores.sql.conftest import OpenDatabase
from stores.support import Hands
from tools.session_world import Replica, replica
from usherd.changes import News, Sought
from usherd.domain import VerifiedToken
from usherd.errors import DirectoryUnavailable, Refusal, SessionsUnavailable
from usherd.live_sessions import LiveSessions
from usherd.sessions import LoginMethod, Session, lookup_of
from usherd.stores.sql import schema


@dataclass
class Two:
    here: Replica
    there: Replica


@pytest.fixture(name="two")
async def _two(open_database: OpenDatabase) -> AsyncIterator[Two]:
    async with (
        open_database() as one,
        open_database() as other,
        replica(one) as here,
        replica(other) as there,
    ):
        yield Two(here, there)


async def test_a_session_is_good_on_every_replica_before_any_of_them_has_heard_of_it(two: Two) -> None:
    made = await two.here.made("alice")
    assert await two.there.reason(made.token) == "ALLOWED"
    assert await two.here.reason(made.token) == "ALLOWED"


async def test_one_session_ends_everywhere_and_the_users_others_go_on(two: Two) -> None:
    ended, other = await two.here.made("alice"), await two.here.made("alice")
    for each in (two.here, two.there):
        assert await each.reason(ended.token) == await each.reason(other.token) == "ALLOWED"

    answer = await two.here.call("RevokeSessions", session_id=ended.session.id)
    assert answer.revoked == 1
    await two.here.feed.told()
    await two.there.feed.told()

    for each in (two.here, two.there):
        assert await each.reason(ended.token) == "TOKEN_REVOKED"
        assert await each.reason(other.token) == "ALLOWED"


async def test_all_sessions_of_a_user_end_and_nobody_elses(two: Two) -> None:
    mine = [await two.here.made("alice"), await two.there.made("alice")]
    other = await two.here.made("root")
    for each in (*mine, other):
        assert await two.there.reason(each.token) == "ALLOWED"

    assert (await two.here.call("RevokeSessions", user_id="alice")).revoked == 2
    assert (await two.here.call("RevokeSessions", user_id="alice")).revoked == 0
    await two.there.feed.told()

    assert [await two.there.reason(each.token) for each in (*mine, other)] == ["TOKEN_REVOKED"] * 2 + ["ALLOWED"]
    assert (await two.there.call("ValidateSession", token=mine[0].token)).denial.http_status == 401
    later = await two.here.made("alice")
    assert await two.there.reason(later.token) == "ALLOWED"


async def test_a_revision_that_an_answer_gave_is_that_of_the_change_log(two: Two) -> None:
    made = await two.here.made("alice")
    ended = await two.here.call("RevokeSessions", session_id=made.session.id)
    again = await two.here.call("RevokeSessions", session_id=made.session.id)
    async with two.here.database.reading() as connection:
        rows = (await connection.execute(select(schema.change_log).order_by(schema.change_log.c.revision))).all()
    of_session = [row for row in rows if row.kind == 9]
    assert [f"{two.here.database.store_id}:{row.revision}" for row in of_session] == [made.revision, ended.revision]
    assert {row.row_id for row in of_session} == {made.session.id}
    assert {row.lookups for row in of_session} == {f'[[{int(Sought.SESSION)},"{made.session.id}"]]'}
    assert (again.revoked, again.revision) == (0, ended.revision)


async def test_a_genuine_token_of_a_session_that_is_not_kept_is_refused(two: Two) -> None:
    made = await two.here.made("alice")
    async with two.here.database.writing() as writing:
        await writing.connection.execute(delete(schema.sessions))
    assert await two.there.reason(made.token) == "TOKEN_REVOKED"


async def test_while_news_are_late_there_is_no_answer_about_sessions_and_every_other_one(two: Two) -> None:
    made = await two.here.made("alice")
    assert await two.here.reason(made.token) == "ALLOWED"
    two.here.feed.current = False
    with pytest.raises(SessionsUnavailable):
        await two.here.reason(made.token)
    assert await two.here.reason(two.here.token(roles="Reader"), "/v1/models") == "ALLOWED"
    status, _, body = await two.here.get("/sso/session/validate", f"authorization: Bearer {made.token}")
    assert (status, b"alice" in body) == (503, False)
    two.here.feed.current = True
    assert await two.here.reason(made.token) == "ALLOWED"


async def test_news_that_do_not_say_all_make_it_look_again(two: Two) -> None:
    made = await two.here.made("alice")
    assert await two.here.reason(made.token) == "ALLOWED"
    await two.there.call("RevokeSessions", session_id=made.session.id)
    two.here.feed.tell(News(9, None, (), 0.0))
    assert await two.here.reason(made.token) == "TOKEN_REVOKED"


def a_session(session_id: str, **more: object) -> Session:
    values = {"user_id": "u", "email": "", "role": "", "login_method": LoginMethod.SSO}
    dates = {"created_at": 0.0, "expires_at": 1000.0}
    return Session(**({"id": session_id} | values | dates | more))  # type: ignore[arg-type]


def token(session_id: str) -> VerifiedToken:
    return VerifiedToken(
        issuer="session",
        iss="usherd",
        claims={"jti": session_id},  # type: ignore[arg-type]
        token_id="t",
        key=None,
        expires_at=1000.0,
        not_before=0.0,
        leeway=0.0,
    )


class Kept:
    """Where sessions are kept, which a test opens when it likes."""

    def __init__(self) -> None:
        self.sessions = {"s": a_session("s")}
        self.opened = asyncio.Event()
        self.asked = 0
        self.fails = False

    async def look_up(self, session_id: str) -> Session | None:
        self.asked += 1
        found = self.sessions.get(session_id)
        await self.opened.wait()
        if self.fails:
            raise DirectoryUnavailable
        return found


def live(kept: Kept, size: int = 10) -> LiveSessions:
    return LiveSessions(kept.look_up, lambda: 0.0, lambda: True, size)


async def test_many_questions_about_one_session_look_it_up_once() -> None:
    kept = Kept()
    sessions = live(kept)
    asked = [asyncio.create_task(sessions.check(token("s"), 5.0)) for _ in range(50)]
    await asyncio.sleep(0)
    kept.opened.set()
    await asyncio.gather(*asked)
    assert kept.asked == 1
    assert sessions.valid(token("s")) is True


async def test_what_ends_while_it_is_looked_up_is_looked_up_again() -> None:
    kept = Kept()
    sessions = live(kept)
    asked = asyncio.create_task(sessions.check(token("s"), 5.0))
    await asyncio.sleep(0.01)
    kept.sessions["s"] = a_session("s", revoked_at=1.0)
    sessions.hear(News(5, frozenset(), (lookup_of("s"),), 0.0))
    kept.opened.set()
    with pytest.raises(Refusal):
        await asked
    assert (kept.asked, sessions.valid(token("s"))) == (2, False)


async def test_a_look_up_that_fails_or_lasts_is_no_answer_and_is_made_again() -> None:
    kept = Kept()
    sessions = live(kept)
    with pytest.raises(SessionsUnavailable):
        await sessions.check(token("s"), 0.02)
    kept.fails = True
    kept.opened.set()
    await asyncio.sleep(0.02)
    with pytest.raises(SessionsUnavailable):
        await sessions.check(token("s"), 5.0)
    kept.fails = False
    await sessions.check(token("s"), 5.0)
    assert sessions.valid(token("s")) is True


async def test_only_so_many_sessions_are_remembered() -> None:
    kept = Kept()
    kept.opened.set()
    sessions = live(kept, size=3)
    for number in range(10):
        kept.sessions[str(number)] = a_session(str(number))
        await sessions.check(token(str(number)), 5.0)
    assert len(sessions) == 3
    assert sessions.valid(token("0")) is None
    assert sessions.valid(token("9")) is True


async def test_a_session_is_expired_for_whoever_looks_it_up_late(clock: Hands) -> None:
    kept = Kept()
    kept.opened.set()
    sessions = LiveSessions(kept.look_up, lambda: 1000.0, lambda: True)
    with pytest.raises(Refusal):
        await sessions.check(token("s"), 5.0)


async def test_a_look_up_that_met_a_bug_is_made_again_by_the_next_who_asks() -> None:
    kept = Kept()
    kept.opened.set()
    broken = [ValueError("a row that cannot be read")]

    async def look_up(session_id: str) -> Session | None:
        if broken:
            raise broken.pop()
        return await kept.look_up(session_id)

    sessions = LiveSessions(look_up, lambda: 0.0, lambda: True)
    with pytest.raises(ValueError, match="a row"):
        await sessions.check(token("s"), 5.0)
    await sessions.check(token("s"), 5.0)
    assert sessions.valid(token("s")) is True
