"""A client of usherd that a test plays, and an ASGI server that remembers what it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import Any

from usher_client import Decision, Ended, Event, Principal


def decision(**changed: Any) -> Decision:
    """An allowance, changed."""
    nobody = {each.name: "" for each in fields(Principal)} | {"kind": "USER", "scopes": (), "roles": (), "claims": ()}
    values = {each.name: None for each in fields(Decision)} | {
        "allowed": True,
        "reason": "ALLOWED",
        "message": "Allowed.",
        "http_status": 200,
        "www_authenticate": "",
        "principal": Principal(is_admin=False, **{k: v for k, v in nobody.items() if k != "is_admin"}),
    }
    return Decision(**(values | changed))


DENIAL = decision(allowed=False, reason="TEAM_BLOCKED", message="M.", http_status=403)
ENDED = Ended(decision=DENIAL, cause="DIRECTORY")


@dataclass
class Usherd:
    """Answers what a test says; a watch lasts until `no` is set."""

    answer: Decision | BaseException = field(default_factory=decision)
    event: Event = ENDED
    faults: int = 0
    """So many watches end with a fault before one lasts."""
    no: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[dict[str, Any]] = field(default_factory=list)
    watches: int = 0
    open_watches: int = 0
    closed: int = 0
    fault: BaseException | None = None

    async def authorize(self, token: str, **wishes: Any) -> Decision:
        self.asked.append(wishes | {"token": token})
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def watch(self, token: str, **wishes: Any) -> Watch:
        self.watches += 1
        self.open_watches += 1
        return Watch(self)

    async def close(self) -> None:
        self.closed += 1


class Watch:
    def __init__(self, usherd: Usherd) -> None:
        self._usherd = usherd

    async def not_allowed(self) -> Event:
        if self._usherd.watches <= self._usherd.faults:
            assert self._usherd.fault is not None
            raise self._usherd.fault
        await self._usherd.no.wait()
        return self._usherd.event

    async def close(self) -> None:
        self._usherd.open_watches -= 1


@dataclass
class Server:
    """The server's side of one connection."""

    requests: list[dict[str, Any]] = field(default_factory=lambda: [{"type": "http.request", "body": b""}])
    sent: list[dict[str, Any]] = field(default_factory=list)
    sending: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    """Happens before a message is taken."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> dict[str, Any]:
        if self.requests:
            return self.requests.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if self.sending is not None:
            await self.sending(message)
        self.sent.append(dict(message))

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.sent)

    @property
    def whole(self) -> bool:
        return bool(self.sent) and not self.sent[-1].get("more_body", False)


def scope(path: str = "/v1/chat/completions", **changed: Any) -> dict[str, Any]:
    """A request with a token."""
    values = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer canary.token.value")],
    }
    return {name: value for name, value in (values | changed).items() if value is not ...}
