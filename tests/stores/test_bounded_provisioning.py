"""However many tokens come, they bring about only so many rows in a minute."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from stores.support import Hands
from usherd.errors import DirectoryUnavailable, Overloaded
from usherd.facts import Team, User, Write, WriteKind
from usherd.policy import ProvisionRules, TeamRules, UserRules
from usherd.stores.provisioning import Bounded, bounded
from worlds import policy


class _Written:
    """A provisioning that remembers what it was asked for."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def write(self, writes: Sequence[Write]) -> None:
        self.ids += [write.row.id for write in writes]


class _OutOfReach:
    async def write(self, writes: Sequence[Write]) -> None:
        raise DirectoryUnavailable


def _user(user_id: str, kind: WriteKind = WriteKind.CREATE_USER, role: str = "") -> Write:
    return Write(kind, User(id=user_id, role=role))


def _team(team_id: str) -> Write:
    return Write(WriteKind.CREATE_TEAM, Team(id=team_id))


async def test_rows_beyond_the_bound_of_a_minute_are_not_written(stopwatch: Hands) -> None:
    written = _Written()
    bounded = Bounded(written, 2, stopwatch)

    await bounded.write([_user("a")])
    await bounded.write([_team("b")])
    with pytest.raises(Overloaded):
        await bounded.write([_user("c")])

    assert written.ids == ["a", "b"]


async def test_a_minute_after_a_row_there_is_room_for_one(stopwatch: Hands) -> None:
    written = _Written()
    bounded = Bounded(written, 2, stopwatch)
    await bounded.write([_user("a")])
    stopwatch.now += 30
    await bounded.write([_user("b")])

    stopwatch.now += 29.9
    with pytest.raises(Overloaded):
        await bounded.write([_user("c")])
    stopwatch.now += 0.2
    await bounded.write([_user("c")])
    with pytest.raises(Overloaded):
        await bounded.write([_user("d")])

    assert written.ids == ["a", "b", "c"]


async def test_writes_of_one_call_pass_together_or_not_at_all(stopwatch: Hands) -> None:
    written = _Written()
    bounded = Bounded(written, 3, stopwatch)
    await bounded.write([_user("a"), _user("b")])

    with pytest.raises(Overloaded):
        await bounded.write([_user("c"), _user("d")])
    await bounded.write([_user("e")])

    assert written.ids == ["a", "b", "e"]


async def test_more_rows_than_a_minute_may_have_pass_after_a_minute_without_any(stopwatch: Hands) -> None:
    written = _Written()
    bounded = Bounded(written, 2, stopwatch)
    many = [_user(f"u{number}") for number in range(5)]
    await bounded.write([_user("a")])

    with pytest.raises(Overloaded):
        await bounded.write(many)
    stopwatch.now += 60
    await bounded.write(many)
    with pytest.raises(Overloaded):
        await bounded.write([_user("b")])

    assert written.ids == ["a", "u0", "u1", "u2", "u3", "u4"]


async def test_a_row_that_is_wanted_again_and_again_uses_up_nothing(stopwatch: Hands) -> None:
    written = _Written()
    bounded = Bounded(written, 2, stopwatch)

    for _ in range(10):
        await bounded.write([_user("taken"), _user("taken")])
    await bounded.write([_user("b")])

    assert written.ids == ["taken"] * 20 + ["b"]


async def test_a_row_that_is_wanted_still_counts_once_in_each_minute(stopwatch: Hands) -> None:
    bounded = Bounded(_Written(), 2, stopwatch)
    await bounded.write([_user("taken")])
    stopwatch.now += 60
    await bounded.write([_user("taken")])
    await bounded.write([_user("b")])

    with pytest.raises(Overloaded):
        await bounded.write([_user("c")])


async def test_a_row_that_changes_to_and_fro_counts_each_time(stopwatch: Hands) -> None:
    bounded = Bounded(_Written(), 3, stopwatch)
    for role in ("a", "b", "a"):
        await bounded.write([_user("u", WriteKind.UPDATE_USER, role)])

    with pytest.raises(Overloaded):
        await bounded.write([_user("u", WriteKind.UPDATE_USER, "b")])


async def test_writes_of_another_kind_pass(stopwatch: Hands) -> None:
    written = _Written()
    only_teams = Bounded(written, 1, stopwatch, {WriteKind.CREATE_TEAM})

    await only_teams.write([_user("a"), _user("b"), _team("t"), _user("c", WriteKind.UPDATE_USER)])
    await only_teams.write([_user("d")])
    with pytest.raises(Overloaded):
        await only_teams.write([_team("s")])

    assert written.ids == ["a", "b", "t", "c", "d"]


async def test_a_policys_bounds_on_users_and_teams_use_up_nothing_of_each_other(stopwatch: Hands) -> None:
    written = _Written()
    rules = policy(
        users=UserRules(provision=ProvisionRules(per_minute=2)), teams=TeamRules(provision=ProvisionRules(per_minute=1))
    )
    within = bounded(written, rules, stopwatch)

    await within.write([_user("a"), _team("t")])
    for _ in range(2):
        await within.write([_user("a", WriteKind.UPDATE_USER)])
    with pytest.raises(Overloaded):
        await within.write([_user("a", WriteKind.UPDATE_USER)])
    # Rows that are changed again and again keep nobody new out.
    await within.write([_user("b")])
    for refused in (_user("c"), _team("s")):
        with pytest.raises(Overloaded):
            await within.write([refused])

    assert written.ids == ["a", "t", "a", "a", "b"]


async def test_roles_and_teams_are_kept_in_step_within_the_usual_bound(stopwatch: Hands) -> None:
    written = _Written()
    within = bounded(written, policy(users=UserRules(sync_roles=True)), stopwatch)

    for number in range(600):
        await within.write([_user(f"u{number}", WriteKind.UPDATE_USER)])
    with pytest.raises(Overloaded):
        await within.write([_user("one more", WriteKind.UPDATE_USER)])

    assert len(written.ids) == 600


async def test_a_directory_out_of_reach_is_what_it_was_without_a_bound(stopwatch: Hands) -> None:
    bounded = Bounded(_OutOfReach(), 1, stopwatch)

    with pytest.raises(DirectoryUnavailable):
        await bounded.write([_user("a")])
    with pytest.raises(DirectoryUnavailable):
        await bounded.write([_user("a")])
