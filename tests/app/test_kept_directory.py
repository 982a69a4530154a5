"""A daemon whose directory is kept in a database: it is filled once, survives, and is moved on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from config_files import settings
from keyring import key_pair, key_set
from tools.asleep import slept
from usherd.config.settings import Settings
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, Team, Write, WriteKind
from usherd.ground import Ground
from usherd.grounds import opened_ground
from usherd.moving import Moving, Refused
from usherd.ports import Facts, Wanted

CONFIG = """\
issuers:
  - name: idp
    issuer: https://idp.example
    audiences: [gateway]
    keys: {jwks_file: keys.json}
teams: {routes: [/v1/models]}
directory: {url: "sqlite:///usher.db", seed: directory.yaml}
"""
TEAMS = """\
organizations: [{id: acme}]
teams: [{id: red, models: [o1], organization: acme, members: [{user: ann, max_budget: 0}]}, {id: blue}]
users: [{id: ann, teams: [blue]}]
end_users: [{id: customer, blocked: true}]
"""
WANTED = Wanted(issuer="idp", user="ann", teams=("red", "blue", "new"), end_user="customer")


def made(folder: Path, text: str = CONFIG, *, directory: str = TEAMS) -> Settings:
    (folder / "keys.json").write_text(json.dumps(key_set(key_pair("Ed25519", "k1"))))
    found = settings(folder, text, directory=directory)
    return replace(found, server=replace(found.server, deadline=0.01))


async def facts_of(ground: Ground, found: Settings) -> Facts:
    return await ground.house(found).facts([WANTED])


@asynccontextmanager
async def moved_into(found: Settings) -> AsyncIterator[Moving]:
    async with opened_ground(found) as ground:
        moving = await Moving.into(found, ground)
        try:
            yield moving
        finally:
            await moving.close()


async def test_an_empty_database_is_filled_with_the_seed(tmp_path: Path) -> None:
    found = made(tmp_path)
    async with opened_ground(found) as ground:
        facts = await facts_of(ground, found)

    assert (tmp_path / "usher.db").stat().st_mode & 0o777 == 0o600
    red, ann, customer = facts.team("idp", "red"), facts.user("idp", "ann"), facts.end_user("customer")
    assert red is not None
    assert ann is not None
    assert customer is not None
    assert (red.organization, red.models, ann.teams, customer.blocked) == ("acme", ("o1",), ("blue", "red"), True)
    place = facts.member("red", "ann")
    assert place is not None
    assert (place.max_budget_micro_usd, facts.revision) == (0, 2)
    assert facts.budget(BudgetOwner(BudgetKind.MEMBER, "ann", "red")) is BudgetState.REACHED


async def test_what_was_written_outlives_the_daemon_and_the_seed_is_left_aside(tmp_path: Path) -> None:
    found = made(tmp_path)
    async with opened_ground(found) as ground:
        await ground.house(found).write([Write(WriteKind.CREATE_TEAM, Team(id="new", models=("o1",)))])

    found = made(tmp_path, directory="teams: [{id: other}]\n")
    async with opened_ground(found) as ground:
        facts = await facts_of(ground, found)

    assert facts.team("idp", "new") is not None
    assert facts.team("idp", "red") is not None


async def test_a_machine_that_slept_tells_nothing_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(tmp_path)
    async with opened_ground(found) as ground:
        house = ground.house(found)
        await house.facts([WANTED])
        assert house.at_hand() is not None
        slept(monkeypatch, 3600)
        # Nothing of it was read again yet: this is the first that is asked.
        assert house.at_hand() is None
        assert not ground.fresh
        async with asyncio.timeout(30):
            while house.at_hand() is None:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)


async def test_a_seed_fills_nothing_that_has_been_written_to_even_if_it_is_empty_again(tmp_path: Path) -> None:
    nothing = made(tmp_path, CONFIG.replace(", seed: directory.yaml", ""))
    async with opened_ground(nothing) as ground:
        assert ground.store is not None
        await ground.house(nothing).write([Write(WriteKind.CREATE_TEAM, Team(id="new"))])

    found = made(tmp_path)
    async with opened_ground(found) as ground:
        facts = await facts_of(ground, found)

    assert (facts.team("idp", "red"), facts.revision) == (None, 2)


async def test_replicas_that_begin_at_once_fill_it_once(tmp_path: Path) -> None:
    found = made(tmp_path)
    async with opened_ground(found) as one, opened_ground(found) as other:
        assert [ground.look().revision for ground in (one, other)] == [2, 2]
        assert (await facts_of(other, found)).team("idp", "red") is not None


async def test_a_reload_goes_on_with_what_is_kept(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        old = moving.house
        await old.directory.write([Write(WriteKind.CREATE_TEAM, Team(id="new"))])

        await moving.move(lambda: made(tmp_path, CONFIG + "access: {user.unknown: refused}\n"), lambda: None)

        assert moving.house is not old
        facts = await moving.house.directory.facts([WANTED])
        assert facts.team("idp", "new") is not None
        # Whoever still answers in the old house reads the same directory.
        assert (await old.directory.facts([WANTED])).revision == facts.revision


@pytest.mark.parametrize(
    "changed", [CONFIG.replace("usher.db", "other.db"), CONFIG.replace('url: "sqlite:///usher.db", ', "")]
)
async def test_another_database_takes_a_restart(tmp_path: Path, changed: str) -> None:
    async with moved_into(made(tmp_path)) as moving:
        before = moving.house

        with pytest.raises(Refused) as refused:
            await moving.move(lambda: made(tmp_path, changed), lambda: None)

        assert [problem.key for problem in refused.value.problems] == ["directory.url"]
        assert moving.house is before


async def test_the_global_budget_is_told_to_the_store(tmp_path: Path) -> None:
    exhausted = CONFIG + "budgets: {global: {max: 0.000001}}\n"
    async with moved_into(made(tmp_path)) as moving:
        assert moving.ground.store is not None
        await moving.move(lambda: made(tmp_path, exhausted), lambda: None)
        spent = await moving.ground.store.usage(BudgetOwner(BudgetKind.GLOBAL))

    async with opened_ground(made(tmp_path, exhausted)) as ground:
        assert ground.store is not None
        again = await ground.store.usage(BudgetOwner(BudgetKind.GLOBAL))

    assert spent is not None
    assert again is not None
    assert spent.state is again.state is BudgetState.WITHIN
    assert spent.period_end < float("inf")
