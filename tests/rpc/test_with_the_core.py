"""The edge and the core agree: what the edge passes on is denied by the core, and both calls say the same."""

from __future__ import annotations

import grpc
import pytest

from tools.rpc_world import call, calling, running
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, question_pb2, reason_pb2
from usherd.domain import Question
from usherd.facts import User
from usherd.options import LITELLM
from usherd.policy import RouteRules
from usherd.rpc.limits import Limits
from worlds import CATALOGUE, CHAT, World, policy

CLAIMS = {"roles": ["Reader"]}


def _wire(question: Question) -> question_pb2.Question:
    return question_pb2.Question(
        token=question.token, route=question.route, method="POST", model=question.model, fallback_models=["gpt-4o-mini"]
    )


def _broken(number: int) -> bytes:
    return bytes([number << 3 | 2, 2, 0xFF, 0xFE])


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (1, "TOKEN_MALFORMED"),
        (2, "ROUTE_AMBIGUOUS"),
        (3, "METHOD_INVALID"),
        (4, "MODEL_INVALID"),
        (5, "MODEL_INVALID"),
        (6, "TEAM_NOT_ALLOWED"),
        (7, "TEAM_NOT_ALLOWED"),
        (8, "END_USER_INVALID"),
        (9, "ORGANIZATION_MISMATCH"),
    ],
)
async def test_text_that_is_not_utf8_is_denied_by_the_core_for_each_field(number: int, reason: str) -> None:
    world = World()
    # The later value of a field wins, and a list gets one more.
    question = _wire(world.question(claims=CLAIMS)).SerializeToString() + _broken(number)
    request = b"\x0a" + bytes([len(question) & 0x7F | 0x80, len(question) >> 7]) + question
    async with running(world.authorizer) as server, calling(server) as channel:
        outcome = await call(channel, "Check", request)

    decision = api.CheckResponse.FromString(outcome.answer).decision
    assert decision.effect == decision_pb2.EFFECT_DENY
    assert reason_pb2.Reason.Name(decision.reason) == f"REASON_{reason}"


async def test_a_route_that_is_not_utf8_is_denied_where_routes_are_not_looked_at_too() -> None:
    # What stands in its place is no route of the language models, which need an end user here.
    rules = RouteRules(llm=(CHAT,), llm_within=("/bedrock",), end_user_required=True)
    world = World(policy=policy(options=LITELLM, routes=rules), users=(User(id="alice"),))
    whole = _wire(world.question(claims={}, route="/bedrock/model/x/invoke"))
    broken = whole.SerializeToString() + bytes([2 << 3 | 2, 10]) + b"/bedrock/\xff"
    async with running(world.authorizer) as server, calling(server) as channel:
        reasons = []
        for question in (whole.SerializeToString(), broken):
            request = b"\x0a" + bytes([len(question) & 0x7F | 0x80, len(question) >> 7]) + question
            decision = api.CheckResponse.FromString((await call(channel, "Check", request)).answer).decision
            reasons.append(reason_pb2.Reason.Name(decision.reason).removeprefix("REASON_"))

    assert reasons == ["END_USER_REQUIRED", "ROUTE_AMBIGUOUS"]


@pytest.mark.parametrize("claims", [CLAIMS, {}, {"exp": 1}, {"roles": ["Reader"], "aud": "else"}], ids=str)
async def test_every_call_gives_the_same_verdict(claims: dict[str, object]) -> None:
    world = World()
    asked = _wire(world.question(claims=claims))
    items = [api.BatchCheckRequest.Item(id="a", question=asked)]
    async with running(world.authorizer) as server, calling(server) as channel:
        check = await call(channel, "Check", api.CheckRequest(question=asked).SerializeToString())
        authorize = await call(channel, "Authorize", api.AuthorizeRequest(question=asked).SerializeToString())
        batch = await call(channel, "BatchCheck", api.BatchCheckRequest(items=items).SerializeToString())

    decisions = [
        api.CheckResponse.FromString(check.answer).decision,
        api.AuthorizeResponse.FromString(authorize.answer).decision,
        api.BatchCheckResponse.FromString(batch.answer).results[0].decision,
    ]
    for decision in decisions:
        decision.ClearField("decision_id")
    assert decisions[0] == decisions[1] == decisions[2]
    assert decisions[0].effect != decision_pb2.EFFECT_UNSPECIFIED


async def test_the_same_bytes_get_the_same_verdict_however_often_and_with_whatever_options() -> None:
    world = World()
    question = _wire(world.question(claims=CLAIMS))
    revision = api.CheckResponse.FromString
    outcomes = []
    async with running(world.authorizer, may_explain=True) as server, calling(server) as channel:
        for options in (None, None, None, api.Options(request_id="r"), api.Options(explain=True), None):
            for method, kind in (("Check", api.CheckRequest), ("Authorize", api.AuthorizeRequest)):
                request = kind(question=question, options=options).SerializeToString()
                outcomes.append((method, options, await call(channel, method, request)))

    read = {"Check": revision, "Authorize": api.AuthorizeResponse.FromString}
    decisions = [read[method](outcome.answer).decision for method, _, outcome in outcomes]
    assert [each.HasField("explanation") for each in decisions] == [
        options is not None and options.explain for _, options, _ in outcomes
    ]
    assert len({each.decision_id for each in decisions}) == len(decisions)
    for each in decisions:
        each.ClearField("decision_id")
        each.ClearField("explanation")
    assert all(each == decisions[0] for each in decisions)
    assert decisions[0].effect == decision_pb2.EFFECT_ALLOW


async def test_a_revision_that_is_not_reached_is_waited_for_even_when_the_answer_is_at_hand() -> None:
    world = World()
    question = _wire(world.question(claims=CLAIMS))
    async with running(world.authorizer, limits=Limits(deadline=1.0)) as server, calling(server) as channel:
        for _ in range(3):
            await call(channel, "Check", api.CheckRequest(question=question).SerializeToString())
        fresher = api.CheckRequest(question=question, options=api.Options(at_least_as_fresh="store:2"))
        outcome = await call(channel, "Check", fresher.SerializeToString())

    assert outcome.reason == "REVISION_NOT_REACHED"


async def test_the_list_is_what_check_allows() -> None:
    world = World()
    question = world.question(claims=CLAIMS)
    listed = set()
    allowed = set()
    async with running(world.authorizer) as server, calling(server) as channel:
        token = ""
        while True:
            request = api.ListModelsRequest(
                question=question_pb2.Question(token=question.token, route=CHAT), page_size=1, page_token=token
            )
            outcome = await call(channel, "ListModels", request.SerializeToString())
            assert outcome.code is grpc.StatusCode.OK
            page = api.ListModelsResponse.FromString(outcome.answer)
            listed |= {model.name for model in page.models}
            token = page.next_page_token
            if not token:
                break
        for name in {name for model in CATALOGUE for name in (model.name, *model.aliases)}:
            asked = question_pb2.Question(token=question.token, route=CHAT, model=name)
            outcome = await call(channel, "Check", api.CheckRequest(question=asked).SerializeToString())
            if api.CheckResponse.FromString(outcome.answer).decision.effect == decision_pb2.EFFECT_ALLOW:
                allowed.add(name)

    assert listed == allowed
    assert listed
