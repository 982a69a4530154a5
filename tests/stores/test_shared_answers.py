"""Replicas share what issuers said of tokens through a real Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stores.replicas import Replicas
from tools.introspection_server import PATH, IntrospectionServer


@pytest.fixture(name="idp")
async def _idp() -> AsyncIterator[IntrospectionServer]:
    async with IntrospectionServer() as idp:
        yield idp


async def test_a_token_is_asked_about_once_for_all_replicas(replicas: Replicas, idp: IntrospectionServer) -> None:
    idp.issue("good", sub="alice")
    one, other = await replicas.asking(idp.url), await replicas.asking(idp.url)
    for token in ("good", "bad"):
        first, second = await one.ask("idp", token, 5.0), await other.ask("idp", token, 5.0)
        assert (first.active, dict(first.claims), first.until) == (second.active, dict(second.claims), second.until)

    assert idp.asked == ["good", "bad"]


async def test_a_shared_answer_counts_no_longer_than_it_would_have(
    replicas: Replicas, idp: IntrospectionServer
) -> None:
    idp.issue("good")
    one, other = await replicas.asking(idp.url), await replicas.asking(idp.url)
    await one.ask("idp", "good", 5.0)
    idp.revoke("good")
    replicas.clock.move(29.0)
    assert (await other.ask("idp", "good", 5.0)).active
    replicas.clock.move(1.0)

    assert not (await other.ask("idp", "good", 5.0)).active


async def test_what_was_said_under_other_settings_does_not_count(replicas: Replicas, idp: IntrospectionServer) -> None:
    idp.issue("good")
    await (await replicas.asking(idp.url)).ask("idp", "good", 5.0)
    await (await replicas.asking(idp.url, digest="other")).ask("idp", "good", 5.0)

    assert len(idp.asked) == 2


@pytest.mark.parametrize("outage", ["kill", "freeze"])
async def test_answers_are_got_while_nothing_can_be_shared(
    replicas: Replicas, idp: IntrospectionServer, outage: str
) -> None:
    idp.issue("good")
    replicas.patience = 1.0
    one = await replicas.asking(idp.url)
    await one.ask("idp", "other", 5.0)
    if outage == "kill":
        await replicas.valkey.kill()
    else:
        replicas.valkey.freeze()
    try:
        said = [await one.ask("idp", "good", 5.0) for _ in range(3)]
    finally:
        if outage == "freeze":
            replicas.valkey.thaw()

    assert [each.active for each in said] == [True] * 3
    assert idp.asked == ["other", "good"]


async def test_no_answer_is_made_of_a_yes_that_was_moved_to_another_token(
    replicas: Replicas, idp: IntrospectionServer
) -> None:
    idp.issue("good")
    one, other = await replicas.asking(idp.url), await replicas.asking(idp.url)
    await one.ask("idp", "good", 5.0)
    async with replicas.valkey.client() as client:
        (good,) = await client.keys("*")
        yes = await client.get(good)
        await one.ask("idp", "bad", 5.0)
        for name in await client.keys("*"):
            await client.set(name, yes)

    assert not (await other.ask("idp", "bad", 5.0)).active
    assert PATH in {request.path for request in idp.requests}
