"""Measures a directory of a million users and 100,000 teams that is kept in an SQLite, beside a small one in memory."""

from __future__ import annotations

import asyncio
import itertools
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.company import Company
from bench.in_process import authorizer_of
from bench.report import Figure
from keyring import StaticKeys, key_pair
from usher.v1 import authorization_service_pb2 as api
from usherd.app import spare_the_collector
from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.changes import RowKind
from usherd.config.load import load
from usherd.facts import Rows, Team, User
from usherd.ports import Directory, Wanted
from usherd.rpc import translate
from usherd.rpc.answers import check_response
from usherd.store import Edit, Op
from usherd.stores.sql.database import opened_database
from usherd.stores.sql.seeding import seed
from usherd.stores.sql.sql_directory import SqlDirectory, opened_directory
from usherd.stores.sql.sql_store import SqlStore, store_in

USERS, TEAMS = 1_000_000, 100_000
MAX_LARGE_OVER_SMALL = 1.15
"""How much more a known question may cost beside a million users in a database than beside a thousand in memory."""
MAX_CHANGING_OVER_STILL = 1.25
"""How much more it may cost while others change a hundred times a second."""
COLD = 300
STRETCH = 200
"""Questions between two changes, or turns of others: with some 20,000 a second, a hundredth of a second."""
Rest = Callable[[], Awaitable[None]]
_CHANGED = Team(id="more-100", models=("*",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    store: SqlStore
    directory: SqlDirectory
    authorizer: Authorizer
    seconds: float
    megabytes: float


def measure(company: Company, folder: Path, rounds: int, users: int = USERS, teams: int = TEAMS) -> list[Figure]:
    """How long it takes to fill, how large it is, and what known and unknown questions cost there."""
    return asyncio.run(_measure(company, folder, rounds, users, teams))


async def _measure(company: Company, folder: Path, rounds: int, users: int, teams: int) -> list[Figure]:
    requests = company.check
    small = authorizer_of(company.config)
    async with _kept(company, folder, users, teams) as kept:
        spare_the_collector()
        rest = kept.directory.feed.catch_up
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for authorizer in (small, kept.authorizer):
            await _pass(authorizer, requests, rest)
        smalls, larges, ratios, changings, slower = [], [], [], [], []
        for number in range(rounds):
            # Whoever goes second finds the caches of the first: they take turns.
            pair = [small, kept.authorizer] if number % 2 else [kept.authorizer, small]
            costs = {id(each): min([await _pass(each, requests, rest) for _ in range(3)]) for each in pair}
            smalls.append(costs[id(small)])
            larges.append(costs[id(kept.authorizer)])
            ratios.append(larges[-1] / smalls[-1])
        for _ in range(rounds):
            still, changing = await _pass(kept.authorizer, requests, rest), await _changing(kept, requests)
            changings.append(changing)
            slower.append(changing / still)
        colds = [await _cold(kept, number * COLD, users) for number in range(rounds)]
        held = len(kept.directory.entities)
    return [
        Figure(f"fill an SQLite: {users:,} users, {teams:,} teams", "s", (kept.seconds,)),
        Figure("its file", "MB", (kept.megabytes,)),
        Figure("the most memory of the process that filled it", "MB", (memory,)),
        Figure("known question, 1,000 users in memory", "us", tuple(smalls)),
        Figure(f"known question, {users:,} users in the SQLite", "us", tuple(larges)),
        Figure("known: the SQLite over memory", "times", tuple(ratios), MAX_LARGE_OVER_SMALL),
        Figure("the same while others change 100 times a second", "us", tuple(changings)),
        Figure("known: changing over still", "times", tuple(slower), MAX_CHANGING_OVER_STILL),
        Figure("rows of somebody who was not held, one at a time", "us", tuple(colds)),
        Figure("look-ups held in the end", "", (held,)),
    ]


@asynccontextmanager
async def _kept(company: Company, folder: Path, users: int, teams: int) -> AsyncIterator[Kept]:
    settings = load(company.config)
    file = folder / "directory.db"
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened_database(f"sqlite:///{file}", upgrade=True))
        rows = _rows(settings.directory, users, teams)
        begun = time.perf_counter()
        assert await seed(database, rows)
        seconds = time.perf_counter() - begun
        del rows
        store = await stack.enter_async_context(store_in(database, bare_ids_for="idp"))
        directory = await stack.enter_async_context(opened_directory(store, tell=lambda works, fields: None))
        directory.answer_for("idp")
        keys = StaticKeys.of(idp=[key_pair("RSA", "bench")])
        ids = (f"{number:026d}" for number in itertools.count())
        authorizer = Authorizer(
            policy=settings.policy,
            verifier=Verifier(settings.policy, keys, time.time),
            keys=keys,
            directory=directory.house("idp"),
            clock=time.time,
            stopwatch=time.monotonic,
            new_id=lambda: next(ids),
        )
        yield Kept(store=store, directory=directory, authorizer=authorizer, seconds=seconds, megabytes=_size(folder))


def _size(folder: Path) -> float:
    return sum(each.stat().st_size for each in folder.glob("directory.db*")) / 1e6


def _rows(rows: Rows, users: int, teams: int) -> Rows:
    """The company's rows, and as many more as there are to be."""
    more_teams = (Team(id=f"more-{number}", organization="org-0", models=("*",)) for number in range(teams))
    more_users = (
        User(id=f"user-{number:09d}", email=f"user-{number}@example.com", teams=(f"more-{number % teams}",))
        for number in range(users - len(rows.users))
    )
    return replace(
        rows,
        teams=tuple(itertools.islice(itertools.chain(rows.teams, more_teams), teams)),
        users=(*rows.users, *more_users),
    )


async def _pass(authorizer: Authorizer, requests: Sequence[bytes], rest: Rest) -> float:
    """Microseconds a question, over all of them once. In between, what goes on in the background has its turn:
    questions that are all known would never wait for anything."""
    spent, answers = 0.0, []
    for begin in range(0, len(requests), STRETCH):
        begun = time.perf_counter()
        answers += [await _answer(authorizer, request) for request in requests[begin : begin + STRETCH]]
        spent += time.perf_counter() - begun
        await rest()
    _look_at(answers)
    return spent / len(requests) * 1e6


async def _changing(kept: Kept, requests: Sequence[bytes]) -> float:
    """The same, while a team that nobody asks about changes every hundredth second, on this replica. What the changes
    themselves take is not in it: questions are asked in between."""
    spent, answers, blocked = 0.0, [], False
    for begin in range(0, len(requests), STRETCH):
        blocked = not blocked
        row = replace(_CHANGED, blocked=blocked)
        applied = await kept.store.apply([Edit(Op.PUT, RowKind.TEAM, (row.id,), row)])
        await kept.directory.feed.reach(applied.revision)
        begun = time.perf_counter()
        answers += [await _answer(kept.authorizer, request) for request in requests[begin : begin + STRETCH]]
        spent += time.perf_counter() - begun
    _look_at(answers)
    return spent / len(requests) * 1e6


async def _answer(authorizer: Authorizer, request: bytes) -> bytes:
    asked = api.CheckRequest.FromString(request)
    at_hand = authorizer.at_hand(translate.encoded(asked), lambda: translate.question(asked))
    if at_hand is not None:
        return check_response(at_hand, keep=True)
    return check_response(await authorizer.authorize(translate.question(asked)))


def _look_at(answers: Sequence[bytes]) -> None:
    for answer in answers:
        decision = api.CheckResponse.FromString(answer).decision
        if decision.effect != 1 or not decision.depends_on:
            raise AssertionError("a question was not allowed")


async def _cold(kept: Kept, begin: int, users: int) -> float:
    """Microseconds until the rows of somebody new are there: a user, a team, an organization, and their budgets."""
    directory: Directory = kept.directory.house("idp")
    step = max(1, users // 7919)
    begun = time.perf_counter()
    for number in range(begin, begin + COLD):
        name = f"user-{number * step % (users - 1000):09d}"
        facts = await directory.facts([Wanted(issuer="idp", user=name, organizations=("org-1",))])
        if facts.user("idp", name) is None:
            raise AssertionError("somebody is not there")
    return (time.perf_counter() - begun) / COLD * 1e6
