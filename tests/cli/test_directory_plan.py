"""Laws of plans: what was exported is there already, and a plan that was made leaves nothing to be done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from tools.memory_store import MemoryStore
from usherd.changes import RowKind
from usherd.cli.directory_plan import KINDS, KeptRows, gathered, keyed, planned
from usherd.config.directory_file import directory_text, parse_directory
from usherd.config.problems import ConfigError
from usherd.domain import Limit
from usherd.facts import EndUser, Membership, Organization, Rows, Team, User
from usherd.store import Edit, Filter, Op, Place

TEXTS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=6)
IDS = st.one_of(st.sampled_from(["a", "b", "null", "no", "1", "- x", "k: v", "é\N{FIRE}", '"', "#"]), TEXTS)
MODELS = st.lists(st.sampled_from(["*", "gpt-4o", "openai/*", "access-group/fast", "1.5", "a b"]), max_size=3).map(
    tuple
)
AMOUNTS = st.one_of(st.none(), st.sampled_from([0, 1, 10**18 - 1]), st.integers(0, 10**9))
LIMITS = st.builds(
    Limit,
    tpm=st.one_of(st.none(), st.integers(0, 2**53)),
    rpm=st.one_of(st.none(), st.just(0)),
    max_budget_micro_usd=AMOUNTS,
    budget_reset_seconds=st.one_of(st.none(), st.sampled_from([1, 61, 86400, 3660 * 86400])),
)


@st.composite
def companies(draw: st.DrawFn, identities: st.SearchStrategy[str] = IDS) -> Rows:
    """A whole directory file, whose rows name each other."""
    organizations, teams, users = (draw(st.lists(IDS, max_size=3, unique=True)) for _ in range(3))
    places = {(team, user): draw(PLACES) for team in teams for user in users if draw(st.booleans())}
    free = iter(draw(st.lists(identities, unique=True, max_size=6)))
    ceilings = st.one_of(st.none(), MODELS)

    def subset(values: list[str]) -> tuple[str, ...]:
        return tuple(each for each in values if draw(st.booleans()))

    def user(name: str) -> User:
        own = subset(organizations)
        return User(
            id=name,
            identities=tuple(("idp", each) for each in [next(free, None)] if each is not None),
            sso_ids=subset(["s-1", "s-2"]),
            email=draw(st.sampled_from(["", "a@example.com"])),
            role=draw(st.sampled_from(["", "proxy_admin", "internal_user"])),
            models=draw(ceilings),
            teams=tuple(team for team, person in places if person == name),
            organizations=own,
            administers=tuple(each for each in own if draw(st.booleans())),
            blocked=draw(st.booleans()),
            limit=draw(LIMITS),
        )

    return Rows(
        organizations=tuple(
            Organization(id=each, alias=draw(st.sampled_from(["", "x"])), models=draw(ceilings), limit=draw(LIMITS))
            for each in organizations
        ),
        teams=tuple(
            Team(
                id=each,
                issuer=draw(st.sampled_from([None, "idp"])),
                organization=draw(st.sampled_from(["", *organizations])),
                models=draw(MODELS),
                blocked=draw(st.booleans()),
                limit=draw(LIMITS),
                guardrails_modifiable=draw(st.booleans()),
                model_aliases=draw(st.dictionaries(IDS, IDS, max_size=2)),
                members={user: place for (team, user), place in places.items() if team == each},
            )
            for each in teams
        ),
        users=tuple(user(each) for each in users),
        end_users=tuple(EndUser(id=each, blocked=draw(st.booleans())) for each in draw(st.lists(IDS, unique=True))),
    )


PLACES = st.builds(Membership, role=st.sampled_from(["user", "admin"]), max_budget_micro_usd=AMOUNTS)


async def kept_in(store: MemoryStore) -> KeptRows:
    kept = {}
    for kind in KINDS:
        for stored in (await store.page(kind, Filter(), limit=10_000)).rows:
            row: Any = stored.row
            kept[kind, (row.team, row.user) if isinstance(row, Place) else (row.id,)] = stored
    return kept


async def make(store: MemoryStore, edits: list[Edit], size: int) -> None:
    """Transactions of so many edits at most: each by itself leaves a whole directory."""
    for place in range(0, len(edits), size):
        await store.apply(edits[place : place + size])


@examples(150, deadline=None)
@given(rows=companies())
def test_what_was_exported_is_there_already(rows: Rows) -> None:
    async def work() -> None:
        store = MemoryStore()
        await make(store, planned(rows, {}, prune=True).edits(), 1000)
        kept = await kept_in(store)
        text = directory_text(gathered(kept.values()))

        again = planned(parse_directory(text.encode(), "export"), kept, prune=True)

        assert again.steps == ()
        assert again.unchanged == len(kept) == len(dict(keyed(rows)))

    asyncio.run(work())


SHARED = companies(st.sampled_from(["i-1", "i-2", "i-3"]))


@examples(150, deadline=None)
@given(first=SHARED, second=SHARED, prune=st.booleans(), size=st.integers(1, 9))
def test_a_plan_that_was_made_leaves_nothing_to_be_done(first: Rows, second: Rows, prune: bool, size: int) -> None:
    async def work() -> None:
        store = MemoryStore()
        await make(store, planned(first, {}, prune=True).edits(), 1000)
        before = await kept_in(store)
        plan = planned(second, before, prune=prune)
        if not prune and _taken(second, before):
            # Somebody whom the file does not know has an identity that it gives away: the store refuses that.
            return
        await make(store, plan.edits(), size)
        after = await kept_in(store)

        assert planned(second, after, prune=prune).steps == ()
        if prune:
            assert set(after) == set(dict(keyed(second)))
        else:
            people = {user.id for user in second.users}
            gone = {key for key in before if key not in after}
            assert all(kind is RowKind.MEMBERSHIP and row_id[1] in people for kind, row_id in gone)

    asyncio.run(work())


def _taken(rows: Rows, kept: KeptRows) -> bool:
    people = {user.id for user in rows.users}
    wanted = {each for user in rows.users for each in user.identities}
    return any(
        isinstance(stored.row, User) and stored.row.id not in people and wanted & set(stored.row.identities)
        for stored in kept.values()
    )


async def test_two_users_can_change_identities() -> None:
    def company(ann: str, bob: str) -> Rows:
        return Rows(users=(User(id="ann", identities=(("idp", ann),)), User(id="bob", identities=(("idp", bob),))))

    store = MemoryStore()
    await make(store, planned(company("1", "2"), {}, prune=False).edits(), 1)
    plan = planned(company("2", "1"), await kept_in(store), prune=False)

    await make(store, plan.edits(), 1000)

    assert planned(company("2", "1"), await kept_in(store), prune=False).steps == ()


async def test_who_is_taken_out_of_a_team_in_the_file_is_out_of_it() -> None:
    store = MemoryStore()
    team = Team(id="red", models=())
    await make(store, planned(Rows(teams=(team,), users=(User(id="ann", teams=("red",)),)), {}, prune=False).edits(), 9)

    plan = planned(Rows(users=(User(id="ann"),)), await kept_in(store), prune=False)

    assert [(step.op, step.kind, step.id) for step in plan.steps] == [(Op.DELETE, RowKind.MEMBERSHIP, ("red", "ann"))]


async def test_what_a_place_is_stays_where_the_file_does_not_have_its_team() -> None:
    store = MemoryStore()
    admin = Membership(role="admin", max_budget_micro_usd=5)
    company = Rows(teams=(Team(id="red", models=(), members={"ann": admin}),), users=(User(id="ann", teams=("red",)),))
    await make(store, planned(company, {}, prune=False).edits(), 9)

    assert planned(Rows(users=company.users), await kept_in(store), prune=False).steps == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("users: [{id: a}, {id: a}]", "users[1].id: 'a' is the id of users[0], too"),
        (
            "teams: [{id: t, members: [{user: a}]}]\nusers: [{id: a}]",
            "teams[0].members[0].user: 'a' is not in the team",
        ),
        ("teams: [{id: t, members: [{user: a}, {user: a}]}]", "teams[0].members[1].user: 'a' is the user of"),
        ("teams: [{id: t, tmp: 1}]", "teams[0].tmp"),
        ("models: []", "models"),
    ],
)
def test_a_file_is_refused_by_name_and_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_directory(text.encode(), "people.yaml")

    assert said in str(refused.value)
    assert "people.yaml" in str(refused.value)
