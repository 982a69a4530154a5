"""The middleware's rules one by one, where no real server could be made to do what a test wants."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from typing import Any

import pytest

from clients.web.apps import CHUNK, Seen, starlette
from clients.web.doubles import DENIAL, Server, Usherd, decision, scope
from usher_client import AsyncClient, Decided, Unavailable, Unknown
from usher_client.asgi import AnswerCut, UsherMiddleware, cutting, decision_of
from usher_client.asgi.scopes import path_of
from usher_client.gateway import watching
from usher_client.testing import FakeUsherd

EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8")]
PLAIN = [(b"content-type", b"application/x-ndjson")]
STREAM = b'{"model": "gpt-4o", "stream": true}'


def streaming(*chunks: bytes, headers: Any = EVENTS, then: Any = None, start: bool = True) -> tuple[Any, asyncio.Event]:
    """An app that begins an answer and lasts, and what says that it has sent its chunks."""
    begun = asyncio.Event()

    async def app(_: Any, receive: Any, send: Any) -> None:
        if start:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        begun.set()
        await (asyncio.Event().wait() if then is None else then(receive, send))

    return app, begun


async def cut(usherd: Usherd, app: Any, begun: asyncio.Event, server: Server | None = None) -> Server:
    """Runs the app with a streamed request until usherd says no."""
    server = server or Server()
    server.requests = [{"type": "http.request", "body": STREAM}]
    running = asyncio.create_task(UsherMiddleware(app, usherd)(scope(), server.receive, server.send))
    async with asyncio.timeout(5):
        await begun.wait()
        usherd.no.set()
        await running
    return server


def error_of(event: bytes) -> str:
    assert event.startswith(b"event: error\ndata: {")
    return str(json.loads(event.split(b"data: ")[1])["error"]["code"])


async def test_a_stream_that_is_cut_ends_with_an_error_event() -> None:
    usherd = Usherd()
    app, begun = streaming(b"data: 1\n\n")

    server = await cut(usherd, app, begun)

    assert server.whole
    assert [each.get("body") for each in server.sent[1:2]] == [b"data: 1\n\n"]
    assert error_of(server.sent[-1]["body"]) == "team_blocked"
    assert usherd.open_watches == 0


async def test_an_event_that_was_half_sent_is_not_run_into() -> None:
    app, begun = streaming(b"data: {")

    server = await cut(Usherd(), app, begun)

    assert server.sent[-1]["body"].startswith(b"\n\nevent: error\n")


async def test_a_request_that_has_no_answer_yet_is_denied_as_if_asked_now() -> None:
    app, begun = streaming(start=False)

    server = await cut(Usherd(), app, begun)

    assert server.status == 403
    assert json.loads(server.body)["error"]["code"] == "team_blocked"


async def test_what_is_unknown_is_told_as_a_fault() -> None:
    app, begun = streaming(b"data: 1\n\n")

    server = await cut(Usherd(event=Unknown(fault=Unavailable())), app, begun)

    assert error_of(server.sent[-1]["body"]) == "authorization_unavailable"


async def test_a_first_decision_that_denies_cuts() -> None:
    app, begun = streaming(b"data: 1\n\n")

    server = await cut(Usherd(event=Decided(decision=DENIAL)), app, begun)

    assert error_of(server.sent[-1]["body"]) == "team_blocked"


@pytest.mark.parametrize(
    "headers",
    [
        PLAIN,
        [],
        [*EVENTS, (b"content-encoding", b"gzip")],
        [*EVENTS, (b"content-length", b"100")],
        [*EVENTS, *PLAIN],
    ],
)
async def test_an_answer_that_cannot_be_ended_is_broken_off(headers: Any) -> None:
    app, begun = streaming(b"x", headers=headers)
    server = Server()

    with pytest.raises(AnswerCut):
        await cut(Usherd(), app, begun, server)

    assert not server.whole
    assert server.body == b"x"


async def test_a_watch_that_gets_no_first_decision_is_tried_again() -> None:
    usherd = Usherd(faults=2, fault=Unavailable())
    app, begun = streaming(b"data: 1\n\n")

    server = await cut(usherd, app, begun)

    assert usherd.watches == 3
    assert error_of(server.sent[-1]["body"]) == "team_blocked"


@pytest.mark.parametrize("fault", [Unavailable(), RuntimeError("canary"), asyncio.CancelledError()])
async def test_a_watch_that_gets_none_at_all_cuts(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.2)
    app, begun = streaming(b"data: 1\n\n")

    server = await cut(Usherd(faults=1000, fault=fault), app, begun)

    assert error_of(server.sent[-1]["body"]) == "authorization_unavailable"
    assert "canary" not in caplog.text


async def test_an_app_that_does_not_want_to_end_sends_nothing_any_more() -> None:
    late: list[str] = []

    async def stubborn(_: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for more in (True, False):
                try:
                    await send({"type": "http.response.body", "body": b"canary", "more_body": more})
                except OSError as error:
                    late.append(type(error).__name__)
            raise ValueError("canary") from None

    app, begun = streaming(b"data: 1\n\n", then=stubborn)

    server = await cut(Usherd(), app, begun)

    assert late == ["AnswerCut", "AnswerCut"]
    assert b"canary" not in server.body
    assert error_of(server.sent[-1]["body"]) == "team_blocked"


async def test_a_client_that_does_not_read_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "END_WITHIN", 0.1)
    full = asyncio.Event()

    async def block(message: dict[str, Any]) -> None:
        if message.get("body") == b"second":
            full.set()
        if full.is_set():
            await asyncio.Event().wait()

    server = Server(sending=block)
    app, _ = streaming(b"data: 1\n\n", b"second")

    with pytest.raises(AnswerCut):
        await cut(Usherd(), app, full, server)

    assert not server.whole


async def test_a_cancellation_from_outside_stays_one() -> None:
    usherd, server = Usherd(), Server(requests=[{"type": "http.request", "body": STREAM}])
    app, begun = streaming(b"data: 1\n\n")
    running = asyncio.create_task(UsherMiddleware(app, usherd)(scope(), server.receive, server.send))
    await begun.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running

    assert not server.whole
    assert usherd.open_watches == 0


async def test_an_answer_that_is_complete_is_left_alone() -> None:
    async def end(_: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"last", "more_body": False})
        usherd.no.set()
        for _ in range(5):
            await asyncio.sleep(0)

    usherd = Usherd()
    app, begun = streaming(b"first", headers=PLAIN, then=end)

    server = await cut(usherd, app, begun)

    assert (server.whole, server.body) == (True, b"firstlast")
    assert usherd.open_watches == 0


async def test_what_an_app_does_behind_its_answer_is_its_own() -> None:
    async def work_on(_: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"last"})
        for _ in range(5):
            await asyncio.sleep(0)
        watches.append(usherd.open_watches)
        usherd.no.set()
        await asyncio.sleep(0.01)
        done.set()

    usherd, done, watches = Usherd(), asyncio.Event(), list[int]()
    app, begun = streaming(b"first", then=work_on)

    server = await cut(usherd, app, begun)

    assert server.body == b"firstlast"
    assert done.is_set()
    assert watches == [0]


async def test_an_answer_that_does_not_stream_is_not_watched() -> None:
    async def app(_: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    usherd, server = Usherd(), Server()
    await UsherMiddleware(app, usherd)(scope(), server.receive, server.send)

    assert server.body == b"ab"
    assert usherd.watches == 0


async def test_an_error_of_the_app_is_the_apps() -> None:
    async def fail(*_: Any) -> None:
        raise ValueError("its own")

    app, _ = streaming(b"data: 1\n\n", then=fail)
    usherd, server = Usherd(), Server(requests=[{"type": "http.request", "body": STREAM}])

    with pytest.raises(ValueError, match="its own"):
        await UsherMiddleware(app, usherd)(scope(), server.receive, server.send)

    assert usherd.open_watches == 0


async def test_the_app_gets_the_body_once_and_then_hears_of_the_client() -> None:
    got: list[dict[str, Any]] = []

    async def app(_: Any, receive: Any, send: Any) -> None:
        got.extend([await receive(), await receive()])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    parts = [b'{"mod', b'el": "gpt', b'-4o"}']
    server = Server([{"type": "http.request", "body": each, "more_body": each != parts[-1]} for each in parts])
    server.gone.set()
    asked = Usherd()
    await UsherMiddleware(app, asked)(scope(), server.receive, server.send)

    assert got == [
        {"type": "http.request", "body": b"".join(parts), "more_body": False},
        {"type": "http.disconnect"},
    ]
    assert asked.asked[0]["model"] == "gpt-4o"
    assert asked.asked[0]["token"] == "canary.token.value"


async def test_a_query_beside_a_form_is_no_second_place_to_name_a_model() -> None:
    async def app(_: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    server = Server([{"type": "http.request", "body": b"model=gpt-4o"}])
    form = scope() | {"query_string": b"model=o3"}
    form["headers"] = [*form["headers"], (b"content-type", b"application/x-www-form-urlencoded")]
    asked = Usherd()
    await UsherMiddleware(app, asked)(form, server.receive, server.send)

    assert asked.asked[0]["route"] == "/v1/chat/completions"
    assert asked.asked[0]["model"] is None


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(
    ("answer", "status", "left"),
    [
        (decision(allowed=False, reason="TOKEN_EXPIRED", message="M.", http_status=401), 401, True),
        (decision(allowed=False, reason="MODEL_REQUIRED", message="M.", http_status=401), 401, False),
        (Unavailable(), 503, True),
    ],
)
async def test_a_large_body_of_somebody_unknown_is_not_read(
    declared: bool, answer: Any, status: int, left: bool
) -> None:
    usherd = Usherd(answer=answer)
    parts = [b'{"model": "o3", "x": "' + b"x" * 300_000] + [b"x" * 100_000] * 5 + [b'"}']
    server = Server([{"type": "http.request", "body": each, "more_body": each != parts[-1]} for each in parts])
    headers = [*scope()["headers"]]
    if declared:
        headers.append((b"content-length", str(sum(map(len, parts))).encode()))
    app, _ = streaming()

    await UsherMiddleware(app, usherd)(scope(headers=headers), server.receive, server.send)

    assert server.status == status
    assert usherd.asked[0]["model"] is None
    assert len(server.requests) == ((7 if declared else 6) if left else 0)
    assert [each["model"] for each in usherd.asked[1:]] == ([] if left else ["o3"])


async def test_a_client_that_goes_before_its_body_is_there_is_not_asked_about() -> None:
    usherd = Usherd()
    server = Server([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    app, _ = streaming()

    await UsherMiddleware(app, usherd)(scope(), server.receive, server.send)

    assert (usherd.asked, server.sent) == ([], [])


@pytest.mark.parametrize("bug", [RuntimeError("canary"), TypeError("canary"), ValueError("canary")])
async def test_a_bug_of_a_client_is_a_503_that_says_nothing(bug: Exception, caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    app, _ = streaming()
    with caplog.at_level(logging.DEBUG):
        await UsherMiddleware(app, Usherd(answer=bug))(scope(), server.receive, server.send)

    assert server.status == 503
    assert b"canary" not in server.body
    assert "canary" not in caplog.text
    assert type(bug).__name__ in caplog.text


@pytest.mark.parametrize("allowed", [False, None, 1, "yes"])
async def test_only_true_is_allowed(allowed: Any) -> None:
    server = Server()
    app, begun = streaming()
    answer = decision(allowed=allowed, reason="UNKNOWN")

    await UsherMiddleware(app, Usherd(answer=answer))(scope(), server.receive, server.send)

    assert server.status == 403
    assert not begun.is_set()


async def test_a_decision_that_somebody_else_put_there_is_none() -> None:
    found: list[Any] = []

    async def app(inner: Any, receive: Any, send: Any) -> None:
        found.append(inner.get("usher.decision"))

    forged = scope("/health", **{"usher.decision": decision(reason="FORGED")})
    await UsherMiddleware(app, Usherd(), unasked=["/health"])(forged, Server().receive, Server().send)

    assert found == [None]
    with pytest.raises(LookupError):
        decision_of({})
    with pytest.raises(LookupError):
        decision_of({"usher.decision": DENIAL})
    with pytest.raises(LookupError):
        decision_of({"usher.decision": {"allowed": True}})


async def test_a_connection_of_another_kind_is_refused() -> None:
    app, begun = streaming()

    with pytest.raises(ValueError, match="scope"):
        await UsherMiddleware(app, Usherd())(scope(type="webtransport"), Server().receive, Server().send)

    assert not begun.is_set()


async def test_a_websocket_that_may_not_pass_is_closed_where_the_server_cannot_say_why() -> None:
    server = Server([{"type": "websocket.connect"}])
    app, begun = streaming()

    await UsherMiddleware(app, Usherd(answer=DENIAL))(scope(type="websocket"), server.receive, server.send)

    assert server.sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]
    assert not begun.is_set()


async def test_its_own_client_is_closed_with_the_apps_life() -> None:
    opened: list[Usherd] = []

    def opening() -> Usherd:
        opened.append(Usherd())
        return opened[-1]

    async def app(inner: Any, receive: Any, send: Any) -> None:
        if inner["type"] == "lifespan":
            await asyncio.sleep(0.01)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    middleware = UsherMiddleware(app, opening)
    life = asyncio.create_task(middleware({"type": "lifespan"}, Server().receive, Server().send))
    for _ in range(2):
        await middleware(scope(), Server().receive, Server().send)
    await life

    assert [each.closed for each in opened] == [1]
    assert len(opened[0].asked) == 2


def test_each_event_loop_gets_a_client_of_its_own() -> None:
    opened: list[Usherd] = []

    def opening() -> Usherd:
        opened.append(Usherd())
        return opened[-1]

    async def app(inner: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": decision_of(inner).reason.encode()})

    middleware = UsherMiddleware(app, opening)
    servers = [Server(), Server()]
    for server in servers:
        asyncio.run(middleware(scope(), server.receive, server.send))

    assert [server.body for server in servers] == [b"ALLOWED", b"ALLOWED"]
    assert [len(each.asked) for each in opened] == [1, 1]


@pytest.mark.parametrize(
    ("changed", "route"),
    [
        ({}, "/v1/chat/completions"),
        ({"raw_path": ...}, "/v1/chat/completions"),
        ({"raw_path": b"/v1/chat%2Fcompletions"}, "/v1/chat%2Fcompletions"),
        ({"raw_path": b"/other"}, "/v1/chat/completions"),
        ({"path": "/a?b/../c", "raw_path": ...}, "/a%3Fb/../c"),
        ({"path": "/a%2F", "raw_path": ...}, "/a%252F"),
        ({"path": "/a#b", "raw_path": b"/a%23b"}, "/a%23b"),
        ({"path": "/a", "raw_path": b"/a?model=x"}, "/a"),
        ({"path": "/gateway/v1/models", "raw_path": b"/gateway/v1/models", "root_path": "/gateway"}, "/v1/models"),
        ({"path": "/gateways/v1", "raw_path": b"/gateways/v1", "root_path": "/gateway"}, "/gateways/v1"),
        ({"path": "/gateway", "raw_path": b"/gateway", "root_path": "/gateway/"}, "/"),
        ({"path": "/v1/models", "raw_path": b"/v1/models", "root_path": "/gateway"}, "/v1/models"),
    ],
)
def test_the_route_is_what_the_app_goes_by(changed: Any, route: str) -> None:
    assert path_of(scope(**changed)) == route


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
async def test_what_a_framework_was_sending_from_is_closed_at_once(spec: str) -> None:
    """What makes the answer, a model's completion, ends with it: it does not wait for a collection of garbage."""
    usherd, server, seen, sending = Usherd(), Server(), Seen(), asyncio.Event()

    async def unread(message: dict[str, Any]) -> None:
        if message.get("body") == CHUNK:
            sending.set()
            await asyncio.Event().wait()

    server.sending = unread
    inside = UsherMiddleware(starlette(seen), usherd)

    async def app(outer: Any, receive: Any, send: Any) -> None:
        await inside(outer | {"asgi": {"version": "3.0", "spec_version": spec}}, receive, send)

    server.requests = [{"type": "http.request", "body": STREAM}]
    gc.disable()
    try:
        running = asyncio.create_task(app(scope(), server.receive, server.send))
        async with asyncio.timeout(5):
            await sending.wait()
            usherd.no.set()
            await running
            del running
            await asyncio.sleep(0.1)
    finally:
        gc.enable()

    assert seen.closed == 1


async def test_a_watch_that_waits_for_its_first_decision_cuts_whatever_a_question_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.3)
    with FakeUsherd() as fake:
        fake.allow()

        async def app(_: Any, receive: Any, send: Any) -> None:
            # The question that let the request pass is answered, and the watch, which begins now, is not.
            fake.fall_silent()
            await streaming(b"data: 1\n\n")[0](_, receive, send)

        server = Server([{"type": "http.request", "body": STREAM}])
        async with asyncio.timeout(10), AsyncClient(fake.target) as usherd:
            await UsherMiddleware(app, usherd, deadline=30.0)(scope(), server.receive, server.send)

    assert error_of(server.sent[-1]["body"]) == "authorization_unavailable"
