"""The fake usherd: what a test says is what a gateway hears, in every way that the real one has of saying it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from clients.asking import ROUTE, Ask, both_faces
from clients.faces import Opens, both_clients
from clients.told import differences
from tools.teller import Teller, teller
from usher_client import (
    AsyncClient,
    Changed,
    Client,
    DecisionCache,
    Ended,
    ListDenied,
    Model,
    NoLongerAllowed,
    Overloaded,
    Question,
    Unavailable,
    Unknown,
)
from usher_client.testing import FakeUsherd
from usher_client.testing.words import MESSAGES, http_status, www_authenticate
from usherd.reasons import ANSWERS

ROOMY = {"deadline": 30.0}


@pytest.fixture
def usherd() -> Iterator[FakeUsherd]:
    with FakeUsherd(models=("gpt-4o", "o3"), max_silence=1.5) as running:
        yield running


def test_its_words_are_those_of_the_daemon() -> None:
    assert {each.name: answer.message for each, answer in ANSWERS.items()} == MESSAGES
    for each, answer in ANSWERS.items():
        assert http_status(each) == answer.http_status
        assert www_authenticate(each.name, answer.http_status) == answer.www_authenticate


@both_faces
async def test_what_no_rule_is_about_is_denied(ask: Ask, usherd: FakeUsherd) -> None:
    denied = await ask(usherd.target, "authorize", "token", ROUTE)
    assert (denied.allowed, denied.reason, denied.http_status) == (False, "NOT_ENTITLED", 403)
    assert [each.token for each in usherd.asked] == ["token"]


@both_faces
async def test_the_last_rule_that_fits_counts(ask: Ask, usherd: FakeUsherd) -> None:
    usherd.allow(token="good", principal={"team_id": "blue", "kind": "SERVICE", "claims": {"a": "1"}})
    usherd.deny("MODEL_NOT_GRANTED", token="good", model="o3")
    usherd.fail("KEYS_UNAVAILABLE", token="far", retry_after=1.5)
    usherd.fail("", fault=Overloaded, token="much")

    allowed = await ask(usherd.target, "authorize", "good", ROUTE, "gpt-4o", fallback_models=["a"])
    denied = await ask(usherd.target, "authorize", "good", ROUTE, "o3")
    with pytest.raises(Unavailable) as fault:
        await ask(usherd.target, "authorize", "far", ROUTE)
    with pytest.raises(Overloaded, match=r"^too much work or too large$"):
        await ask(usherd.target, "authorize", "much", ROUTE)
    results = await ask(
        usherd.target, "batch_check", [Question(token=each, route=ROUTE) for each in ("good", "far", "none")]
    )

    assert (allowed.allowed, allowed.resolved_model, allowed.principal.team_id) == (True, "gpt-4o", "blue")
    assert (allowed.principal.kind, allowed.principal.claims) == ("SERVICE", (("a", "1"),))
    assert (denied.reason, denied.resolved_model) == ("MODEL_NOT_GRANTED", "")
    assert (fault.value.reason, fault.value.retry_after) == ("KEYS_UNAVAILABLE", 1.5)
    assert [each.reason for each in results] == ["ALLOWED", "KEYS_UNAVAILABLE", "NOT_ENTITLED"]
    assert [each.token for each in usherd.asked] == ["good", "good", "far", "much", "good", "far", "none"]
    assert usherd.asked[0].fallback_models == ("a",)


@both_faces
async def test_models_are_those_that_rules_allow(ask: Ask, usherd: FakeUsherd) -> None:
    usherd.allow(token="good", model="o3", resolved_model="o3-2025")
    assert await ask(usherd.target, "list_models", "good", ROUTE) == [Model(name="o3", resolved_model="o3-2025")]
    with pytest.raises(ListDenied):
        await ask(usherd.target, "list_models", "bad", ROUTE)


@both_clients
async def test_who_watches_hears_of_every_change(opens: Opens, usherd: FakeUsherd) -> None:
    usherd.allow(token="good")
    async with opens(usherd.target) as client:
        watch = client.watch("good", ROUTE, **ROOMY)
        assert (await watch.first()).allowed
        usherd.deny("TEAM_BLOCKED", token="good")
        blocked = await watch.next()
        usherd.deny("TEAM_BLOCKED", token="other")
        usherd.allow(token="good")
        lifted = await watch.next()
        usherd.lose_streams()
        usherd.end(token="good")
        ended = await watch.next()

        assert isinstance(blocked, Changed)
        assert (blocked.decision.reason, blocked.cause) == ("TEAM_BLOCKED", "DIRECTORY")
        assert isinstance(lifted, Changed)
        assert lifted.allowed
        # Lost before it ended: asked again it is a change, and then the end.
        if isinstance(ended, Changed):
            assert not ended.allowed
            ended = await watch.next()
        assert isinstance(ended, Ended)
        assert ended.decision.reason == "TOKEN_REVOKED"
        assert await watch.next() is None


@both_clients
async def test_a_fault_or_silence_becomes_unknown(opens: Opens, usherd: FakeUsherd) -> None:
    usherd.allow(token="good")
    async with opens(usherd.target) as client:
        watch = client.watch("good", ROUTE, **ROOMY)
        assert (await watch.first()).allowed
        usherd.fail("DIRECTORY_UNAVAILABLE", token="good")
        unknown = await watch.next()
        assert isinstance(unknown, Unknown)
        assert unknown.fault.reason == "DIRECTORY_UNAVAILABLE"

        usherd.allow(token="good")
        watch = client.watch("good", ROUTE, **ROOMY)
        assert (await watch.first()).allowed
        begun = time.monotonic()
        usherd.fall_silent()
        assert isinstance(await watch.next(), Unknown)
        assert 0.5 < time.monotonic() - begun < 10
        usherd.speak()


@both_clients
async def test_a_cache_is_served_by_it(opens: Opens, usherd: FakeUsherd) -> None:
    usherd.allow(token="good")
    async with opens(usherd.target, cache=DecisionCache()) as client:
        async with asyncio.timeout(10):
            while client.cache_statistics().hits == 0:  # type: ignore[union-attr]
                assert await client.authorize("good", ROUTE, **ROOMY)
                await asyncio.sleep(0.01)
        asked = len(usherd.asked)
        assert await client.authorize("good", ROUTE)
        assert len(usherd.asked) == asked
        usherd.deny("TEAM_BLOCKED", token="good")
        async with asyncio.timeout(5):
            while await client.authorize("good", ROUTE, **ROOMY):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert len(usherd.asked) == asked

        usherd.end(token="good")
        async with asyncio.timeout(5):
            while (await client.authorize("good", ROUTE, **ROOMY)).reason != "TOKEN_REVOKED":  # noqa: ASYNC110
                await asyncio.sleep(0.001)


async def test_a_guarded_stream_is_cut_by_a_rule(usherd: FakeUsherd) -> None:
    async def completion() -> Any:
        yield 1
        usherd.deny("TEAM_BLOCKED")
        await asyncio.sleep(3600)

    usherd.allow()
    async with AsyncClient(usherd.target) as client, client.watch("good", ROUTE, **ROOMY) as watch:
        with pytest.raises(NoLongerAllowed, match=r"no longer allowed \(TEAM_BLOCKED\)"):
            [chunk async for chunk in watch.guard(completion())]


def test_a_rule_that_is_wrong_is_told_where_it_is_given(usherd: FakeUsherd) -> None:
    with pytest.raises(TypeError, match="tokn"):
        usherd.allow(tokn="good")
    with pytest.raises(ValueError, match=r"TEAM_BLOKED: no Reason.*docs/reasons\.md"):
        usherd.deny("TEAM_BLOKED")
    with pytest.raises(ValueError, match=r"KEYS_AWAY: no FaultReason.*docs/reasons\.md"):
        usherd.fail("KEYS_AWAY")
    with pytest.raises(ValueError, match="ALLOWED"):
        usherd.deny("ALLOWED")
    with pytest.raises(ValueError, match="TEAM_BLOCKED"):
        usherd.allow(reason="TEAM_BLOCKED")
    with pytest.raises(ValueError, match="CAUSE"):
        usherd.deny("TEAM_BLOCKED", cause="WHIM")
    with pytest.raises(ValueError, match="tean"):
        usherd.allow(principal={"tean": "x"})
    with Client(usherd.target) as client:
        assert not client.authorize("good", ROUTE, **ROOMY)


# Every answer that a real usherd gives in the stories can be said by the fake as well.


@pytest.fixture(scope="module")
def server() -> Iterator[Teller]:
    with teller() as running:
        yield running


def test_it_can_say_whatever_stories_expect(server: Teller, usherd: FakeUsherd) -> None:
    asked, wrong = 0, []
    with Client(usherd.target) as client:
        for story in server.stories("models,limits")["stories"]:
            server.post(f"stories/{story['id']}/begin")
            for number in range(story["steps"]):
                step = server.post(f"stories/{story['id']}/steps/{number}")
                if step.get("changed") or not step["expect"]:
                    continue
                asked += 1
                expect = {name: value for name, value in step["expect"].items() if name not in ("models", "limits")}
                rule(usherd, step["ask"], expect)
                try:
                    answer: Any = client.authorize(**step["ask"], **ROOMY)
                except Unavailable as fault:
                    answer = fault
                wrong += [f"{story['id']}: {each}" for each in differences(expect, answer)]
                usherd.forget()
    assert wrong == []
    assert asked > 300


PRINCIPAL = {
    "kind": "kind",
    "issuer": "issuer",
    "subject": "subject",
    "client": "client",
    "user": "user_id",
    "email": "email",
    "directory_role": "directory_role",
    "admin": "is_admin",
    "roles": "roles",
    "scopes": "scopes",
    "team": "team_id",
    "team_alias": "team_alias",
    "organization": "organization_id",
    "end_user": "end_user_id",
}


def rule(usherd: FakeUsherd, ask: Mapping[str, Any], expect: Mapping[str, Any]) -> None:
    """Has the fake answer as it is expected."""
    question = {name: value for name, value in ask.items() if value not in ("", [], None, False)}
    principal = {to: expect[name] for name, to in PRINCIPAL.items() if expect.get(name)}
    principal["claims"] = {name: json.dumps(value) for name, value in (expect.get("claims") or {}).items()}
    if expect.get("fault"):
        usherd.fail(expect["fault"], **question)
    elif expect.get("effect") == "ALLOW" or expect.get("reason") in ("ALLOWED", "PUBLIC_ROUTE"):
        reason = expect.get("reason") or "ALLOWED"
        usherd.allow(reason=reason, resolved_model=expect.get("resolved_model"), principal=principal, **question)
    else:
        status = expect.get("http_status")
        usherd.deny(expect.get("reason", "NOT_ENTITLED"), http_status=status, principal=principal or None, **question)
