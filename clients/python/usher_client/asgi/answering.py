"""Answers in the app's place."""

from __future__ import annotations

from typing import Final

from usher_client.asgi.protocol import Scope, Send
from usher_client.http.errors import HttpAnswer

POLICY_VIOLATION: Final = 1008
TRY_AGAIN_LATER: Final = 1013
_DENIAL_RESPONSE: Final = "websocket.http.response"


class Answered(Exception):
    """A request is answered in the app's place."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


async def answer_http(answer: HttpAnswer, send: Send, kind: str = "http.response") -> None:
    """Sends a whole answer."""
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": answer.body, "more_body": False})


async def refuse_handshake(answer: HttpAnswer, scope: Scope, send: Send) -> None:
    """Answers a websocket's handshake; servers that cannot say why say 403."""
    if _DENIAL_RESPONSE in (scope.get("extensions") or {}):
        await answer_http(answer, send, _DENIAL_RESPONSE)
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
