"""An issuer, and somebody who asks it about tokens."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from stores.support import Hands
from tools.introspection_server import IntrospectionServer
from usherd.errors import IntrospectionUnavailable
from usherd.ports import Introspected
from usherd.stores.introspection import Endpoint, Introspection, IntrospectionEvent
from usherd.stores.provider_cache import provider_caches
from usherd.stores.provider_http import provider_http

TOKEN = "opaque-1"


class Asking:
    """An issuer and somebody who asks it."""

    def __init__(self, clock: Hands, stopwatch: Hands) -> None:
        self.clock = clock
        self.stopwatch = stopwatch
        self.server = IntrospectionServer()
        self.events: list[tuple[IntrospectionEvent, dict[str, str | int]]] = []
        self.stack = AsyncExitStack()

    async def open(self, **changes: Any) -> Introspection:
        """Somebody who asks, with nothing known yet."""
        endpoint = Endpoint(
            issuer="idp", digest="d", url=self.server.url, client_id="usherd", client_secret="s3cret", timeout=5.0
        )
        http = await self.stack.enter_async_context(provider_http(allow_loopback_http=True, kept=4))
        caches = await self.stack.enter_async_context(provider_caches(self.clock, self.stopwatch))
        made = Introspection(
            [replace(endpoint, **changes)],
            http=http,
            answers=caches.answers,
            clock=self.clock,
            stopwatch=self.stopwatch,
            on_event=self._hear,
            chance=lambda: 1.0,
        )
        return await self.stack.enter_async_context(made.running())

    def _hear(self, event: IntrospectionEvent, fields: Mapping[str, str | int]) -> None:
        self.events.append((event, dict(fields)))


async def ask(asked: Introspection, token: str = TOKEN, patience: float = 5.0) -> Introspected:
    return await asked.ask("idp", token, patience)


async def fails(asked: Introspection, token: str = TOKEN, patience: float = 5.0) -> bool:
    try:
        await ask(asked, token, patience)
    except IntrospectionUnavailable:
        return True
    return False
