"""Over HTTP there are the keys, and what the asker's own session says, and nothing about anybody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from stores.support import Hands
from tools.session_world import Replica, replica
from usherd.http.session_cookie import session_cookie
from usherd.stores.sql.database import opened_database

AT = "/sso/session/validate"
REFUSED = b'{"error":"the session is not valid"}\n'


@pytest.fixture(name="here")
async def _here(clock: Hands) -> AsyncIterator[Replica]:
    async with opened_database("sqlite:///:memory:", upgrade=True, clock=clock) as database, replica(database) as here:
        yield here


def data(body: bytes) -> dict[str, object]:
    found = json.loads(body)
    assert set(found) == {"data"}
    return dict(found["data"])


async def test_a_session_is_told_its_claims_by_the_contracts_names_and_litellms(here: Replica) -> None:
    made = await here.made("root")
    status, headers, body = await here.get(AT, f"Authorization: Bearer {made.token}")

    assert (status, headers["content-type"], headers["cache-control"]) == (200, "application/json", "no-store")
    assert not any(name.startswith("access-control") for name in headers)
    assert data(body) == {
        "session_id": made.session.id,
        "user": "root",
        "user_id": "root",
        "email": "root@example.com",
        "user_email": "root@example.com",
        "role": "proxy_admin",
        "user_role": "proxy_admin",
        "login_method": None,
        "premium": False,
        "premium_user": False,
        "auth_header_name": "Authorization",
        "personal_keys_disabled": False,
        "disabled_non_admin_personal_key_creation": False,
        "exp": made.session.expires_at.seconds,
    }


async def test_a_sessions_cookie_is_as_good_as_its_header(here: Replica) -> None:
    old, new = (await here.made("alice")).token, (await here.made("root")).token
    cookies = f"cookie: theme=dark; litellm_ui_token_1000={old}; litellm_ui_token_2000={new}"
    status, _, body = await here.get(AT, cookies)
    assert (status, data(body)["user"]) == (200, "root")


def _altered(token: str) -> str:
    """With another signature for sure: what is written over a character may be that character."""
    begun, _, signature = token.rpartition(".")
    return f"{begun}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


async def test_whoever_has_no_valid_session_is_told_always_the_same(here: Replica) -> None:
    made = await here.made("alice")
    ended = await here.made("alice")
    await here.call("RevokeSessions", session_id=ended.session.id)
    refused = [
        f"authorization: Bearer {ended.token}",
        f"authorization: Bearer {_altered(made.token)}",
        f"authorization: Bearer {here.token()}",
        "authorization: Bearer x",
    ]
    for each in refused:
        status, headers, body = await here.get(AT, each)
        assert (status, headers["www-authenticate"], body) == (401, 'Bearer error="invalid_token"', REFUSED)
    nothing = [
        (),
        ("authorization: ",),
        (f"authorization: Basic {made.token}",),
        (f"authorization: {made.token}",),
        (f"authorization: Bearer {made.token}", f"authorization: Bearer {made.token}"),
        (f"authorization: Bearer {made.token}", f"cookie: litellm_ui_token_1={ended.token}"),
        (f"cookie: token={made.token}",),
        (f"cookie: litellm_ui_tokens_1={made.token}",),
    ]
    for headers_sent in nothing:
        status, headers, body = await here.get(AT, *headers_sent)
        assert (status, headers["www-authenticate"], body) == (401, "Bearer", REFUSED)
    assert (await here.get(AT, f"authorization: bearer {made.token}"))[0] == 200


async def test_it_is_no_other_method_and_a_token_in_the_address_is_none(here: Replica) -> None:
    made = await here.made("alice")
    assert (await here.get(AT, f"authorization: Bearer {made.token}", method="POST"))[0] == 405
    assert (await here.get(AT, f"authorization: Bearer {made.token}", method="OPTIONS"))[0] == 405
    assert (await here.get(f"{AT}?access_token={made.token}"))[0] == 401
    assert (await here.get(AT, f"authorization: Bearer {made.token}", method="HEAD"))[2] == b""


async def test_the_key_set_is_published_without_a_private_half(here: Replica) -> None:
    status, headers, body = await here.get("/.well-known/jwks.json")
    assert (status, headers["content-type"], headers["cache-control"]) == (200, "application/jwk-set+json", "no-store")
    (key,) = json.loads(body)["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}


async def test_more_cookies_than_fit_are_refused_and_do_no_harm(here: Replica) -> None:
    status, _, _ = await here.get(AT, "cookie: " + "; ".join(f"a{n}={'b' * 60}" for n in range(200)))
    assert status in (400, 431)
    made = await here.made("alice")
    assert (await here.get(AT, f"authorization: Bearer {made.token}"))[0] == 200


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("litellm_ui_token_1000=a; litellm_ui_token_2000=b; litellm_ui_token_1500=c; other=d", "b"),
        ("litellm_ui_token_9=a; litellm_ui_token_10=b", "b"),
        ("litellm_ui_token_9=a; litellm_ui_token_10=b; litellm_ui_token_x=c", "c"),
        ("litellm_ui_token_1=a; litellm_ui_token_1=b", "a"),
        ('litellm_ui_token_1="a"', "a"),
        ("litellm_ui_token_1", ""),
        ("litellm_ui_token_1=", ""),
        ("", ""),
        (";;;=;", ""),
        ("token_5=a", ""),
        ("; ".join(f"c{n}=x" for n in range(64)) + "; litellm_ui_token_1=a", ""),
    ],
)
def test_of_a_browsers_cookies_the_newest_sessions_counts(header: str, value: str) -> None:
    assert session_cookie(header) == value
