"""What becomes of a decision is told once, newest state first, and only to those whom it concerns."""

from __future__ import annotations

import pytest

from keyring import NOW
from tools.living_core import TEAMS, Revoked, kinds, living, reasons
from usherd.changes import Lookup, Sought
from usherd.errors import DirectoryUnavailable, FaultReason, InvalidRequest, KeysUnavailable, Overloaded
from usherd.facts import BudgetKind, BudgetOwner, Rows
from usherd.watch.events import Cause, Changed, Checkpoint, EndedFor, Expiring, Resync
from worlds import World, issuer, policy


async def test_the_first_event_is_the_decision_and_a_block_changes_it() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        first = await core.events(stream)
        core.block("t1")
        (changed,) = await core.events(stream)

    assert kinds(first) == ["Decision"]
    assert isinstance(changed.what, Changed)
    assert changed.what.cause is Cause.DIRECTORY
    assert changed.about == first[0].what.decision_id
    assert list(reasons([changed])) == ["TEAM_BLOCKED"]
    assert changed.what.decision.revision == "store:2"


async def test_a_change_looks_at_those_who_depend_on_it_and_at_nobody_else() -> None:
    async with living() as core:
        streams = {team: core.stream() for team in ("t1", "t2", "t3")}
        for team, stream in streams.items():
            await core.add(stream, team=team)
            await core.events(stream)
        looks = core.hub.tally.looks
        core.block("t2")
        told = {team: kinds(await core.events(stream)) for team, stream in streams.items()}

    assert told == {"t1": [], "t2": ["Changed"], "t3": []}
    assert core.hub.tally.looks == looks + 1


async def test_whoever_does_not_read_gets_the_newest_state_alone() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        for blocked in (True, False, True, False, True):
            core.block("t1", blocked=blocked)
        told = await core.events(stream)
        core.block("t1", blocked=False)
        core.block("t1", blocked=True)
        unchanged = await core.events(stream)

    assert list(reasons(told)) == ["TEAM_BLOCKED"]
    assert unchanged == []


async def test_what_changes_between_the_first_decision_and_its_being_told_is_not_lost() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        core.block("t1")
        told = await core.events(stream)

    assert kinds(told) == ["Decision", "Changed"]
    assert list(reasons(told)) == ["ALLOWED", "TEAM_BLOCKED"]


async def test_what_changes_while_the_first_decision_is_made_is_not_lost() -> None:
    made: list[bool] = []
    async with living() as core:
        judging = core.hub.judging
        assert judging is not None
        facts = judging._directory.facts

        async def late(wanted: object) -> object:
            found = await facts(wanted)  # type: ignore[arg-type]
            if not made:
                made.append(True)
                core.block("t1")
            return found

        judging._directory.facts = late  # type: ignore[method-assign,assignment]
        stream = core.stream()
        await core.add(stream)
        told = await core.events(stream)

    assert list(reasons(told)) == ["ALLOWED", "TEAM_BLOCKED"]


async def test_what_changes_while_it_is_looked_at_again_is_not_lost_either() -> None:
    made: list[bool] = []
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        judging = core.hub.judging
        assert judging is not None
        facts = judging._directory.facts

        async def late(wanted: object) -> object:
            found = await facts(wanted)  # type: ignore[arg-type]
            if not made:
                made.append(True)
                core.block("t1", blocked=False)
            return found

        judging._directory.facts = late  # type: ignore[method-assign,assignment]
        core.block("t1")
        told = await core.events(stream)

    assert list(reasons(told)) == ["TEAM_BLOCKED", "ALLOWED"]


async def test_a_checkpoint_comes_when_it_is_time_and_nothing_is_open() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        before = await core.events(stream)
        core.forward(5.1)
        (checkpoint,) = await core.events(stream)
        core.block("t3")
        core.forward(5.1)
        (following,) = await core.events(stream)

    assert before == []
    assert checkpoint.id == 0
    assert (checkpoint.what, following.what) == (Checkpoint("store:1"), Checkpoint("store:2"))


async def test_a_directory_that_went_stale_confirms_nothing_and_ends_the_streams() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        judging = core.hub.judging
        assert judging is not None
        judging._directory.at_hand = lambda: None  # type: ignore[method-assign,assignment]
        core.forward(5.1)
        with pytest.raises(DirectoryUnavailable):
            await core.events(stream)


