"""Both clients as one that can be awaited, so that one test speaks for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Protocol

import pytest

from usher_client import AsyncClient, CacheStatistics, Client, Decision, Event
from usher_client.turns import Turns


class WatchFace(Protocol):
    """A watch."""

    allowed: bool

    def next(self) -> Awaitable[Event | None]:
        """The next event; None: there is none."""

    def first(self) -> Awaitable[Decision]: ...
    def not_allowed(self) -> Awaitable[Event]: ...
    def close(self) -> Awaitable[None]: ...


class Face(Protocol):
    """A client."""

    def authorize(self, *arguments: Any, **options: Any) -> Awaitable[Decision]: ...
    def watch(self, *arguments: Any, **options: Any) -> WatchFace: ...
    def cache_statistics(self) -> CacheStatistics | None: ...
    def close(self) -> Awaitable[None]: ...

    def watches(self) -> tuple[int, ...]:
        """The calls on each connection of what is watched."""

    turns: Turns


Opens = Callable[..., AbstractAsyncContextManager[Face]]


class _AsyncWatch:
    def __init__(self, watch: Any) -> None:
        self._watch = watch
        self.first, self.not_allowed, self.close = watch.first, watch.not_allowed, watch.close

    @property
    def allowed(self) -> bool:
        return bool(self._watch.allowed)

    async def next(self) -> Event | None:
        return await anext(self._watch, None)


class _SyncWatch:
    def __init__(self, watch: Any) -> None:
        self._watch = watch

    @property
    def allowed(self) -> bool:
        return bool(self._watch.allowed)

    async def next(self) -> Event | None:
        return await asyncio.to_thread(next, self._watch, None)

    async def first(self) -> Decision:
        return await asyncio.to_thread(self._watch.first)

    async def not_allowed(self) -> Event:
        return await asyncio.to_thread(self._watch.not_allowed)

    async def close(self) -> None:
        self._watch.close()


class _Async:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.authorize, self.cache_statistics, self.close = client.authorize, client.cache_statistics, client.close

    def watches(self) -> tuple[int, ...]:
        return self._client._watches.calls

    @property
    def turns(self) -> Turns:
        return self._client._watches.turns

    def watch(self, *arguments: Any, **options: Any) -> _AsyncWatch:
        return _AsyncWatch(self._client.watch(*arguments, **options))


class _Sync:
    def __init__(self, client: Client) -> None:
        self._client = client
        self.cache_statistics = client.cache_statistics

    async def authorize(self, *arguments: Any, **options: Any) -> Decision:
        return await asyncio.to_thread(partial(self._client.authorize, *arguments, **options))

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)

    def watches(self) -> tuple[int, ...]:
        return self._client._watches.calls

    @property
    def turns(self) -> Turns:
        return self._client._watches.turns

    def watch(self, *arguments: Any, **options: Any) -> _SyncWatch:
        return _SyncWatch(self._client.watch(*arguments, **options))


@asynccontextmanager
async def open_async(target: str, **options: Any) -> AsyncIterator[Any]:
    async with AsyncClient(target, **options) as client:
        yield _Async(client)


@asynccontextmanager
async def open_sync(target: str, **options: Any) -> AsyncIterator[Any]:
    client = Client(target, **options)
    try:
        yield _Sync(client)
    finally:
        await asyncio.to_thread(client.close)


both_clients = pytest.mark.parametrize("opens", [open_async, open_sync], ids=["async", "sync"])
