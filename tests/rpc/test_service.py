"""What callers may rely on, over a real connection."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import grpc
import pytest

from tools.rpc_world import (
    ALLOW,
    QUESTION,
    SERVICE,
    Answers,
    call,
    calling,
    check_bytes,
    decision,
    ended,
    running,
)
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, question_pb2
from usherd import errors
from usherd.errors import Fault, FaultReason, InvalidRequest
from usherd.rpc import answers
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.service import AuthorizationService

OK = grpc.StatusCode.OK


async def test_the_first_message_of_the_stream_is_checks_decision() -> None:
    async with running() as server, calling(server) as channel:
        unary = api.CheckResponse.FromString((await call(channel, "Check", check_bytes())).answer)
        stream = channel.unary_stream(
            f"{SERVICE}/Authorize",
            request_serializer=api.AuthorizeRequest.SerializeToString,
            response_deserializer=api.AuthorizeResponse.FromString,
        )(api.AuthorizeRequest(question=QUESTION, mode=api.MODE_ONCE), timeout=10)
        messages = [message async for message in stream]
        ended = await stream.code()

    assert ended is OK
    assert [message.terms.mode for message in messages] == [api.MODE_ONCE]
    first = messages[0].decision
    assert first.decision_id != unary.decision.decision_id
    first.decision_id = unary.decision.decision_id
    assert first == unary.decision
    assert first.effect == decision_pb2.EFFECT_ALLOW


async def test_a_stream_without_a_decision_ends_with_the_fault() -> None:
    async with running(Answers(fault=errors.KeysUnavailable())) as server, calling(server) as channel:
        stream = channel.unary_stream(f"{SERVICE}/Authorize")(check_bytes(), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stream.read()

    assert ended(raised.value).reason == "KEYS_UNAVAILABLE"


async def test_options_reach_the_authorizer() -> None:
    answers = Answers()
    async with running(answers) as server, calling(server) as channel:
        await call(channel, "Check", check_bytes(explain=True, at_least_as_fresh="store:3"), timeout=1)

    assert answers.told[0]["explain"] is True
    assert answers.told[0]["at_least"] == ("store", 3)
    patience = answers.told[0]["patience"]
    assert isinstance(patience, float)
    assert 0 < patience < 1


@pytest.mark.parametrize("method", ["Authorize", "Check", "BatchCheck"])
async def test_a_caller_that_may_not_see_explanations_is_told_so(method: str) -> None:
    options = api.Options(explain=True)
    requests = {
        "Authorize": api.AuthorizeRequest(question=QUESTION, options=options),
        "Check": api.CheckRequest(question=QUESTION, options=options),
        "BatchCheck": api.BatchCheckRequest(
            items=[api.BatchCheckRequest.Item(id="a", question=QUESTION)], options=options
        ),
    }
    async with running(may_explain=False) as server, calling(server) as channel:
        outcome = await call(channel, method, requests[method].SerializeToString())

    assert (outcome.code, outcome.reason) == (grpc.StatusCode.PERMISSION_DENIED, "EXPLANATION_NOT_ALLOWED")


@pytest.mark.parametrize("mode", [3, 4, -1])
async def test_an_unknown_mode_is_invalid(mode: int) -> None:
    request = api.AuthorizeRequest(question=QUESTION)
    request.mode = mode  # type: ignore[assignment]
    async with running() as server, calling(server) as channel:
        outcome = await call(channel, "Authorize", request.SerializeToString())

    assert (outcome.code, outcome.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MODE_UNKNOWN")


@pytest.mark.parametrize(
    "fault",
    [
        InvalidRequest(FaultReason.PAGE_INVALID),
        errors.Precondition(),
        errors.KeysUnavailable(),
        errors.RevisionNotReached(),
        errors.Overloaded(),
        errors.InternalFault(),
    ],
    ids=lambda fault: fault.reason.name,
)
async def test_a_fault_of_the_authorizer_ends_the_call_with_it(fault: Fault) -> None:
    async with running(Answers(fault=fault)) as server, calling(server) as channel:
        outcome = await call(channel, "Check", check_bytes())

    assert (outcome.code.value[0], outcome.details) == (fault.code, fault.message)
    assert (outcome.reason, outcome.domain) == (fault.reason.name, "usher.v1")
    assert outcome.retry_after == fault.retry_after


async def test_a_batch_answers_each_item_in_its_place() -> None:
    async def keys_of_b_are_gone(question: object) -> None:
        if getattr(question, "route", "") == "/b":
            raise errors.KeysUnavailable

    request = api.BatchCheckRequest(token="shared")
    for route in ("/a", "/b", "/c"):
        request.items.add(id=f"id{route}", question=question_pb2.Question(route=route))
    answers = Answers(then=keys_of_b_are_gone)
    async with running(answers) as server, calling(server) as channel:
        outcome = await call(channel, "BatchCheck", request.SerializeToString())

    results = api.BatchCheckResponse.FromString(outcome.answer).results
    assert [(each.id, each.WhichOneof("result")) for each in results] == [
        ("id/a", "decision"),
        ("id/b", "fault"),
        ("id/c", "decision"),
    ]
    assert {question.token for question in answers.asked} == {"shared"}


async def test_a_batch_weighs_as_many_calls_as_it_has_items() -> None:
    release = asyncio.Event()

    async def wait(question: object) -> None:
        await release.wait()

    request = api.BatchCheckRequest(token="shared")
    for number in range(3):
        request.items.add(id=str(number), question=question_pb2.Question())
    limits = Limits(concurrency=3, queue_time=0.01)
    async with running(Answers(then=wait), limits=limits) as server, calling(server) as channel:
        batch = asyncio.create_task(call(channel, "BatchCheck", request.SerializeToString()))
        await asyncio.sleep(0.1)
        refused = await call(channel, "Check", check_bytes())
        release.set()
        finished = await batch

    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert finished.code is OK


async def _list(
    channel: grpc.aio.Channel,
    page_token: str = "",
    *,
    size: int = 2,
    route: str = "/v1",
    token: str = "t",
    guardrails: bool = False,
) -> object:
    asked = question_pb2.Question(token=token, route=route, modifies_guardrails=guardrails)
    request = api.ListModelsRequest(question=asked, page_size=size, page_token=page_token)
    outcome = await call(channel, "ListModels", request.SerializeToString())
    return api.ListModelsResponse.FromString(outcome.answer) if outcome.code is OK else outcome.reason


async def test_pages_of_models_follow_each_other_to_the_end() -> None:
    names = tuple(f"model-{number}" for number in range(5))
    listed: list[str] = []
    pages = 0
    async with running(Answers(names=names)) as server, calling(server) as channel:
        token = ""
        while pages == 0 or token:
            page = await _list(channel, token)
            assert isinstance(page, api.ListModelsResponse)
            listed += [model.name for model in page.models]
            token = page.next_page_token
            pages += 1

    assert (tuple(listed), pages) == (names, 3)


async def test_a_page_token_is_good_for_its_question_and_revision_only() -> None:
    answers = Answers(names=("a", "b", "c"))
    async with running(answers) as server, calling(server) as channel:
        page = await _list(channel)
        assert isinstance(page, api.ListModelsResponse)
        token = page.next_page_token
        forged = [token[:-1], token + "A", "A" + token, token[::-1], "x", "é", "A" * 4000, token + "=", token[:24]]
        refused = [await _list(channel, each) for each in forged]
        refused += [await _list(channel, token, route="/v2"), await _list(channel, token, token="t2")]
        refused += [await _list(channel, token, guardrails=True)]
        refused += [await _list(channel, size=size) for size in (-1, 1001)]
        again = await _list(channel, token)
        answers.revision = "store:8"
        refused.append(await _list(channel, token))

    assert isinstance(again, api.ListModelsResponse)
    assert [model.name for model in again.models] == ["c"]
    assert set(map(str, refused)) == {"PAGE_INVALID"}


async def test_a_question_denied_whatever_the_model_lists_nothing_and_says_why() -> None:
    async with running(Answers(names=("a",))) as server, calling(server) as channel:
        page = await _list(channel, size=0, route="\x00")

    assert isinstance(page, api.ListModelsResponse)
    assert (list(page.models), page.denial.effect) == ([], decision_pb2.EFFECT_DENY)


def test_verdicts_of_an_authorizer_that_answers_no_more_are_not_kept() -> None:
    limits = Limits()
    service = AuthorizationService(Answers(), limits=limits, gate=Gate(limits))
    kept = replace(ALLOW)
    answers.check_response(decision(kept), keep=True)
    held = sys.getrefcount(kept)

    service.answer_with(Answers())

    assert sys.getrefcount(kept) == held - 1