async def test_a_token_that_expires_ends_its_decision_and_that_is_told_before() -> None:
    async with living(age=1e6) as core:
        stream = core.stream()
        await core.add(stream)
        (first,) = await core.events(stream)
        core.forward(584.9)
        before = [each for each in await core.events(stream) if each.id]
        core.forward(0.2)
        notice = [each for each in await core.events(stream) if each.id]
        core.forward(44.8)
        during = [each for each in await core.events(stream) if each.id]
        core.forward(0.2)
        ended = [each for each in await core.events(stream) if each.id]

    assert first.what.valid_until == NOW + 600
    assert [each.what for each in notice] == [Expiring(NOW + 630, Cause.TOKEN_EXPIRED)]
    assert before == during == []
    assert isinstance(ended[0].what, EndedFor)
    assert (list(reasons(ended)), ended[0].what.cause) == (["TOKEN_EXPIRED"], Cause.TOKEN_EXPIRED)
    assert core.hub.subscriptions == 0


async def test_a_revoked_token_ends_its_decision_and_no_other() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream, 1, claims={"jti": "a"})
        await core.add(stream, 2, claims={"jti": "b"})
        await core.events(stream)
        core.revoke("b")
        (ended,) = await core.events(stream)

    assert (ended.id, list(reasons([ended]))) == (2, ["TOKEN_REVOKED"])
    assert isinstance(ended.what, EndedFor)
    assert ended.what.cause is Cause.TOKEN_REVOKED


@pytest.mark.parametrize(
    "lookup",
    [Lookup(Sought.SUBJECT, ("idp", "alice")), Lookup(Sought.ISSUER, ("idp",)), Lookup(Sought.SESSION, ("s-1",))],
    ids=lambda each: each.sought.name,
)
async def test_whatever_a_token_may_be_revoked_by_has_it_looked_at(lookup: Lookup) -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream, claims={"jti": "a", "session_id": "s-1"})
        await core.events(stream)
        core.revoked.jtis.add("a")
        core.tell(lookup)
        (ended,) = await core.events(stream)

    assert isinstance(ended.what, EndedFor)
    expected = Cause.SESSION_REVOKED if lookup.sought is Sought.SESSION else Cause.TOKEN_REVOKED
    assert ended.what.cause is expected


async def test_a_key_that_is_gone_ends_what_it_verified() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        core.world.keys.sets["idp"] = []
        core.hub.keys_changed("idp")
        (ended,) = await core.events(stream)

    assert isinstance(ended.what, EndedFor)
    assert (list(reasons([ended])), ended.what.cause) == (["UNKNOWN_KEY"], Cause.KEY_REMOVED)


async def test_a_key_is_asked_about_when_its_time_is_over() -> None:
    async with living() as core:
        (key,) = core.world.keys.sets["idp"]
        core.world.keys.lasting[key.thumbprint] = 30.0
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        core.world.keys.sets["idp"] = []
        core.forward(29)
        before = [each for each in await core.events(stream) if each.id]
        core.forward(1.1)
        (ended,) = await core.events(stream)

    assert before == []
    assert list(reasons([ended])) == ["UNKNOWN_KEY"]


async def test_a_budget_wakes_nobody_until_its_state_changes() -> None:
    from usherd.domain import Limit
    from usherd.facts import Team

    team = Team(id="t1", models=("gpt-4o",), limit=Limit(max_budget_micro_usd=100))
    async with living(World(teams=(team,), revocations=Revoked())) as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        looks, owner = core.hub.tally.looks, BudgetOwner(BudgetKind.TEAM, "t1")
        for _ in range(99):
            core.world.directory.record_usage(owner, 1)
        quiet = await core.events(stream)
        assert core.hub.tally.looks == looks
        core.world.directory.record_usage(owner, 2)
        (changed,) = await core.events(stream)
        core.world.directory.reset_usage(owner)
        (again,) = await core.events(stream)

    assert quiet == []
    assert isinstance(changed.what, Changed)
    assert changed.what.cause is Cause.BUDGET
    assert list(reasons([changed, again])) == ["TEAM_BUDGET_EXHAUSTED", "ALLOWED"]


async def test_a_token_that_is_refused_is_told_and_has_ended() -> None:
    async with living() as core:
        stream = core.stream()
        stream.take_number(1)
        await stream.add(1, core.world.question(token="no token"))
        told = await core.events(stream)

    assert kinds(told) == ["Decision", "EndedFor"]
    assert list(reasons(told)) == ["TOKEN_MALFORMED", "TOKEN_MALFORMED"]
    assert told[1].what.cause is Cause.TOKEN_REFUSED
    assert core.hub.subscriptions == 0


