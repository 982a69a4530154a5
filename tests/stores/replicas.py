"""Processes that share a Valkey: what each of them has, opened for a test."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from keyring import key_pair
from stores.support import Events, Hands
from tools.valkey import Valkey
from usherd.stores.documents import Document
from usherd.stores.introspection import Endpoint, Introspection
from usherd.stores.key_sets import KeySets
from usherd.stores.key_sources import IssuerKeys
from usherd.stores.provider_cache import ProviderCaches, provider_caches
from usherd.stores.provider_http import provider_http
from usherd.stores.shared_cache import SharedCache, shared_cache

SECRET = b"what replicas share, of 32 bytes"
URL = "https://idp.example/keys"
DOCUMENT = Document(body=b'{"keys": []}', etag='"1"')
A, B = key_pair("P-256", "a"), key_pair("P-256", "b")


class Replicas:
    """Processes that share a Valkey, with one clock. Each has a memory of its own."""

    def __init__(self, valkey: Valkey, clock: Hands, stopwatch: Hands) -> None:
        self.valkey = valkey
        self.clock = clock
        self.stopwatch = stopwatch
        self.stack = AsyncExitStack()
        self.told: list[tuple[bool, dict[str, str | int]]] = []
        self.patience = 20.0
        """A busy machine must not look like an outage."""

    async def caches(self, secret: bytes = SECRET) -> ProviderCaches:
        """Those of another replica."""
        return await self.stack.enter_async_context(
            provider_caches(self.clock, self.stopwatch, self.valkey.url, secret, patience=self.patience)
        )

    async def shared(self, max_size: int = 1000) -> SharedCache:
        """The shared part alone."""
        return await self.stack.enter_async_context(
            shared_cache(
                self.valkey.url,
                SECRET,
                clock=self.clock,
                stopwatch=self.stopwatch,
                max_size=max_size,
                patience=self.patience,
                tell=lambda works, fields: self.told.append((works, dict(fields))),
            )
        )

    async def keys(self, *issuers: IssuerKeys, events: Events | None = None) -> KeySets:
        """Another replica's keys, loaded or known to be out of reach."""
        http = await self.stack.enter_async_context(provider_http(allow_loopback_http=True))
        documents = (await self.caches()).documents
        made = KeySets(
            issuers,
            http=http,
            cache=documents,
            stopwatch=self.stopwatch,
            chance=lambda: 1.0,
            on_event=events or Events(),
        )
        return await self.stack.enter_async_context(made.running())

    async def asking(self, url: str, **changes: Any) -> Introspection:
        """Another replica that asks an issuer."""
        endpoint = Endpoint(issuer="idp", digest="d", url=url, client_id="usherd", client_secret="s3cret", timeout=5.0)
        http = await self.stack.enter_async_context(provider_http(allow_loopback_http=True))
        made = Introspection(
            [replace(endpoint, **changes)],
            http=http,
            answers=(await self.caches()).answers,
            clock=self.clock,
            stopwatch=self.stopwatch,
        )
        return await self.stack.enter_async_context(made.running())
