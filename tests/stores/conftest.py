"""Fixtures for key sets: a provider and a Valkey on loopback, and clocks that stand still until told otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stores.asking import Asking
from stores.directories import Open, kept, memory
from stores.replicas import Replicas
from stores.support import Events, Hands, RunKeySets
from tools.key_server import KeyServer
from tools.postgres import Postgres
from tools.valkey import Valkey
from usherd.stores.key_sets import KeySets
from usherd.stores.key_sources import IssuerKeys
from usherd.stores.provider_cache import DocumentCache
from usherd.stores.provider_http import provider_http


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[KeyServer]:
    async with KeyServer() as server:
        yield server


@pytest.fixture(name="stopwatch")
def _stopwatch() -> Hands:
    return Hands(now=1000.0)


@pytest.fixture(name="clock")
def _clock() -> Hands:
    return Hands()


@pytest.fixture(name="events")
def _events() -> Events:
    return Events()


@pytest.fixture(name="cache")
def _cache(clock: Hands) -> DocumentCache:
    return DocumentCache(clock)


@pytest.fixture(name="run")
def _run(stopwatch: Hands, events: Events, cache: DocumentCache) -> RunKeySets:
    @asynccontextmanager
    async def run(
        *issuers: IssuerKeys, first_loads_patience: float = 10.0, before: KeySets | None = None
    ) -> AsyncIterator[KeySets]:
        async with provider_http(allow_loopback_http=True) as http:
            key_sets = KeySets(
                issuers,
                http=http,
                cache=cache,
                stopwatch=stopwatch,
                on_event=events,
                chance=lambda: 1.0,
                before=before,
            )
            async with key_sets.running(first_loads_patience) as keys:
                yield keys

    return run


@pytest.fixture(name="open_directory", params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def _open_directory(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "memory":
        return memory
    if request.param == "sqlite":
        return kept(lambda: f"sqlite:///{tmp_path}/directory.db")
    postgres: Postgres = request.getfixturevalue("postgres")
    return kept(postgres.new_database)


@pytest.fixture(name="postgres", scope="session")
def _postgres() -> Iterator[Postgres]:
    with Postgres() as postgres:
        yield postgres


@pytest.fixture(name="valkey")
async def _valkey() -> AsyncIterator[Valkey]:
    async with Valkey() as valkey:
        yield valkey


@pytest.fixture(name="replicas")
async def _replicas(valkey: Valkey, clock: Hands, stopwatch: Hands) -> AsyncIterator[Replicas]:
    replicas = Replicas(valkey, clock, stopwatch)
    async with replicas.stack:
        yield replicas


@pytest.fixture(name="asking")
async def _asking(clock: Hands, stopwatch: Hands) -> AsyncIterator[Asking]:
    asking = Asking(clock, stopwatch)
    async with asking.server, asking.stack:
        yield asking
