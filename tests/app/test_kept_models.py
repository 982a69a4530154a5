"""Models that a store keeps take part in answers: at once, on every replica, and without a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from commands import server
from tools.changing import ROUTE, Daemon
from tools.directory_world import Client as Directory
from tools.living_world import SERVICE, watch_request
from tools.waiting import until
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, event_pb2, question_pb2
from usher_client import Client
from usherd.rpc.dial import connected

LATE = 5.0
"""Seconds that a busy machine may take for what is a fraction of one."""
FAST = {"name": "gpt-5", "groups": ["fast"], "aliases": ["five"]}


class Catalogues(Daemon):
    """Daemons of one configuration and one store. Their team may use what is in the group `fast`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.write("directory.yaml", {"teams": [{"id": "red", "models": ["access-group/fast"]}]})
        self.configure(
            directory={"url": "sqlite:///usher.db", "seed": "directory.yaml"},
            telemetry={"log": "json"},
            models=[{"name": "gpt-4o", "aliases": ["big"]}],
        )
        self.stack = ExitStack()

    def start(self) -> tuple[str, Client]:
        _, address = self.stack.enter_context(server(self.folder / "usherd.yaml"))
        return address, self.stack.enter_context(Client(address))


@pytest.fixture(name="catalogues")
def _catalogues(tmp_path: Path) -> Iterator[Catalogues]:
    made = Catalogues(tmp_path)
    with made.stack:
        yield made


@asynccontextmanager
async def _directory(address: str) -> AsyncIterator[Directory]:
    async with connected(address) as connection:
        yield Directory(connection.channel)


def change(address: str, method: str, **fields: Any) -> None:
    async def call() -> None:
        async with _directory(address) as directory:
            await directory(method, **fields)

    asyncio.run(call())


def said(client: Client, token: str, model: str) -> tuple[str, str]:
    decision = client.authorize(token, ROUTE, model, deadline=10.0)
    return decision.reason, decision.resolved_model


def listed(client: Client, token: str) -> list[str]:
    return [model.name for model in client.list_models(token, ROUTE, deadline=10.0)]


def policy_of(client: Client, token: str) -> str:
    depends_on = client.authorize(token, ROUTE, "gpt-4o", deadline=10.0).wire.depends_on
    (digest,) = (each.id for each in depends_on if each.kind == decision_pb2.DEPENDENCY_KIND_POLICY)
    return digest


def test_models_are_granted_and_listed_on_every_replica_as_they_come_and_go(catalogues: Catalogues) -> None:
    (here, one), (_, other) = catalogues.start(), catalogues.start()
    token = catalogues.token()
    before = policy_of(one, token)
    assert said(one, token, "five")[0] == "MODEL_NOT_GRANTED"

    change(here, "CreateCatalogueModel", model=FAST)
    begun = time.monotonic()
    for client in (one, other):
        until(lambda client=client: said(client, token, "five") == ("ALLOWED", "gpt-5"))  # type: ignore[misc]
    assert time.monotonic() - begun < LATE
    # What is listed is what is granted, and no more.
    for client in (one, other):
        assert listed(client, token) == ["five", "gpt-5"]
        assert said(client, token, "gpt-5") == ("ALLOWED", "gpt-5")
    after = policy_of(one, token)
    assert after == policy_of(other, token) != before

    _, third = catalogues.start()
    assert (listed(third, token), policy_of(third, token)) == (["five", "gpt-5"], after)

    change(here, "UpdateCatalogueModel", model=FAST | {"aliases": []}, update_mask={"paths": ["aliases"]})
    for client in (one, other, third):
        until(lambda client=client: listed(client, token) == ["gpt-5"])  # type: ignore[misc]
        assert said(client, token, "five")[0] == "MODEL_NOT_GRANTED"

    change(here, "DeleteCatalogueModel", name="gpt-5")
    for client in (one, other, third):
        until(lambda client=client: policy_of(client, token) == before)  # type: ignore[misc]
        assert listed(client, token) == []


def test_the_configuration_wins_and_that_is_told(catalogues: Catalogues) -> None:
    with server(catalogues.folder / "usherd.yaml") as (_, address), Client(address) as client:
        token = catalogues.token()
        change(address, "CreateCatalogueModel", model={"name": "big", "groups": ["fast"]})
        told = catalogues.wait_for("model_left_aside")

        assert (told["model"], told["alias"], told["cause"]) == ("big", "", "configured")
        assert said(client, token, "big")[0] == "MODEL_NOT_GRANTED"


def test_a_reload_keeps_the_models_of_the_store(catalogues: Catalogues) -> None:
    with server(catalogues.folder / "usherd.yaml") as (_, address), Client(address) as client:
        token = catalogues.token()
        change(address, "CreateCatalogueModel", model=FAST)
        until(lambda: listed(client, token) == ["five", "gpt-5"])

        catalogues.configure(
            directory={"url": "sqlite:///usher.db"},
            telemetry={"log": "json"},
            models=[{"name": "gpt-4o", "groups": ["fast"]}],
        )
        catalogues.wait_for("reloaded")

        assert listed(client, token) == ["five", "gpt-4o", "gpt-5"]


async def test_a_living_decision_hears_that_its_alias_is_gone(catalogues: Catalogues) -> None:
    address, client = await asyncio.to_thread(catalogues.start)
    token = catalogues.token()
    async with connected(address) as connection:
        directory = Directory(connection.channel)
        await directory("CreateCatalogueModel", model=FAST)
        await asyncio.to_thread(until, lambda: said(client, token, "five")[0] == "ALLOWED")
        question = question_pb2.Question(token=token, route=ROUTE, method="POST", model="five")
        made = connection.channel.unary_stream(f"{SERVICE}/Authorize", None, api.AuthorizeResponse.FromString)
        stream = made(watch_request(question))
        async with asyncio.timeout(20):
            first = await stream.read()
            await directory("DeleteCatalogueModel", name="gpt-5")
            event = await stream.read()
            while event is not grpc.aio.EOF and event.WhichOneof("event") == "checkpoint":
                event = await stream.read()
        stream.cancel()

    assert first.decision.effect == decision_pb2.EFFECT_ALLOW
    assert event.WhichOneof("event") == "changed"
    assert (event.changed.cause, event.changed.decision.effect) == (event_pb2.CAUSE_POLICY, decision_pb2.EFFECT_DENY)
