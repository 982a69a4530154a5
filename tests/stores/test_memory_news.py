"""A directory in memory tells of what changes, of nothing else, and only once it can be read."""

from __future__ import annotations

from usherd.changes import News
from usherd.domain import DependencyKind, Limit
from usherd.facts import BudgetKind, BudgetOwner, Membership, Rows, Team, User, Write, WriteKind, place_id
from usherd.stores.memory_directory import MemoryDirectory
from usherd.stores.pinned_directory import PinnedDirectory

RED = Team(id="red", alias="Reds", models=("*",), limit=Limit(max_budget_micro_usd=10, budget_reset_seconds=60))
ANN = User(id="ann", email="ann@example.com", role="internal_user")
RED_BUDGET = BudgetOwner(BudgetKind.TEAM, "red")


class Heard:
    def __init__(self) -> None:
        self.now = 0.0
        self.directory = MemoryDirectory(
            "memory", Rows(teams=(RED,), users=(ANN,)), bare_ids_for="idp", clock=lambda: self.now
        )
        self.news: list[News] = []
        self.readable: list[bool] = []
        self.unlisten = self.directory.listen(self.hear)

    def hear(self, news: News) -> None:
        self.news.append(news)
        self.readable.append(self.directory.at_hand().revision == news.revision)


async def test_a_user_who_changes_is_told_by_every_look_up_that_finds_it() -> None:
    heard = Heard()

    await heard.directory.write([Write(WriteKind.UPDATE_USER, User(id="ann", role="proxy_admin"))])

    (news,) = heard.news
    assert news.touched == {
        (DependencyKind.USER, "id:ann"),
        (DependencyKind.USER, "idp/ann"),
        (DependencyKind.USER, "email:ann@example.com"),
    }
    assert (news.revision, heard.readable) == (2, [True])


async def test_a_new_team_is_told_by_id_and_alias_for_tokens_and_sessions() -> None:
    heard = Heard()

    await heard.directory.write([Write(WriteKind.CREATE_TEAM, Team(id="blue", alias="Blues"))])

    assert heard.news[0].touched == {
        (DependencyKind.TEAM, name) for name in ("idp/blue", "session/blue", "alias:idp/Blues", "alias:session/Blues")
    }


async def test_a_new_team_is_told_with_the_places_in_it() -> None:
    heard = Heard()

    await heard.directory.write([Write(WriteKind.CREATE_TEAM, Team(id="blue", members={"ann": Membership()}))])

    touched = heard.news[0].touched
    assert touched is not None
    assert (DependencyKind.MEMBERSHIP, place_id("blue", "ann")) in touched


async def test_who_listens_goes_on_hearing_behind_a_pin() -> None:
    heard = Heard()
    pinned, news = PinnedDirectory(heard.directory), list[News]()
    unlisten = pinned.listen(news.append)
    pinned.pin(heard.directory.at_hand())

    heard.directory.record_usage(RED_BUDGET, 10)
    unlisten()
    heard.directory.reset_usage(RED_BUDGET)

    assert [each.revision for each in news] == [2]


async def test_what_changes_nothing_is_not_told() -> None:
    heard = Heard()

    await heard.directory.write([Write(WriteKind.CREATE_TEAM, RED)])
    heard.directory.record_usage(RED_BUDGET, 9)

    assert heard.news == []


async def test_a_budget_is_told_when_its_state_changes_and_when_its_period_is_over() -> None:
    heard = Heard()
    heard.directory.record_usage(RED_BUDGET, 9)

    heard.directory.record_usage(RED_BUDGET, 1)
    heard.directory.record_usage(BudgetOwner(BudgetKind.USER, "ann"), 1)
    heard.now = 60.0
    heard.directory.at_hand()

    assert [news.touched for news in heard.news] == [{(DependencyKind.BUDGET, "team:red")}] * 2
    assert heard.readable == [True, True]


async def test_other_rows_may_touch_anything() -> None:
    heard = Heard()
    heard.directory.record_usage(RED_BUDGET, 10)

    heard.directory.replace(Rows(teams=(RED,)))
    heard.directory.record_usage(RED_BUDGET, 1)

    touched = [news.touched for news in heard.news]
    assert touched == [{(DependencyKind.BUDGET, "team:red")}, None, {(DependencyKind.BUDGET, "team:red")}]


async def test_who_no_longer_listens_is_not_told() -> None:
    heard = Heard()
    heard.unlisten()
    heard.unlisten()

    heard.directory.record_usage(RED_BUDGET, 10)

    assert heard.news == []
