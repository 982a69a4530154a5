"""The middleware: asks, lets pass or answers, and watches what is streamed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final

from usher.v1 import reason_pb2
from usher_client.asgi.answering import Answered, answer_http, refuse_handshake
from usher_client.asgi.bodies import ClientGone, read_body, replayed
from usher_client.asgi.cutting import HttpCut, WebSocketCut, run_until_cut
from usher_client.asgi.protocol import App, Receive, Scope, Send
from usher_client.asgi.scopes import KEY, path_of, texts_of, wanted_headers, without_identity
from usher_client.decision import Decision
from usher_client.faults import UsherFault
from usher_client.gateway.asks import Watching
from usher_client.gateway.connecting import Connection, Usherd
from usher_client.gateway.telling import Telling
from usher_client.gateway.watching import Watched
from usher_client.http.credential import read_credential
from usher_client.http.errors import denial_answer, fault_answer, refusal_answer
from usher_client.http.json_members import LARGE
from usher_client.http.reading import Headers, Reading, RequestRefused
from usher_client.http.request import Asked, read_handshake, read_request, route_of
from usher_client.questions import DEFAULT_DEADLINE, checked_deadline

_log: Final = logging.getLogger("usher_client")
_USUAL: Final = Reading()
_OF_TOKENS: Final = frozenset(
    name.removeprefix("REASON_") for name, number in reason_pb2.Reason.items() if 10 <= number < 50
)
"""Reasons why a token is no good, whatever it is to be good for."""


class UsherMiddleware:
    """Asks usherd before the app sees a request.

    `usherd` is a target on this machine, an `AsyncClient` of the running event loop, or a function that opens one (with
    credentials, with a cache): that is called in the loop, and the client closed when the app's lifespan ends.
    `reading` says where requests carry what. `unasked` are paths that nobody is asked about, whole and as they are
    sent, for the app's own health. `deadline` is that of each question, in seconds. Raises ValueError.
    """

    def __init__(
        self,
        app: App,
        usherd: Usherd,
        *,
        reading: Reading = _USUAL,
        unasked: Collection[str] = (),
        deadline: float = DEFAULT_DEADLINE,
    ) -> None:
        if isinstance(unasked, str) or not all(each.startswith("/") for each in unasked):
            raise ValueError("unasked: expected a collection of paths")
        self._app = app
        self._connection = Connection(usherd)
        self._reading = reading
        self._wanted = wanted_headers(reading)
        self._unasked = frozenset(unasked)
        self._deadline = checked_deadline(deadline)
        self._telling = Telling()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection of ASGI. Raises ValueError for a kind of connection that it cannot ask about."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)
            case "lifespan":
                try:
                    await self._app(scope, receive, send)
                finally:
                    await self._connection.close()
            case _:
                raise ValueError("expected a scope of type http, websocket or lifespan")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = without_identity(scope)
        path = path_of(scope)
        if path in self._unasked:
            await self._app(inner, receive, send)
            return
        try:
            token, asked, receive = await self._read(path, inner, receive)
            inner[KEY] = await self._decide(token, asked)
        except Answered as answered:
            await answer_http(answered.answer, send)
            return
        except ClientGone:
            return
        cut = HttpCut(send, at_once=asked.stream)
        await run_until_cut(partial(self._app, inner, receive, cut.send), cut, self._watched(token, asked))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = without_identity(scope)
        path = path_of(scope)
        if path in self._unasked:
            await self._app(inner, receive, send)
            return
        headers = texts_of(inner, self._wanted)
        asked = read_handshake(path, scope.get("query_string", b""), headers, self._reading)
        try:
            # Over HTTP/2 no header says that it is a websocket, with which a page of anybody may act by a cookie.
            token = self._credential("CONNECT", headers)
            inner[KEY] = await self._decide(token, asked)
        except Answered as answered:
            await receive()
            await refuse_handshake(answered.answer, scope, send)
            return
        cut = WebSocketCut(send)
        await run_until_cut(partial(self._app, inner, receive, cut.send), cut, self._watched(token, asked))

    async def _read(self, path: str, scope: Scope, receive: Receive) -> tuple[str, Asked, Receive]:
        """The token, what is asked for, and the app's way to the body. Raises Answered and ClientGone."""
        headers = texts_of(scope, self._wanted)
        token = self._credential(scope["method"], headers)

        async def large() -> None:
            await self._refuse_strangers(
                token, Asked(route=route_of(path, self._reading.base_path), method=scope["method"])
            )

        try:
            body = await read_body(receive, scope["headers"], self._reading.max_body, large)
        except RequestRefused as refused:
            raise Answered(refusal_answer(refused.code)) from None
        target = path + "?" + scope.get("query_string", b"").decode("latin-1")
        read = partial(read_request, scope["method"], target, headers, body, self._reading)
        asked = read() if len(body) <= LARGE else await asyncio.to_thread(read)
        return token, asked, replayed(body, receive)

    def _credential(self, method: str, headers: Headers) -> str:
        try:
            return read_credential(method, headers, self._reading).token
        except RequestRefused as refused:
            raise Answered(refusal_answer(refused.code)) from None

    async def _refuse_strangers(self, token: str, asked: Asked) -> None:
        """Raises Answered where the token is no good, whatever it is that it is to be good for, or nobody knows."""
        decision = await self._answer(token, asked)
        if decision.allowed is not True and decision.reason in _OF_TOKENS:
            raise Answered(denial_answer(decision))

    async def _decide(self, token: str, asked: Asked) -> Decision:
        """The decision, which allows the request. Raises Answered."""
        decision = await self._answer(token, asked)
        if decision.allowed is not True:
            raise Answered(denial_answer(decision))
        return decision

    async def _answer(self, token: str, asked: Asked) -> Decision:
        try:
            return await self._connection.client().authorize(token, deadline=self._deadline, **asked.wishes())
        except UsherFault as fault:
            self._telling.no_decision(fault)
            answer = fault_answer(fault)
        except Exception as error:
            # A bug, or a client of another event loop: whatever it is, it is no decision. Its text may have anything.
            _log.error("no decision: %s", type(error).__name__)
            answer = fault_answer()
        raise Answered(answer)

    def _watched(self, token: str, asked: Asked) -> Watched:
        def opened(deadline: float) -> Watching:
            return self._connection.client().watch(token, deadline=deadline, **asked.wishes())

        return Watched(opened, self._deadline, self._telling)


def decision_of(scope: Mapping[str, Any]) -> Decision:
    """The decision that let this request pass; `scope` may be a request of Starlette's as well.

    Raises LookupError where nobody was asked: without the middleware, or on a path that is `unasked`.
    """
    decision = scope.get(KEY)
    if not isinstance(decision, Decision) or decision.allowed is not True:
        raise LookupError("usherd was not asked about this request")
    return decision
