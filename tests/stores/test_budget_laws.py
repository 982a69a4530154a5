"""Whatever is spent, and whenever: the states are those that adding it all up again gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from stores.support import Hands
from usherd.domain import Limit
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, Membership, Rows, Team, User
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory

GLOBAL = BudgetOwner(BudgetKind.GLOBAL)
OWNERS = (
    GLOBAL,
    *(BudgetOwner(BudgetKind.TEAM, team) for team in "ab"),
    *(BudgetOwner(BudgetKind.MEMBER, "u", team) for team in "ab"),
    BudgetOwner(BudgetKind.USER, "u"),
)
EVERYONE = Budget(9, 7)

PERIODS: dict[BudgetOwner, int | None] = {
    owner: 7 if owner == GLOBAL else None if "b" in (owner.id, owner.team) else 10 for owner in OWNERS
}
"""Fixed, in seconds; maxima change, and rows come and go."""

_MAXIMA = st.fixed_dictionaries(
    {owner: st.one_of(st.just("absent"), st.none(), st.integers(0, 12)) for owner in OWNERS if owner != GLOBAL}
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("spend"), st.sampled_from(OWNERS), st.integers(0, 8)),
        st.tuples(st.just("reset"), st.sampled_from(OWNERS), st.none()),
        st.tuples(st.just("wait"), st.none(), st.integers(1, 12)),
        st.tuples(st.just("rows"), st.none(), _MAXIMA),
        st.tuples(st.just("look"), st.none(), st.none()),
    ),
    max_size=30,
)

Maxima = dict[BudgetOwner, int | str | None]


@dataclass
class _Book:
    """All that was ever spent, and by whom: the long way."""

    maxima: Maxima
    entries: list[tuple[BudgetOwner, float, int]] = field(default_factory=list)

    def forget(self, gone: set[BudgetOwner]) -> None:
        self.entries = [entry for entry in self.entries if entry[0] not in gone]

    def there(self) -> set[BudgetOwner]:
        return {owner for owner in OWNERS if self._exists(owner)}

    def state(self, owner: BudgetOwner, now: float) -> BudgetState:
        maximum = 9 if owner == GLOBAL else self.maxima[owner]
        if maximum is None or isinstance(maximum, str) or not self._exists(owner):
            return BudgetState.WITHIN
        period = PERIODS[owner]
        spent = sum(
            amount
            for who, when, amount in self.entries
            if who == owner and (period is None or when // period == now // period)
        )
        return BudgetState((spent >= maximum) + (spent > maximum))

    def _exists(self, owner: BudgetOwner) -> bool:
        team = BudgetOwner(BudgetKind.TEAM, owner.team)
        return owner == GLOBAL or (
            self.maxima[owner] != "absent" and (owner.kind is not BudgetKind.MEMBER or self.maxima[team] != "absent")
        )


def _number(maximum: int | str | None) -> int | None:
    return maximum if isinstance(maximum, int) else None


def _rows(maxima: Maxima) -> Rows:
    teams = []
    for name in "ab":
        owner, member = BudgetOwner(BudgetKind.TEAM, name), BudgetOwner(BudgetKind.MEMBER, "u", name)
        if maxima[owner] == "absent":
            continue
        place = {} if maxima[member] == "absent" else {"u": Membership(max_budget_micro_usd=_number(maxima[member]))}
        limit = Limit(max_budget_micro_usd=_number(maxima[owner]), budget_reset_seconds=PERIODS[owner])
        teams.append(Team(id=name, limit=limit, members=place))
    maximum = maxima[OWNERS[-1]]
    user = User(id="u", limit=Limit(max_budget_micro_usd=_number(maximum), budget_reset_seconds=10))
    return Rows(teams=tuple(teams), users=() if maximum == "absent" else (user,))


@given(maxima=_MAXIMA, steps=_STEPS)
def test_states_are_what_adding_up_gives_and_only_a_change_of_them_is_a_revision(
    maxima: Maxima, steps: list[tuple[str, BudgetOwner | None, object]]
) -> None:
    clock = Hands(now=1000.0)
    directory = MemoryDirectory("store", _rows(maxima), everyone=EVERYONE, clock=clock)
    book = _Book(dict(maxima))
    seen, before = directory.at_hand(), [book.state(owner, clock.now) for owner in OWNERS]
    for what, owner, value in steps:
        if what == "spend" and owner is not None and isinstance(value, int):
            directory.record_usage(owner, value)
            if owner in book.there():
                book.entries.append((owner, clock.now, value))
        elif what == "reset" and owner is not None:
            directory.reset_usage(owner)
            book.forget({owner})
        elif what == "wait" and isinstance(value, int):
            clock.now += value
            if value % 2:
                # Nobody looks, for once.
                continue
        elif what == "rows" and isinstance(value, dict):
            directory.replace(_rows(value))
            book.maxima = dict(value)
            book.forget(set(OWNERS) - book.there())
        facts, states = directory.at_hand(), [book.state(each, clock.now) for each in OWNERS]
        assert [facts.budget(each) for each in OWNERS] == states
        if what != "rows":
            assert (facts is seen) == (states == before)
        assert (facts.revision > seen.revision) == (facts is not seen)
        seen, before = facts, states
