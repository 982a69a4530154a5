"""Laws of every history: the change log leads from any revision to what is there now, and what is found and spent is
what a directory in memory finds and counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import strategies as st

from examples import examples
from stores.sql.making import put
from stores.support import Hands
from tools.postgres import Postgres
from usherd.changes import Lookup, RowKind, Sought, lookup_of
from usherd.domain import Limit
from usherd.errors import AlreadyExists, BrokenReference, NotFound
from usherd.facts import (
    BudgetKind,
    BudgetOwner,
    EndUser,
    Membership,
    Organization,
    Rows,
    Team,
    User,
    Write,
    WriteKind,
)
from usherd.store import Edit, Filter, ModelRow, Op, Place, Row, RowId, Usage
from usherd.stores.budgets import NO_BUDGET, Budget
from usherd.stores.memory_directory import MemoryDirectory
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.rows import kind_of, row_id
from usherd.stores.sql.snapshot import Loaded
from usherd.stores.sql.sql_store import SqlStore, store_in

TWO, ISSUERS, SUBJECTS = ("a", "b"), ("idp", "x"), ("a", "b", "s")
OWNERS = (
    BudgetOwner(BudgetKind.GLOBAL),
    *(BudgetOwner(kind, each) for kind in (BudgetKind.ORGANIZATION, BudgetKind.TEAM, BudgetKind.USER) for each in TWO),
    BudgetOwner(BudgetKind.END_USER, "a"),
    *(BudgetOwner(BudgetKind.MEMBER, user, team) for user, team in product(TWO, TWO)),
)
_BY_ONE_WORD = (
    Sought.ORGANIZATION, Sought.ORGANIZATION_ALIAS, Sought.USER, Sought.USER_SSO, Sought.USER_EMAIL, Sought.END_USER,
    Sought.MODEL,
)  # fmt: skip
LOOKUPS = [
    *(Lookup(sought, (each,)) for sought, each in product(_BY_ONE_WORD, TWO)),
    *(Lookup(sought, key) for sought in (Sought.TEAM, Sought.TEAM_ALIAS) for key in product(("", *ISSUERS), TWO)),
    *(Lookup(Sought.USER_IDENTITY, key) for key in product(ISSUERS, SUBJECTS)),
    *(Lookup(Sought.MEMBERSHIP, key) for key in product(TWO, TWO)),
    *map(lookup_of, OWNERS),
]
"""Everything that can be looked for in so small a world."""

_two = st.sampled_from(TWO)
_either = st.sampled_from(("", *TWO))
_some = st.lists(_two, max_size=2, unique=True).map(tuple)
_maximum = st.none() | st.integers(0, 9)
_limit = st.builds(Limit, max_budget_micro_usd=_maximum, budget_reset_seconds=st.sampled_from((None, 7, 10)))
_identities = st.lists(st.tuples(st.sampled_from(ISSUERS), st.sampled_from(SUBJECTS)), max_size=2, unique=True)
_rows: st.SearchStrategy[Row] = st.one_of(
    st.builds(Organization, id=_two, alias=_either, limit=_limit, blocked=st.booleans()),
    st.builds(
        Team, id=_two, issuer=st.sampled_from((None, *ISSUERS)), alias=_either, organization=_either, limit=_limit
    ),
    st.builds(
        User,
        id=_two,
        identities=_identities.map(tuple),
        sso_ids=_some,
        email=_either,
        organizations=_some,
        limit=_limit,
    ),
    st.builds(Place, team=_two, user=_two, place=st.builds(Membership, max_budget_micro_usd=_maximum)),
    st.builds(EndUser, id=_two, limit=_limit),
    st.builds(ModelRow, name=_two, provider=_either),
)
EDITS = st.builds(
    lambda op, row: Edit(op, kind_of(row), row_id(row), None if op is Op.DELETE else row),
    st.sampled_from((Op.PUT, Op.PUT, Op.PUT, Op.DELETE)),
    _rows,
)
_writes = st.builds(
    Write,
    st.sampled_from((WriteKind.CREATE_USER, WriteKind.UPDATE_USER)),
    st.builds(User, id=_two, identities=_identities.map(tuple), role=_either, teams=_some),
)
_steps = st.lists(
    st.one_of(
        st.lists(EDITS, min_size=1, max_size=3),
        st.lists(st.builds(Usage, st.sampled_from(OWNERS), st.integers(0, 6)), min_size=1, max_size=3),
        _writes,
        st.sampled_from(OWNERS),
        st.builds(Budget, _maximum, st.sampled_from((None, 7.0))),
        st.floats(0.5, 12).map(round),
    ),
    max_size=14,
)
_LIMIT = Limit(max_budget_micro_usd=5, budget_reset_seconds=10)
FIRST: list[Row] = [
    *(Organization(id=each, limit=_LIMIT) for each in TWO),
    *(Team(id=each, alias=each, limit=_LIMIT) for each in TWO),
    *(User(id=each, email="a", sso_ids=TWO, organizations=(each,), limit=_LIMIT) for each in TWO),
    *(Place(team=team, user="a", place=Membership(max_budget_micro_usd=5)) for team in TWO),
    EndUser(id="a", limit=_LIMIT),
]
"""What there is at first: in an empty world, most of what is done has no effect."""
MADE_ANEW = [Edit(Op.DELETE, RowKind.END_USER, ("a",)), put(EndUser(id="a", limit=Limit(max_budget_micro_usd=1)))]
Step = list[Edit] | list[Usage] | Write | BudgetOwner | Budget | int


NamedRow = TypeVar("NamedRow", Organization, Team, User, EndUser)

NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""To make a history shorter takes minutes, and it is short already."""


