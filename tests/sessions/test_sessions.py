"""Sessions are made for users, and are worth no more than these are now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import jwt
import pytest
from google.protobuf.duration_pb2 import Duration
from sqlalchemy import select

from stores.support import Hands
from tools.directory_world import Failed
from tools.session_world import ADMIN_ROUTE, DAY, RULES, UI_ROUTE, Replica, replica, session_policy, user
from usher.v1 import reason_pb2, session_pb2, session_service_pb2
from usherd.options import STRICT, with_values
from usherd.policy import ScopeRules, TeamRules, UserRules
from usherd.sessions import MAX_PER_USER
from usherd.stores.sql import schema
from usherd.stores.sql.database import Database, opened_database
from worlds import CHAT, issuer


@pytest.fixture(name="here")
async def _here(clock: Hands) -> AsyncIterator[Replica]:
    async with memory(clock) as database, replica(database) as here:
        yield here


def memory(clock: Hands) -> AbstractAsyncContextManager[Database]:
    return opened_database("sqlite:///:memory:", upgrade=True, clock=clock)


def denied(answer: Any) -> str:
    """Why; an answer that denies nothing fails."""
    assert answer.HasField("denial")
    assert not answer.HasField("claims" if hasattr(answer, "claims") else "session")
    assert not getattr(answer, "token", "")
    return reason_pb2.Reason.Name(answer.denial.reason).removeprefix("REASON_")


def content(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


async def test_a_session_is_made_for_the_holder_of_a_providers_token(here: Replica) -> None:
    made = await here.call("CreateSession", token=here.token())

    assert (made.session.user_id, made.session.role) == ("alice", "internal_user")
    assert made.session.login_method == session_pb2.LOGIN_METHOD_SSO
    assert made.session.expires_at.seconds - made.session.created_at.seconds == DAY
    assert made.revision == f"{here.database.store_id}:{made.revision.partition(':')[2]}"
    assert await here.reason(made.token) == "ALLOWED"
    decision = await here.ask(made.token)
    assert decision.verdict.principal is not None
    assert decision.verdict.principal.user_id == "alice"
    assert {each.kind.name for each in decision.verdict.depends_on} == {"TOKEN", "ISSUER", "POLICY", "KEY", "USER"}


async def test_its_token_says_what_the_contract_names_and_holds_no_key_and_no_secret(here: Replica) -> None:
    made = await here.made("alice", login_method=session_pb2.LOGIN_METHOD_USERNAME_PASSWORD)
    header, claims = content(made.token)

    (key,) = (await here.jwks())["keys"]
    assert header == {"alg": "EdDSA", "kid": key["kid"], "typ": "usherd-session+jwt"}
    now = int(here.clock())
    assert claims == {
        "iss": "usherd",
        "aud": "usherd-ui",
        "sub": "alice",
        "jti": made.session.id,
        "iat": now,
        "exp": now + 86400,
        "session_id": made.session.id,
        "user_id": "alice",
        "user_email": "alice@example.com",
        "user_role": "internal_user",
        "login_method": "username_password",
        "premium_user": False,
        "auth_header_name": "Authorization",
        "disabled_non_admin_personal_key_creation": False,
        "scope": "ui:use",
    }


@pytest.mark.parametrize(
    ("name", "scope", "administers"),
    [
        ("root", "ui:admin", True),
        ("looker", "ui:view_all", False),
        ("alice", "ui:use", False),
        ("watcher", "ui:view", False),
        ("nobody", None, False),
    ],
)
async def test_only_an_administrators_session_administers(
    here: Replica, name: str, scope: str | None, administers: bool
) -> None:
    made = await here.made(name)

    assert content(made.token)[1].get("scope") == scope
    assert await here.reason(made.token, ADMIN_ROUTE, "POST") == ("ALLOWED" if administers else "ROUTE_NOT_GRANTED")
    assert await here.reason(made.token, UI_ROUTE) == "ALLOWED"
    decision = await here.ask(made.token)
    assert decision.verdict.principal is not None
    assert decision.verdict.principal.is_admin is administers


async def test_an_issuer_that_may_not_grant_administration_makes_no_administrator_by_a_session(here: Replica) -> None:
    here.users(user("root", "proxy_admin"), user("double", "proxy_admin"))
    weak = here.token(by="weak", sub="root")
    assert denied(await here.call("CreateSession", token=weak)) == "USER_UNKNOWN"
    here.users(replace(user("root", "proxy_admin"), identities=(("weak", "root"),)))
    made = await here.call("CreateSession", token=weak)

    assert made.session.role == ""
    assert await here.reason(made.token, ADMIN_ROUTE, "POST") == "ROUTE_NOT_GRANTED"
    assert (await here.call("ValidateSession", token=made.token)).claims.role == ""


async def test_nobody_who_is_unknown_or_blocked_or_no_person_has_a_session(here: Replica) -> None:
    create, by_word = "CreateSession", "CreateSessionForUser"
    subject = session_service_pb2.SessionSubject
    assert denied(await here.call(create, token=here.token(sub="stranger"))) == "USER_UNKNOWN"
    assert denied(await here.call(create, token=here.token(sub="blocked"))) == "USER_BLOCKED"
    assert denied(await here.call(create, token=here.token(idtyp="app", azp="alice"))) == "USER_UNKNOWN"
    assert denied(await here.call(by_word, user_id="stranger")) == "USER_UNKNOWN"
    assert denied(await here.call(by_word, user_id="blocked")) == "USER_BLOCKED"
    assert denied(await here.call(by_word, subject=subject(issuer="weak", subject="alice"))) == "USER_UNKNOWN"
    assert (await here.call(by_word, subject=subject(issuer="idp", subject="alice"))).session.user_id == "alice"
    assert len((await here.call("ListSessions")).sessions) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": 1}, "TOKEN_EXPIRED"),
        ({"aud": "elsewhere"}, "AUDIENCE_MISMATCH"),
        ({"iss": "https://stranger.example"}, "ISSUER_UNKNOWN"),
    ],
)
async def test_a_providers_token_is_judged_as_ever(here: Replica, changes: dict[str, Any], reason: str) -> None:
    assert denied(await here.call("CreateSession", token=here.token(**changes))) == reason
    assert denied(await here.call("CreateSession", token="no token")) == "TOKEN_MALFORMED"
    assert denied(await here.call("CreateSession")) == "TOKEN_MISSING"


async def test_a_session_makes_no_session(here: Replica) -> None:
    made = await here.made("alice")
    assert denied(await here.call("CreateSession", token=made.token)) == "ISSUER_UNKNOWN"


async def test_the_hook_is_asked_about_the_providers_token_and_not_about_sessions(clock: Hands) -> None:
    asked: list[str] = []

    async def hook(claims: Any) -> bool:
        asked.append(claims["iss"])
        return claims["sub"] == "alice"

    async with memory(clock) as database, replica(database, hook=hook) as here:
        made = await here.call("CreateSession", token=here.token())
        assert await here.reason(made.token) == "ALLOWED"
        assert denied(await here.call("CreateSession", token=here.token(sub="root"))) == "HOOK_REFUSED"
        assert set(asked) == {"https://idp.example"}


async def test_a_user_who_is_blocked_demoted_or_deleted_afterwards_is_that_at_once(here: Replica) -> None:
    made = await here.made("root")
    assert await here.reason(made.token, ADMIN_ROUTE, "POST") == "ALLOWED"

    here.users(user("root", "proxy_admin_viewer"))
    assert await here.reason(made.token, ADMIN_ROUTE, "POST") == "ROUTE_NOT_GRANTED"
    assert (await here.call("ValidateSession", token=made.token)).claims.role == "proxy_admin_viewer"

    # A role that is taken away is a lesser one, too.
    here.users(user("root", ""))
    assert await here.reason(made.token, ADMIN_ROUTE, "POST") == "ROUTE_NOT_GRANTED"
    assert (await here.call("ValidateSession", token=made.token)).claims.role == ""

    here.users(user("root", "proxy_admin", blocked=True))
    assert await here.reason(made.token) == "USER_BLOCKED"
    assert denied(await here.call("ValidateSession", token=made.token)) == "USER_BLOCKED"

    here.users()
    assert await here.reason(made.token) in ("USER_UNKNOWN", "NOT_ENTITLED")
    assert await here.reason(made.token, ADMIN_ROUTE, "POST") in ("USER_UNKNOWN", "NOT_ENTITLED")
    assert denied(await here.call("ValidateSession", token=made.token)) == "USER_UNKNOWN"


@pytest.mark.parametrize(
    ("mapped", "reason", "role"),
    [("proxy_admin", "ALLOWED", "proxy_admin"), ("internal_user", "ROUTE_NOT_GRANTED", "")],
)
async def test_a_row_without_a_role_says_nothing_where_a_providers_roles_give_the_sessions(
    clock: Hands, mapped: str, reason: str, role: str
) -> None:
    mapping = session_policy(users=UserRules(role_map=(("boss", mapped),)))
    async with memory(clock) as database, replica(database, made=mapping) as here:
        made = await here.made("root")
        here.users(user("root", ""))

        assert await here.reason(made.token, ADMIN_ROUTE, "POST") == reason
        assert (await here.call("ValidateSession", token=made.token)).claims.role == role


async def test_a_user_who_is_promoted_afterwards_administers_with_no_session_of_before(here: Replica) -> None:
    made = await here.made("alice")
    here.users(user("alice", "proxy_admin"))
    assert await here.reason(made.token, ADMIN_ROUTE, "POST") == "ROUTE_NOT_GRANTED"


async def test_no_option_reads_a_session_as_a_providers_token_or_spares_its_user_the_directory(
    clock: Hands,
) -> None:
    lax = with_values(
        STRICT,
        {
            "session.identity": "claims",
            "admin.loaded": False,
            "user.blocked": "ignored",
            "access.unentitled": "allow",
            "access.route_check": "reference",
        },
    )
    async with memory(clock) as database, replica(database, made=session_policy(options=lax)) as here:
        made = await here.made("root")
        assert await here.reason(made.token, ADMIN_ROUTE, "POST") == "ALLOWED"
        here.users(user("root", "internal_user"))
        decision = await here.ask(made.token)
        assert decision.verdict.principal is not None
        assert not decision.verdict.principal.is_admin
        here.users(user("root", "proxy_admin", blocked=True))
        assert await here.reason(made.token, ADMIN_ROUTE, "POST") == "USER_BLOCKED"
        here.users()
        assert await here.reason(made.token, ADMIN_ROUTE, "POST") == "USER_UNKNOWN"


async def test_what_is_asked_of_providers_tokens_is_not_asked_of_sessions(clock: Hands) -> None:
    chosen = session_policy(
        issuers=(issuer(), issuer("weak")),
        teams=TeamRules(required="claim", routes=(CHAT,)),
        users=UserRules(email_domains=frozenset({"elsewhere.example"}), routes=(CHAT,)),
        scopes=ScopeRules(enforce=True),
    )
    async with memory(clock) as database, replica(database, made=chosen) as here:
        assert await here.reason((await here.made("alice")).token) == "ALLOWED"


async def test_a_lifetime_is_within_its_bounds(here: Replica) -> None:
    minute = await here.made("alice", lifetime=Duration(seconds=60))
    assert minute.session.expires_at.seconds - minute.session.created_at.seconds == 60
    for seconds in (0, -5, 59, 86401, 2**40):
        for method, who in (("CreateSession", {"token": here.token()}), ("CreateSessionForUser", {"user_id": "alice"})):
            with pytest.raises(Failed) as failed:
                await here.call(method, lifetime=Duration(seconds=seconds), **who)
            assert (failed.value.reason, failed.value.field) == ("FIELD_INVALID", "lifetime")


async def test_a_session_ends_when_its_time_is_over(here: Replica, clock: Hands) -> None:
    made = await here.made("alice", lifetime=Duration(seconds=60))
    assert await here.reason(made.token) == "ALLOWED"
    clock.move(59.9)
    assert await here.reason(made.token) == "ALLOWED"
    clock.move(0.1)
    assert await here.reason(made.token) == "TOKEN_EXPIRED"
    assert denied(await here.call("ValidateSession", token=made.token)) == "TOKEN_EXPIRED"
    assert (await here.call("ListSessions")).sessions == []


async def test_validation_tells_the_contracts_claims(here: Replica) -> None:
    made = await here.made("root", login_method=session_pb2.LOGIN_METHOD_SSO)
    answer = await here.call("ValidateSession", token=made.token)

    assert answer.claims == session_pb2.SessionClaims(
        session_id=made.session.id,
        user_id="root",
        email="root@example.com",
        role="proxy_admin",
        login_method=session_pb2.LOGIN_METHOD_SSO,
        auth_header_name="Authorization",
    )
    assert answer.expires_at == made.session.expires_at
    assert denied(await here.call("ValidateSession", token=here.token())) == "SESSION_INVALID"
    assert denied(await here.call("ValidateSession", token="x")) == "TOKEN_MALFORMED"


async def test_sessions_are_listed_page_by_page_and_never_with_their_tokens(here: Replica) -> None:
    made = [await here.made(name) for name in ("alice", "root", "alice", "looker")]
    await here.call("RevokeSessions", session_id=made[0].session.id)

    found, token = [], ""
    while True:
        page = await here.call("ListSessions", page_size=1, page_token=token)
        found += page.sessions
        assert len(page.sessions) <= 1
        if not (token := page.next_page_token):
            break
    assert [each.id for each in found] == sorted(each.session.id for each in made)
    assert sum(each.HasField("revoked_at") for each in found) == 1
    valid = await here.call("ListSessions", user_id="alice", valid_only=True)
    assert [each.id for each in valid.sessions] == [made[2].session.id]
    raw = b"".join(page.SerializeToString() for page in (await here.call("ListSessions"), valid))
    assert b"eyJ" not in raw
    with pytest.raises(Failed) as failed:
        await here.call("ListSessions", page_token="made up")
    assert failed.value.reason == "PAGE_INVALID"


async def test_a_user_has_only_so_many_sessions_and_the_oldest_ends(here: Replica, clock: Hands) -> None:
    first = await here.made("alice")
    other = await here.made("root")
    for _ in range(MAX_PER_USER - 1):
        clock.move(1)
        last = await here.made("alice")
    assert await here.reason(first.token) == "ALLOWED"
    clock.move(1)
    await here.made("alice")
    await here.feed.told()
    assert await here.reason(first.token) == "TOKEN_REVOKED"
    assert await here.reason(last.token) == "ALLOWED"
    assert await here.reason(other.token) == "ALLOWED"
    assert len((await here.call("ListSessions", user_id="alice", valid_only=True)).sessions) == MAX_PER_USER


@pytest.mark.parametrize(
    ("method", "fields", "field"),
    [
        ("CreateSessionForUser", {}, "user"),
        ("CreateSessionForUser", {"user_id": "a" * 257}, "user_id"),
        ("CreateSessionForUser", {"user_id": "a\x00"}, "user_id"),
        ("CreateSessionForUser", {"user_id": "alice", "login_method": 7}, "login_method"),
        ("CreateSessionForUser", {"subject": session_service_pb2.SessionSubject(issuer="idp")}, "subject.subject"),
        (
            "CreateSessionForUser",
            {"subject": session_service_pb2.SessionSubject(issuer="https://idp.example", subject="alice")},
            "subject.issuer",
        ),
        ("RevokeSessions", {}, "which"),
        ("RevokeSessions", {"session_id": "x"}, "session_id"),
        ("RevokeSessions", {"user_id": ""}, "user_id"),
        ("ListSessions", {"user_id": "\n"}, "user_id"),
    ],
)
async def test_a_field_that_cannot_be_is_named(here: Replica, method: str, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Failed) as failed:
        await here.call(method, **fields)
    assert (failed.value.reason, failed.value.field) == ("FIELD_INVALID", field)


async def test_sessions_are_kept_with_nothing_that_opens_anything(here: Replica) -> None:
    made = await here.made("alice")
    async with here.database.reading() as connection:
        row = (await connection.execute(select(schema.sessions))).one()
        key = (await connection.execute(select(schema.session_keys))).one()
    text = repr(tuple(row)) + repr(tuple(key)).replace(key.kid, "")
    for part in made.token.split("."):
        assert part not in text
    assert RULES.issuer not in text
