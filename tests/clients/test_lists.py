"""BatchCheck and ListModels, from both clients: what has no decision of its own is never an allowance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from clients.asking import ROUTE, TOKEN, Ask, both_faces
from clients.scripted import Script, allow, deny, serving
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import fault_pb2
from usher_client import BadAnswer, Client, InternalFault, ListDenied, Model, Question, Unavailable

Result = api.BatchCheckResponse.Result
QUESTIONS = [Question(route=ROUTE, model="a"), Question(route=ROUTE, model="b"), Question(route=ROUTE, token="other")]


def batch(*results: Result) -> tuple[bytes, ...]:
    return (api.BatchCheckResponse(results=results).SerializeToString(),)


@both_faces
async def test_results_stand_in_the_order_of_the_questions(ask: Ask) -> None:
    fault = fault_pb2.Fault(code=14, reason=40, retry_after=Duration(seconds=2))
    script = Script(
        batch(Result(id="0", decision=allow()), Result(id="1", decision=deny()), Result(id="2", fault=fault))
    )
    async with serving(script) as target:
        results = await ask(target, "batch_check", QUESTIONS, token=TOKEN)

    request = api.BatchCheckRequest.FromString(script.requests[0])
    assert [bool(each) for each in results] == [True, False, False]
    assert [each.allowed for each in results] == [True, False, False]
    assert (type(results[2]), results[2].reason, results[2].retry_after) == (Unavailable, "KEYS_UNAVAILABLE", 2.0)
    assert request.token == TOKEN
    assert [each.question.token for each in request.items] == ["", "", "other"]


@both_faces
async def test_what_is_no_text_does_not_cost_a_batch_its_answers(ask: Ask) -> None:
    odd: Any = 5
    script = Script(batch(Result(id="0", decision=deny()), Result(id="1", decision=allow())))
    async with serving(script) as target:
        results = await ask(
            target, "batch_check", [Question(route=ROUTE, model=odd, token=odd), Question(route=ROUTE)], token=odd
        )

    request = api.BatchCheckRequest.FromString(script.requests[0])
    assert [bool(each) for each in results] == [False, True]
    assert (request.token, request.items[0].question.token, request.items[0].question.model) == ("\x00",) * 3


@both_faces
@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (Result(id="0"), BadAnswer),
        (Result(id="0", decision=allow(effect=99)), BadAnswer),
        (Result(id="0", decision=allow(reason=0)), BadAnswer),
        (Result(id="0", fault=fault_pb2.Fault()), InternalFault),
        (Result(id="0", fault=fault_pb2.Fault(code=99, reason=99)), InternalFault),
    ],
    ids=["unset", "effect", "reason", "empty_fault", "fault_of_the_future"],
)
async def test_a_result_that_is_no_decision_is_a_falsy_fault(ask: Ask, result: Result, kind: type) -> None:
    async with serving(Script(batch(result))) as target:
        results = await ask(target, "batch_check", QUESTIONS[:1], token=TOKEN)

    assert [type(each) for each in results] == [kind]
    assert not any(results)


@both_faces
@pytest.mark.parametrize("ids", [[], ["0"], ["1", "0"], ["0", "0"], ["0", "1", "2"]], ids=str)
async def test_results_that_do_not_fit_the_questions_are_a_fault(ask: Ask, ids: list[str]) -> None:
    async with serving(Script(batch(*(Result(id=each, decision=allow()) for each in ids)))) as target:
        with pytest.raises(BadAnswer):
            await ask(target, "batch_check", QUESTIONS[:2], token=TOKEN)


@both_faces
@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_of_no_or_too_many_questions_is_refused(ask: Ask, count: int) -> None:
    with pytest.raises(ValueError, match="questions"):
        await ask("localhost:1", "batch_check", QUESTIONS[:1] * count)


def page(*names: str, after: str = "") -> bytes:
    models = [api.ListModelsResponse.Model(name=each, resolved_model=each.upper()) for each in names]
    return api.ListModelsResponse(models=models, next_page_token=after).SerializeToString()


class Turning(Script):
    """Answers each call with the next message."""

    async def play(self, request: bytes, context: Any, send: Callable[[bytes], Awaitable[None]]) -> None:
        self.requests.append(request)
        await send(self.messages[len(self.requests) - 1])


@both_faces
async def test_pages_are_turned_to_the_last(ask: Ask) -> None:
    script = Turning((page("a", "b", after="1"), page(after="2"), page("c")))
    async with serving(script) as target:
        models = await ask(target, "list_models", TOKEN, ROUTE)

    tokens = [api.ListModelsRequest.FromString(each).page_token for each in script.requests]
    assert models == [Model(name=each, resolved_model=each.upper()) for each in "abc"]
    assert tokens == ["", "1", "2"]


@both_faces
async def test_a_list_is_asked_for_with_all_of_its_question(ask: Ask) -> None:
    wishes = {"method": "POST", "team_id": "a", "end_user_id": "e", "organization_id": "o", "modifies_guardrails": True}
    script = Script((page("a"),))
    async with serving(script) as target:
        await ask(target, "list_models", TOKEN, ROUTE, **wishes)

    asked = api.ListModelsRequest.FromString(script.requests[0]).question
    assert {name: getattr(asked, name) for name in wishes} == wishes


@both_faces
@pytest.mark.parametrize("before", [(), (page("a", after="1"),)], ids=["at_once", "on_a_later_page"])
async def test_a_denied_list_is_no_empty_list(ask: Ask, before: tuple[bytes, ...]) -> None:
    answer = api.ListModelsResponse(denial=deny()).SerializeToString()
    async with serving(Turning((*before, answer))) as target:
        with pytest.raises(ListDenied) as caught:
            await ask(target, "list_models", TOKEN, ROUTE)

    assert caught.value.decision.reason == "TOKEN_EXPIRED"


@both_faces
@pytest.mark.parametrize(
    "answer",
    [
        api.ListModelsResponse(denial=allow()).SerializeToString(),
        api.ListModelsResponse(denial=deny(), models=[api.ListModelsResponse.Model(name="a")]).SerializeToString(),
        b"\xff",
        page("a", after="again"),
    ],
    ids=["denial_that_allows", "denial_with_models", "undecodable", "same_page_for_ever"],
)
async def test_a_list_that_is_none_is_a_fault(ask: Ask, answer: bytes) -> None:
    async with serving(Script((answer,))) as target:
        with pytest.raises(BadAnswer):
            await ask(target, "list_models", TOKEN, ROUTE)


def test_arguments_are_checked_before_anything_is_sent() -> None:
    with Client("localhost:1") as client:
        with pytest.raises(ValueError, match="deadline"):
            client.batch_check(QUESTIONS, deadline=0)
        with pytest.raises(ValueError, match="deadline"):
            next(client.list_models(TOKEN, ROUTE, deadline=0))
