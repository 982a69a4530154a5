"""A command asks a server and hears its decision or its fault, and nothing else."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tools.rpc_world import ALLOW, CANARY, Answers, decision, running
from usherd.domain import Effect, Question
from usherd.errors import Fault, InvalidRequest, KeysUnavailable, OutOfTime
from usherd.rpc.address import AddressUnusable
from usherd.rpc.dial import dial
from usherd.rpc.replies import Unreachable

QUESTION = Question(
    token=CANARY, route="/v1", method="POST", model="gpt-4o", fallback_models=("a",), team_id="t", end_user_id="e",
    modifies_guardrails=True,
)  # fmt: skip


async def test_a_question_arrives_as_it_was_asked_and_its_decision_comes_back() -> None:
    answers = Answers()
    async with running(answers) as server, dial(server.address) as client:
        got = await client.check(QUESTION, explain=True, at_least_as_fresh="store:3", request_id="r")

    assert answers.asked == [QUESTION]
    assert answers.told[0]["at_least"] == ("store", 3)
    assert got == decision(ALLOW, number=1)
    assert got.verdict.effect is Effect.ALLOW


async def test_a_fault_comes_back_as_itself() -> None:
    async with running(Answers(fault=KeysUnavailable())) as server, dial(server.address) as client:
        with pytest.raises(KeysUnavailable):
            await client.check(QUESTION)


async def test_an_invalid_request_comes_back_with_its_reason() -> None:
    async with running() as server, dial(server.address) as client:
        with pytest.raises(InvalidRequest, match=r"options\.request_id"):
            await client.check(QUESTION, request_id="\n")


async def test_a_server_that_does_not_answer_is_out_of_time() -> None:
    async def hang(question: object) -> None:
        await asyncio.Event().wait()

    async with running(Answers(then=hang)) as server, dial(server.address) as client:
        with pytest.raises(OutOfTime):
            await client.check(QUESTION, timeout=0.1)


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with dial(f"127.0.0.1:{nobody.getsockname()[1]}") as client:
            with pytest.raises(Unreachable) as raised:
                await client.check(QUESTION)

    assert str(raised.value) == "the server cannot be reached"
    assert raised.value.__context__ is None


FIELDS = ("token", "route", "method", "model", "fallback_models", "team_id", "end_user_id", "organization_id")


@pytest.mark.parametrize("field", FIELDS)
async def test_text_that_is_no_unicode_is_asked_as_text_that_is_denied(field: str) -> None:
    broken, refused = ("\ud800", "\x00") if field != "fallback_models" else (("a", "\ud800"), ("a", "\x00"))
    answers = Answers()
    async with running(answers) as server, dial(server.address) as client:
        got = await client.check(QUESTION._replace(**{field: broken}))

    assert answers.asked == [QUESTION._replace(**{field: refused})]
    assert got.verdict.effect is Effect.DENY


async def test_a_question_with_two_wishes_for_a_team_is_not_sent() -> None:
    answers = Answers()
    async with running(answers) as server, dial(server.address) as client:
        with pytest.raises(InvalidRequest):
            await client.check(QUESTION._replace(team_alias="both"))

    assert answers.asked == []


async def test_a_token_does_not_cross_a_network_in_clear() -> None:
    async with running() as server:
        port = server.address.rpartition(":")[2]
        async with dial(f"localhost.localdomain:{port}") as client:
            with pytest.raises(Fault):
                await client.check(QUESTION, timeout=1)

    with pytest.raises(AddressUnusable):
        async with dial("nonsense"):
            pass
