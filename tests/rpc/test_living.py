"""What clients of living decisions see on the wire: a real server, a real directory, real tokens."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from tools.caller_world import CREDENTIAL, OTHER, rule
from tools.living_core import Revoked
from tools.living_world import TEAMS, Watching, subscribe_request, watch_request, watching
from tools.rpc_world import CANARY, SERVICE, Outcome, ended
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, event_pb2, fault_pb2, reason_pb2
from usherd.changes import Lookup, News, Sought
from usherd.rpc.admission import Admission, Terms
from worlds import World

ALLOW, DENY = decision_pb2.EFFECT_ALLOW, decision_pb2.EFFECT_DENY
SHOWN = (("authorization", f"Bearer {CREDENTIAL}"),)


async def _end(stream: Any) -> Outcome:
    """How the stream ends, whatever comes before that."""
    try:
        async with asyncio.timeout(10):
            while await stream.read() is not grpc.aio.EOF:
                pass
    except grpc.aio.AioRpcError as error:
        return ended(error)
    return Outcome(await stream.code())


async def _gone(world: Watching) -> None:
    """Returns when the server has forgotten all streams."""
    async with asyncio.timeout(10):
        while world.hub.streams:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def test_a_block_reaches_a_stream_of_authorize_and_is_lifted_on_it() -> None:
    async with watching() as world:
        stream = world.authorize(team="t1")
        first = await world.event(stream)
        world.block("t1")
        denied = await world.event(stream)
        world.block("t1", blocked=False)
        allowed = await world.event(stream)

    assert first.decision.effect == ALLOW
    assert (first.terms.mode, first.terms.max_silence.seconds) == (api.MODE_WATCH, 15)
    assert denied.WhichOneof("event") == "changed"
    assert (denied.changed.decision.effect, denied.changed.cause) == (DENY, event_pb2.CAUSE_DIRECTORY)
    assert not denied.HasField("terms")
    assert (allowed.WhichOneof("event"), allowed.changed.decision.effect) == ("changed", ALLOW)


async def test_a_change_of_one_team_is_told_to_its_own_subscriptions_and_to_no_other() -> None:
    async with watching(checkpoint_every=0.5) as world:
        stream = world.subscribe()
        await stream.write(subscribe_request(world, {1: "t1", 2: "t2", 3: "t1"}))
        firsts = [await world.event(stream) for _ in range(3)]
        world.block("t1")
        told = [await world.event(stream) for _ in range(3)]

    assert {each.id: each.decision.effect for each in firsts} == {1: ALLOW, 2: ALLOW, 3: ALLOW}
    assert [each.HasField("terms") for each in firsts] == [True, False, False]
    by_id = {each.id: each for each in firsts}
    changed = [each for each in told if each.WhichOneof("event") == "changed"]
    assert {each.id for each in changed} == {1, 3}
    assert all(each.decision_id == by_id[each.id].decision.decision_id for each in changed)
    assert [each.WhichOneof("event") for each in told if each.id == 0] == ["checkpoint"]


async def test_a_watched_decision_is_what_check_says() -> None:
    async with watching() as world:
        question = world.question("t1")
        stream = world.authorize(question)
        told = (await world.event(stream)).decision
        world.block("t1")
        changed = (await world.event(stream)).changed.decision
        checked = await world.check(question)

    for each in (told, changed, checked):
        each.ClearField("decision_id")
        each.ClearField("valid_until")
        each.ClearField("cacheable")
    assert told.effect == ALLOW
    assert changed == checked


async def test_a_client_that_reads_one_message_and_cancels_leaves_nothing_behind() -> None:
    async with watching() as world:
        for _ in range(5):
            stream = world.authorize()
            assert (await world.event(stream)).decision.effect == ALLOW
            stream.cancel()
        await _gone(world)

        assert (world.hub.subscriptions, world.hub._index.entries, world.server.load().calls) == (0, 0, 0)


async def test_a_revoked_token_ends_its_stream_with_ok_after_the_denial() -> None:
    revoked = Revoked()
    async with watching(World(teams=TEAMS, revocations=revoked)) as world:
        stream = world.authorize(world.question("t1", jti="j"))
        await world.event(stream)
        revoked.jtis.add("j")
        world.hub.hear(News(1, frozenset(), (Lookup(Sought.JTI, ("idp", "j")),), world.world.now))
        last = await world.event(stream)
        outcome = await _end(stream)

    assert last.WhichOneof("event") == "ended"
    assert (last.ended.decision.effect, last.ended.cause) == (DENY, event_pb2.CAUSE_TOKEN_REVOKED)
    assert outcome.code is grpc.StatusCode.OK


async def test_a_token_that_is_refused_is_a_denial_and_the_end() -> None:
    async with watching() as world:
        question = world.question()
        question.token = CANARY
        stream = world.authorize(question)
        first, last = await world.event(stream), await world.event(stream)
        outcome = await _end(stream)

    assert (first.decision.effect, first.decision.reason) == (DENY, last.ended.decision.reason)
    assert last.ended.cause == event_pb2.CAUSE_TOKEN_REFUSED
    assert outcome.code is grpc.StatusCode.OK


async def test_what_an_end_user_controls_is_a_denial_of_its_own_subscription() -> None:
    async with watching() as world:
        stream = world.subscribe()
        request = api.SubscribeRequest.FromString(subscribe_request(world, {1: "t1", 2: "t1", 3: "t1"}))
        broken = bytearray(request.SerializeToString())
        route = request.add[1].question.route.encode()
        place = broken.index(route, broken.index(route) + len(route))
        broken[place + 1] = 0xFF
        await stream.write(bytes(broken))
        told = {each.id: each.decision for each in [await world.event(stream) for _ in range(3)]}

    assert {number: each.effect for number, each in told.items()} == {1: ALLOW, 2: DENY, 3: ALLOW}
    assert told[2].reason == reason_pb2.REASON_ROUTE_AMBIGUOUS


WRONG: dict[str, tuple[list[api.SubscribeRequest], str]] = {
    "zero": ([api.SubscribeRequest(add=[{"id": 0, "question": {}}])], "SUBSCRIPTION_ID"),
    "twice": ([api.SubscribeRequest(add=[{"id": 7, "question": {}}, {"id": 7, "question": {}}])], "SUBSCRIPTION_ID"),
    "lower": ([api.SubscribeRequest(add=[{"id": each, "question": {}}]) for each in (7, 6)], "SUBSCRIPTION_ID"),
    "many": ([api.SubscribeRequest(remove=range(257))], "SUBSCRIPTION_COUNT"),
    "no question": ([api.SubscribeRequest(add=[{"id": 1}])], "QUESTION_MISSING"),
    "request id": (
        [api.SubscribeRequest(add=[{"id": 1, "question": {}, "options": {"request_id": "\n"}}])],
        "REQUEST_ID",
    ),
}


@pytest.mark.parametrize(("requests", "reason"), WRONG.values(), ids=WRONG.keys())
async def test_what_a_gateway_controls_is_invalid_for_the_stream(
    requests: list[api.SubscribeRequest], reason: str
) -> None:
    async with watching() as world:
        stream = world.subscribe()
        for request in requests:
            await stream.write(request.SerializeToString())
        outcome = await _end(stream)

    assert (outcome.code, outcome.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_bytes_that_are_no_message_end_the_stream() -> None:
    async with watching() as world:
        stream = world.subscribe()
        await stream.write(b"\x0a\xff")
        outcome = await _end(stream)

    assert (outcome.code, outcome.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_UNDECODABLE")


async def test_nothing_is_told_of_what_was_removed_and_its_number_is_used_up() -> None:
    async with watching() as world:
        stream = world.subscribe()
        await stream.write(subscribe_request(world, {1: "t1", 2: "t1"}))
        for _ in range(2):
            await world.event(stream)
        await stream.write(subscribe_request(world, {3: "t2"}, remove=(1, 99)))
        third = await world.event(stream)
        world.block("t1")
        changed = await world.event(stream)
        await stream.write(subscribe_request(world, {1: "t1"}))
        outcome = await _end(stream)

    assert (third.id, changed.id) == (3, 2)
    assert outcome.reason == "SUBSCRIPTION_ID"


async def test_a_fault_of_one_is_told_in_place_of_its_decision_and_the_others_go_on() -> None:
    async with watching() as world:
        stream = world.subscribe()
        request = api.SubscribeRequest.FromString(subscribe_request(world, {1: "t1", 2: "t2"}))
        request.add[0].options.at_least_as_fresh = "other:1"
        await stream.write(request.SerializeToString())
        told = [await world.event(stream) for _ in range(2)]

    assert [each.WhichOneof("event") for each in told] == ["fault", "decision"]
    assert told[0].fault.reason == fault_pb2.FAULT_REASON_REVISION_OF_OTHER_STORE
    assert told[0].HasField("terms")


async def test_a_client_that_adds_no_more_is_told_until_nothing_is_left() -> None:
    async with watching() as world:
        stream = world.subscribe()
        await stream.write(subscribe_request(world, {1: "t1"}))
        await stream.done_writing()
        await world.event(stream)
        world.block("t1")
        changed = await world.event(stream)
        world.world.now += 700
        world.hub.look()
        last = await world.event(stream)
        outcome = await _end(stream)

    assert (changed.WhichOneof("event"), last.WhichOneof("event")) == ("changed", "ended")
    assert outcome.code is grpc.StatusCode.OK


async def test_at_the_end_of_the_server_streams_are_sent_elsewhere_and_end_with_ok() -> None:
    async with watching() as world:
        streams = [world.authorize(), world.subscribe()]
        await streams[1].write(subscribe_request(world, {1: "t1"}))
        for each in streams:
            await world.event(each)
        ending = asyncio.ensure_future(world.server.drain(1.0))
        last = [await world.event(each) for each in streams]
        outcomes = [await _end(each) for each in streams]
        await ending

    assert [each.resync.cause for each in last] == [event_pb2.CAUSE_SERVER] * 2
    assert last[1].id == 0
    assert [each.code for each in outcomes] == [grpc.StatusCode.OK] * 2


async def test_streams_beyond_the_limit_are_refused_and_questions_are_answered_all_the_same() -> None:
    async with watching(living_streams=2, living_decisions=3) as world:
        streams = [world.authorize()]
        await world.event(streams[0])
        streams.append(world.subscribe())
        await streams[1].write(subscribe_request(world, {1: "t1", 2: "t1", 3: "t1"}))
        told = [await world.event(streams[1]) for _ in range(3)]
        refused = await _end(world.authorize())
        checked = await world.check(world.question())
        load = world.server.load()

    assert [each.WhichOneof("event") for each in told] == ["decision", "decision", "fault"]
    assert told[2].fault.reason == fault_pb2.FAULT_REASON_OVERLOADED
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert checked.effect == ALLOW
    assert load.questions == 0


async def test_a_stream_that_nobody_reads_is_cut_and_the_others_are_told() -> None:
    async with watching(read_within=0.5) as world:
        blocked, other = world.subscribe(), world.authorize(team="t2")
        await blocked.write(subscribe_request(world, dict.fromkeys(range(1, 251), "t1")))
        await world.event(other)
        async with asyncio.timeout(20):
            flag = True
            while world.tally.slow_readers == 0:
                world.block("t1", blocked=flag)
                flag = not flag
                await asyncio.sleep(0.02)
        world.block("t2")
        while (told := await world.event(other)).HasField("checkpoint"):
            pass
        outcome = await _end(blocked)

    assert told.WhichOneof("event") == "changed"
    assert (outcome.code, outcome.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_READER")


async def test_a_caller_that_loses_its_right_loses_its_stream_and_explanations_need_theirs() -> None:
    admission = Admission(Terms([rule(credential=CREDENTIAL, explain=True)]))
    async with watching(begins=admission.begins, checkpoint_every=0.5) as world:
        plain, explained = world.subscribe(metadata=SHOWN), world.subscribe(metadata=SHOWN)
        await plain.write(subscribe_request(world, {1: "t1"}))
        request = api.SubscribeRequest.FromString(subscribe_request(world, {1: "t1"}))
        request.add[0].options.explain = True
        await explained.write(request.SerializeToString())
        first, detailed = await world.event(plain), await world.event(explained)
        admission.change(Terms([rule(credential=CREDENTIAL)]))
        world.server.judge_again()
        lost_explanation = await _end(explained)
        await plain.write(request.SerializeToString().replace(b"\x08\x01", b"\x08\x02", 1))
        refused = await world.event(plain)
        while refused.id == 0:
            refused = await world.event(plain)
        admission.change(Terms([rule(credential=OTHER)]))
        world.server.judge_again()
        lost = await _end(plain)

    assert not first.decision.HasField("explanation")
    assert detailed.decision.HasField("explanation")
    assert lost_explanation.reason == "EXPLANATION_NOT_ALLOWED"
    assert (refused.id, refused.fault.reason) == (2, fault_pb2.FAULT_REASON_EXPLANATION_NOT_ALLOWED)
    assert lost.reason == "CALLER_UNKNOWN"


async def test_the_last_words_of_what_has_ended_explain_nothing_to_a_caller_that_lost_that_right() -> None:
    admission = Admission(Terms([rule(credential=CREDENTIAL, explain=True)]))
    async with watching(begins=admission.begins) as world:
        authorize = world.channel.unary_stream(f"{SERVICE}/Authorize", None, api.AuthorizeResponse.FromString)
        streams = [authorize(watch_request(world.question(), explain=True), metadata=SHOWN)]
        streams.append(world.subscribe(metadata=SHOWN))
        request = api.SubscribeRequest.FromString(subscribe_request(world, {1: "t1"}))
        request.add[0].options.explain = True
        await streams[1].write(request.SerializeToString())
        detailed = [await world.event(stream) for stream in streams]
        admission.change(Terms([rule(credential=CREDENTIAL)]))
        world.server.judge_again()
        world.world.keys.sets["idp"] = []
        world.hub.keys_changed("idp")
        lost = [await _end(stream) for stream in streams]

    assert all(each.decision.HasField("explanation") for each in detailed)
    assert [each.reason for each in lost] == ["EXPLANATION_NOT_ALLOWED"] * 2
