"""What clients of living decisions see on the wire: a real server, a real directory, real tokens."""

from __future__ import annotations

from tools.living_world import subscribe_request, watching
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, event_pb2

ALLOW, DENY = decision_pb2.EFFECT_ALLOW, decision_pb2.EFFECT_DENY


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