@pytest.fixture(name="new_url", scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def _new_url(request: pytest.FixtureRequest) -> Iterator[object]:
    if request.param == "sqlite":
        yield lambda: "sqlite:///:memory:"
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        yield postgres.new_database


class World:
    """A store, a directory in memory that is told of the same, and how everything was found at each revision."""

    def __init__(self, store: SqlStore, clock: Hands) -> None:
        self.store, self.clock = store, clock
        self.memory = MemoryDirectory("memory", Rows(), bare_ids_for="idp", clock=clock)
        self.everyone = NO_BUDGET
        self.found: list[Loaded] = []

    async def do(self, step: Step) -> None:
        match step:
            case [Edit(), *_] as edits:
                # The store says what may not be; see the tests of edits.
                with suppress(AlreadyExists, BrokenReference, NotFound):
                    possible = [edit for edit in edits if await self.can(edit)]
                    await self.store.apply(possible)
                    await self.tell_deletions({(edit.kind, edit.id) for edit in possible if edit.op is Op.DELETE})
            case [Usage(), *_] as usages:
                await self.store.record_usage(usages)
                for usage in usages:
                    self.memory.record_usage(usage.owner, usage.micro_usd)
            case Write():
                await self.store.write([step])
            case BudgetOwner():
                if await self.store.usage(step) is not None:
                    await self.store.reset_usage(step)
                self.memory.reset_usage(step)
            case Budget():
                self.everyone = step
                await self.store.set_global(step)
            case int(seconds):
                self.clock.now += seconds
                await self.store.sweep()
        if not (isinstance(step, list) and isinstance(step[0], Usage)):
            rows = await rows_of(self.store)
            self.memory.adopt(self.memory.prepared(rows, "idp", self.everyone))

    async def tell_deletions(self, gone: set[tuple[RowKind, RowId]]) -> None:
        """The directory in memory is told of what is there in the end: a row that was deleted and made anew within one
        write would not have been away for it, and would keep what it has spent."""
        if not gone:
            return

        def stay(rows: Iterable[NamedRow]) -> Iterator[NamedRow]:
            return (row for row in rows if (kind_of(row), row_id(row)) not in gone)

        def stays(team: str, user: str) -> bool:
            return (RowKind.MEMBERSHIP, (team, user)) not in gone and (RowKind.USER, (user,)) not in gone

        rows = await rows_of(self.store)
        teams = (
            replace(team, members={user: place for user, place in team.members.items() if stays(team.id, user)})
            for team in stay(rows.teams)
        )
        meanwhile = replace(
            rows,
            organizations=tuple(stay(rows.organizations)),
            teams=tuple(teams),
            users=tuple(stay(rows.users)),
            end_users=tuple(stay(rows.end_users)),
        )
        self.memory.adopt(self.memory.prepared(meanwhile, "idp", self.everyone))

    async def can(self, edit: Edit) -> bool:
        return edit.op is Op.PUT or (await self.store.get(edit.kind, [edit.id])) != [None]

    async def look(self) -> None:
        """Everything that is found now is what the directory in memory finds."""
        loaded = await self.store.load(LOOKUPS, "idp")
        if self.found:
            await self.check_log(self.found[-1], loaded, 1000)
        self.found.append(loaded)
        facts = self.memory.at_hand()
        for lookup, found in loaded.found.items():
            key = lookup.key
            match lookup.sought:
                case Sought.BUDGET:
                    owner = BudgetOwner(BudgetKind[key[0].upper()], *key[1:])
                    assert found == facts.budget(owner), owner
                case Sought.USER_IDENTITY:
                    assert bare(found) == bare(facts.user(*key)), lookup
                case Sought.USER_SSO:
                    assert bare(found) == bare(facts.user_by_sso(*key)), lookup
                case Sought.USER_EMAIL:
                    assert bare(found) == bare(facts.user_by_email(*key)), lookup
                case Sought.MEMBERSHIP:
                    assert found == facts.member(*key), lookup

    async def check_log(self, then: Loaded, now: Loaded, limit: int) -> None:
        """From that revision, the log says what is found otherwise now, in order and without gaps."""
        seen, touched = then.revision, set()
        while seen < now.revision:
            some = await self.store.changes(seen, limit=limit)
            revisions = [change.revision for change in some.changes]
            assert revisions == sorted(revisions)
            assert set(revisions) <= set(range(seen + 1, some.through + 1))
            touched |= {lookup for change in some.changes for lookup in reached(change.lookups)}
            assert some.through > seen
            seen = some.through
        assert {lookup for lookup in LOOKUPS if then.found[lookup] != now.found[lookup]} <= touched


def reached(lookups: tuple[Lookup, ...]) -> Iterator[Lookup]:
    """As readers of the log have it: a user without identities is found by its id, a team whoever claims it."""
    for lookup in lookups:
        yield lookup
        if lookup.sought is Sought.USER:
            yield Lookup(Sought.USER_IDENTITY, ("idp", *lookup.key))
        if lookup.sought in (Sought.TEAM, Sought.TEAM_ALIAS):
            yield from (Lookup(lookup.sought, (issuer, lookup.key[1])) for issuer in ("", *ISSUERS))


def bare(row: object) -> object:
    return None if row is None else replace(row, revision="")  # type: ignore[type-var]


async def rows_of(store: SqlStore) -> Rows:
    """All rows, page by page."""
    found: dict[RowKind, list[Row]] = {}
    for kind in (RowKind.ORGANIZATION, RowKind.TEAM, RowKind.USER, RowKind.MEMBERSHIP, RowKind.END_USER):
        rows, more, after = [], True, ()
        while more:
            page = await store.page(kind, Filter(), after=after, limit=3)
            rows += [stored.row for stored in page.rows]
            more, after = page.more, row_id(rows[-1]) if rows else ()
        found[kind] = rows
    places: dict[str, dict[str, Membership]] = {}
    for each in found[RowKind.MEMBERSHIP]:
        assert isinstance(each, Place)
        places.setdefault(each.team, {})[each.user] = each.place
    teams = [replace(row, members=places.get(row.id, {})) for row in found[RowKind.TEAM] if isinstance(row, Team)]
    return Rows(
        organizations=tuple(found[RowKind.ORGANIZATION]),  # type: ignore[arg-type]
        teams=tuple(teams),
        users=tuple(found[RowKind.USER]),  # type: ignore[arg-type]
        end_users=tuple(found[RowKind.END_USER]),  # type: ignore[arg-type]
    )


@examples(
    25,
    phases=NO_SHRINKING,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(steps=[MADE_ANEW])
@given(steps=_steps)
def test_every_history_is_found_in_the_log_and_agrees_with_memory(new_url, steps: list[Step]) -> None:  # type: ignore[no-untyped-def]
    async def run() -> None:
        clock = Hands(now=1000.0)
        async with (
            opened_database(new_url(), upgrade=True, clock=clock) as database,
            store_in(database, bare_ids_for="idp") as store,
        ):
            world = World(store, clock)
            await world.do([put(row) for row in FIRST])
            await world.do([Usage(owner, 4) for owner in OWNERS])
            await world.look()
            heads = [await store.head()]
            for step in steps:
                await world.do(step)
                await world.look()
                heads.append(await store.head())
            assert heads == sorted(heads)
            await world.check_log(world.found[0], world.found[-1], 2)

    asyncio.run(run())


def test_the_world_has_everything_that_rows_are_found_by() -> None:
    """Otherwise the laws would hold for what is not looked at."""
    assert {lookup.sought for lookup in LOOKUPS} == {each for each in Sought if each.value <= Sought.MODEL.value}
