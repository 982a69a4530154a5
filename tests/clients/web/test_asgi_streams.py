"""What a gateway streams ends within a second of the moment in which usherd says no, and is never taken for whole."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.middleware.base import BaseHTTPMiddleware
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from clients.web.apps import CHAT, CHUNK, Seen, fast_api, starlette
from clients.web.serving import calling, served
from tools.company_daemon import MODEL, REALTIME, CompanyDaemon, company_daemon
from usher_client import AsyncClient
from usher_client.asgi import UsherMiddleware
from usher_client.http import Reading

STREAMED = {"model": MODEL, "stream": True}
WITHIN = 1.0
"""Seconds, from the commit of a change to the end of the answer."""


@pytest.fixture(name="usherd", scope="module")
def _usherd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompanyDaemon]:
    with company_daemon(tmp_path_factory.mktemp("usherd")) as running:
        yield running


@asynccontextmanager
async def gateway(usherd: CompanyDaemon, framework: str) -> AsyncIterator[tuple[str, Seen]]:
    seen = Seen()

    def opened() -> AsyncClient:
        return AsyncClient(usherd.target)

    app: Any = fast_api(seen, opened) if framework == "fastapi" else UsherMiddleware(starlette(seen), opened)
    async with served(app) as address:
        yield address, seen


async def cut_by(
    no: Callable[[], Awaitable[None]], address: str, token: str, body: Any = STREAMED, **headers: str
) -> tuple[bytes, float, Exception | None]:
    """What a client got of a stream, how long after `no` it ended, and what it ended with."""
    got, said, error = b"", 0.0, None
    async with calling(address, token, **headers) as client, client.stream("POST", CHAT, json=body) as answer:
        assert answer.status_code == 200
        try:
            async for chunk in answer.aiter_raw():
                got += chunk
                if not said and got.count(CHUNK) > 3:
                    await no()
                    said = time.monotonic()
        except httpx.HTTPError as broken:
            error = broken
    assert said
    return got, time.monotonic() - said, error


def talking(address: str, query: str = f"?model={REALTIME}", **headers: str) -> connect:
    """A websocket of the realtime route."""
    return connect(f"ws://{address}/v1/realtime{query}", additional_headers=headers, proxy=None)


def last_event(got: bytes) -> Any:
    """The error event that a stream ended with; before it are whole events only."""
    *events, last, nothing = got.split(b"\n\n")
    assert nothing == b""
    assert {each + b"\n\n" for each in events} == {CHUNK}
    kind, data = last.split(b"\n")
    assert kind == b"event: error"
    return json.loads(data.removeprefix(b"data: "))["error"]


@pytest.mark.parametrize("framework", ["fastapi", "starlette"])
async def test_a_stream_is_cut_when_its_team_is_blocked(usherd: CompanyDaemon, framework: str) -> None:
    async with gateway(usherd, framework) as (address, seen):
        got, took, error = await cut_by(lambda: usherd.block("red"), address, usherd.token())
        await usherd.unblock("red")

    assert error is None
    assert last_event(got)["code"] == "team_blocked"
    assert took < WITHIN
    await seen.all_closed(1)


@pytest.mark.parametrize("framework", ["fastapi", "starlette"])
async def test_a_stream_is_cut_when_its_token_is_revoked(usherd: CompanyDaemon, framework: str) -> None:
    token = usherd.token(jti=f"{framework} stream", groups=["blue"])
    async with gateway(usherd, framework) as (address, seen):
        got, took, _ = await cut_by(lambda: usherd.revoke(token), address, token)
        async with calling(address, token) as client:
            again = await client.post(CHAT, json=STREAMED)

    assert last_event(got)["code"] == "token_revoked"
    assert took < WITHIN
    await seen.all_closed(1)
    assert again.status_code == 401


async def test_a_stream_out_of_a_thread_is_cut(usherd: CompanyDaemon) -> None:
    token = usherd.token(jti="thread", groups=["blue"])
    async with gateway(usherd, "fastapi") as (address, seen):
        got, took, _ = await cut_by(lambda: usherd.revoke(token), address, token, **{"x-threaded": "1"})

    assert last_event(got)["code"] == "token_revoked"
    assert took < WITHIN
    assert seen.calls == 1


@pytest.mark.parametrize("framework", ["fastapi", "starlette"])
async def test_a_stream_of_another_kind_is_broken_off(usherd: CompanyDaemon, framework: str) -> None:
    token = usherd.token(jti=f"{framework} other", groups=["blue"])
    async with gateway(usherd, framework) as (address, seen):
        got, took, error = await cut_by(
            lambda: usherd.revoke(token), address, token, **{"x-stream": "application/x-ndjson"}
        )

    assert isinstance(error, httpx.RemoteProtocolError)
    assert got.replace(CHUNK, b"") == b""
    assert took < WITHIN
    await seen.all_closed(1)


async def test_an_event_stream_that_nobody_announced_is_cut(usherd: CompanyDaemon) -> None:
    token = usherd.token(jti="unannounced", groups=["blue"])
    body = {"model": MODEL, "x": {"stream": True}}
    async with gateway(usherd, "fastapi") as (address, _):
        got, took, _ = await cut_by(lambda: usherd.revoke(token), address, token, body)

    assert last_event(got)["code"] == "token_revoked"
    assert took < WITHIN


async def test_an_answer_in_parts_is_watched_once_it_lasts(usherd: CompanyDaemon) -> None:
    token = usherd.token(jti="parts", groups=["blue"])
    body = {"model": MODEL, "x": {"stream": True}}

    async def no() -> None:
        await asyncio.sleep(1.5)
        await usherd.revoke(token)

    async with gateway(usherd, "fastapi") as (address, _):
        _, took, error = await cut_by(no, address, token, body, **{"x-stream": "application/x-ndjson"})

    assert isinstance(error, httpx.RemoteProtocolError)
    assert took < WITHIN


async def test_a_broken_off_answer_is_not_made_whole_by_middleware_further_in(usherd: CompanyDaemon) -> None:
    async def further_in(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    seen, token = Seen(), usherd.token(jti="further in", groups=["blue"])
    app = starlette(seen)
    app.add_middleware(BaseHTTPMiddleware, dispatch=further_in)
    app.add_middleware(UsherMiddleware, usherd=lambda: AsyncClient(usherd.target))
    async with served(app) as address:
        _, took, error = await cut_by(
            lambda: usherd.revoke(token), address, token, **{"x-stream": "application/x-ndjson"}
        )

    assert isinstance(error, httpx.RemoteProtocolError)
    assert took < WITHIN


async def test_a_client_that_goes_ends_the_stream_and_its_watch(usherd: CompanyDaemon) -> None:
    async with gateway(usherd, "starlette") as (address, seen):
        token = usherd.token(groups=["blue"])
        async with calling(address, token) as client, client.stream("POST", CHAT, json=STREAMED) as answer:
            async for _ in answer.aiter_raw():
                break
        await seen.all_closed(1)
        others = {each.get_coro().__qualname__ for each in asyncio.all_tasks()}  # type: ignore[union-attr]

    assert not [each for each in others if "run_until_cut" in each]


async def test_a_websocket_is_asked_about_at_its_handshake(usherd: CompanyDaemon) -> None:
    bearer = {"authorization": f"Bearer {usherd.token()}"}
    cookie = {"cookie": f"litellm_ui_token_1={usherd.token()}"}
    async with gateway(usherd, "starlette") as (address, seen):

        async def refused(query: str, **headers: str) -> int:
            with pytest.raises(InvalidStatus) as caught:
                async with talking(address, query, **headers):
                    pass
            return caught.value.response.status_code

        nobody = await refused(f"?model={REALTIME}")
        other = await refused("?model=o3", **bearer)
        two = await refused(f"?model=o3&model={REALTIME}", **bearer)
        page = await refused(f"?model={REALTIME}", origin="https://evil.example", **cookie)
        async with talking(address, **bearer) as socket:
            await socket.send("hello")
            answer = await socket.recv()

    assert (nobody, other, two, page) == (401, 403, 403, 403)
    assert answer == f"{REALTIME} hello"
    assert seen.calls == 1


async def test_a_websocket_is_closed_when_its_token_is_revoked(usherd: CompanyDaemon) -> None:
    token = usherd.token(jti="socket")
    headers = {"authorization": f"Bearer {token}"}
    async with gateway(usherd, "starlette") as (address, seen), talking(address, **headers) as socket:
        await socket.send("hello")
        await socket.recv()
        await usherd.revoke(token)
        revoked = time.monotonic()
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        took = time.monotonic() - revoked

    closed = caught.value.rcvd
    assert closed is not None
    assert (closed.code, closed.reason) == (1008, "token_revoked")
    assert took < WITHIN
    await seen.all_closed(1)


async def test_a_websocket_of_an_allowed_origin_passes_with_a_cookie(usherd: CompanyDaemon) -> None:
    seen = Seen()
    reading = Reading(origins=("https://ui.example",))
    app = UsherMiddleware(starlette(seen), lambda: AsyncClient(usherd.target), reading=reading)
    headers = {"cookie": f"litellm_ui_token_1={usherd.token()}", "origin": "https://ui.example"}
    async with served(app) as address, talking(address, **headers) as socket:
        await socket.send("hello")
        await socket.recv()

    assert seen.calls == 1