async def test_another_policy_has_everything_judged_again() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        other = World(policy=policy(teams=policy().teams.__class__(routes=())), teams=TEAMS, revocations=core.revoked)
        other.now, other.pairs, other.keys.sets = core.world.now, core.world.pairs, core.world.keys.sets
        core.hub.answer_with(other.authorizer.judging)
        (changed,) = await core.events(stream)

    assert isinstance(changed.what, Changed)
    assert changed.what.cause is Cause.POLICY
    assert list(reasons([changed])) == ["ROUTE_NOT_GRANTED"]


async def test_a_policy_with_other_rules_for_the_issuer_needs_the_token_again() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        other = World(policy=policy(issuers=(issuer(digest="another"),)), teams=TEAMS, revocations=core.revoked)
        core.hub.answer_with(other.authorizer.judging)
        (resync,) = await core.events(stream)

    assert (resync.id, resync.what) == (1, Resync(Cause.POLICY))
    assert core.hub.subscriptions == 0


async def test_a_fault_is_no_event_and_is_tried_again() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        core.revoked.unknown = True
        core.block("t1")
        during = await core.events(stream)
        core.forward(4.6)
        during += await core.events(stream)
        core.revoked.unknown = False
        core.forward(1)
        after = await core.events(stream)

    assert during == []
    assert list(reasons(after)) == ["TEAM_BLOCKED"]


async def test_a_fault_that_lasts_ends_what_cannot_be_kept_up() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream, 1)
        await core.add(stream, 2, team="t2")
        await core.events(stream)
        core.world.keys.unavailable.add("idp")
        core.block("t1")
        quiet = await core.events(stream)
        core.forward(5.5)
        (fault,) = [each for each in await core.events(stream) if each.id]

    assert quiet == []
    assert (fault.id, type(fault.what)) == (1, KeysUnavailable)
    assert core.hub.subscriptions == 1


async def test_a_decision_that_could_not_be_heard_of_is_not_told() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        core.told.fault = Overloaded()
        core.block("t1")
        quiet = await core.events(stream)
        core.told.fault = None
        core.forward(1)
        told = await core.events(stream)

    assert quiet == []
    assert list(reasons(told)) == ["TEAM_BLOCKED"]


async def test_the_last_to_be_told_of_a_change_is_what_is_measured() -> None:
    async with living() as core:
        streams = [core.stream() for _ in range(3)]
        for stream in streams:
            await core.add(stream)
            await core.events(stream)
        core.block("t1")
        await core.events(streams[0])
        core.forward(0.25)
        await core.events(streams[1])
        assert core.told_after == []
        core.forward(0.25)
        await core.events(streams[2])

    assert core.told_after == [0.5]


async def test_streams_are_sent_away_when_the_server_ends_and_when_they_are_old() -> None:
    async with living(age=100.0) as core:
        old, young = core.stream(), core.stream()
        for stream in (old, young):
            await core.add(stream)
            await core.events(stream)
        core.forward(80.1)
        gone = await core.now(old)
        await core.hub.drain(0.0)
        sent = await core.now(young)
        with pytest.raises(Exception, match="shutting down"):
            core.stream()

    assert gone is not None
    assert sent is not None
    assert gone.what == sent.what == Resync(Cause.SERVER)


async def test_numbers_and_counts_are_the_gateways_own_to_keep() -> None:
    async with living(streams=1, subscriptions=3) as core:
        stream = core.stream(most=2)
        await core.add(stream, 5)
        with pytest.raises(InvalidRequest) as same:
            stream.take_number(5)
        await core.add(stream, 6)
        with pytest.raises(InvalidRequest) as many:
            stream.take_number(7)
        with pytest.raises(Overloaded):
            core.stream()
        stream.remove(6)
        stream.remove(6)
        await core.add(stream, 7)

    assert (same.value.reason, many.value.reason) == (
        FaultReason.SUBSCRIPTION_ID,
        FaultReason.SUBSCRIPTION_COUNT,
    )


async def test_nothing_is_left_of_a_stream_that_is_closed() -> None:
    async with living() as core:
        stream = core.stream()
        for number in (1, 2, 3):
            await core.add(stream, number, team=f"t{number}")
        core.block("t1")
        stream.close()
        await core.settled()

    assert (core.hub.streams, core.hub.subscriptions, core.hub._index.entries) == (0, 0, 0)


async def test_rows_that_are_replaced_whole_have_all_looked_at() -> None:
    async with living() as core:
        stream = core.stream()
        await core.add(stream)
        await core.events(stream)
        core.world.directory.replace(Rows())
        (changed,) = await core.events(stream)

    assert isinstance(changed.what, Changed)
    assert changed.what.cause is Cause.DIRECTORY
