"""From one house into the next: the directory stays, with what is in it, and nothing is left of houses not in use."""

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
from tools.key_server import Fault, KeyServer
from usherd.changes import News
from usherd.config.problems import ConfigError, Problem
from usherd.config.settings import Settings
from usherd.domain import DependencyKind
from usherd.errors import DirectoryUnavailable, RevisionNotReached
from usherd.facts import BudgetKind, BudgetOwner, BudgetState, Write, WriteKind
from usherd.facts import User as UserRow
from usherd.ground import HouseDirectory, Step
from usherd.house import House
from usherd.memory_ground import MemoryGround
from usherd.moving import Moving, Refused
from usherd.stores.memory_directory import MemoryDirectory

CONFIG = """\
issuers:
  - name: idp
    issuer: https://idp.example
    audiences: [gateway]
    keys: {jwks_file: keys.json}
teams: {routes: [/v1/models]}
directory: {seed: directory.yaml}
"""
TEAM = "teams: [{id: red, models: [o1], max_budget: 1}]\n"
OWNER = BudgetOwner(BudgetKind.TEAM, "red")


def made(folder: Path, *, more: str = "", directory: str = TEAM) -> Settings:
    (folder / "keys.json").write_text(json.dumps(key_set(key_pair("Ed25519", "k1"))))
    found = settings(folder, CONFIG + more, directory=directory)
    return replace(found, server=replace(found.server, deadline=0.01))


@asynccontextmanager
async def moved_into(found: Settings) -> AsyncIterator[Moving]:
    moving = await Moving.into(found, MemoryGround(found))
    try:
        yield moving
    finally:
        await moving.close()


def directory_of(moving: Moving) -> MemoryDirectory:
    assert isinstance(moving.ground, MemoryGround)
    return moving.ground.directory


def nothing() -> None:
    return None


async def test_what_was_spent_and_written_stays_when_the_rows_do(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        directory = directory_of(moving)
        directory.record_usage(OWNER, 2_000_000)
        await directory.write([Write(WriteKind.CREATE_USER, UserRow(id="new"))])
        before = directory.at_hand()

        await moving.move(lambda: made(tmp_path, more="access: {user.unknown: refused}\n"), nothing)

        assert directory.at_hand() is before
        assert before.user_by_id("new") is not None
        assert before.budget(OWNER) is BudgetState.EXCEEDED


async def test_what_was_spent_stays_when_other_rows_change(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        directory_of(moving).record_usage(OWNER, 2_000_000)

        await moving.move(lambda: made(tmp_path, directory=TEAM.replace("}]", "}, {id: blue}]")), nothing)

        facts = directory_of(moving).at_hand()
        assert facts.team("idp", "blue") is not None
        assert facts.budget(OWNER) is BudgetState.EXCEEDED


async def test_the_next_house_begins_with_its_rows_and_its_own_authorizer(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        old, seen = moving.house, []

        def begin() -> None:
            seen.append((moving.house, directory_of(moving).at_hand().team("idp", "blue") is not None))

        await moving.move(lambda: made(tmp_path, directory="teams: [{id: blue, models: [o1]}]\n"), begin)

        assert seen == [(moving.house, True)]
        assert moving.house is not old


async def test_questions_in_the_old_house_do_not_meet_the_rows_of_the_new_one(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        old, before = moving.house.directory, moving.house.directory.at_hand()

        await moving.move(lambda: made(tmp_path, directory=TEAM.replace("o1", "o3")), nothing)
        new = moving.house.directory

        assert old.at_hand() is before
        assert await old.facts([]) is before
        assert new.at_hand() is not before
        await new.write([Write(WriteKind.CREATE_USER, UserRow(id="new"))])
        with pytest.raises(DirectoryUnavailable):
            await old.write([Write(WriteKind.CREATE_USER, UserRow(id="late"))])
        await old.reach(before.store, before.revision)
        with pytest.raises(RevisionNotReached):
            await old.reach(before.store, new.at_hand().revision)
        assert new.at_hand().user_by_id("late") is None


async def test_an_issuer_does_not_lose_its_keys_under_another_name(tmp_path: Path) -> None:
    def renamed() -> Settings:
        made(tmp_path)
        text = CONFIG.replace("name: idp", "name: other").replace(
            "jwks_file: keys.json", "jwks_url: https://127.0.0.1:1/k"
        )
        return settings(tmp_path, text, directory=TEAM)

    async with moved_into(made(tmp_path)) as moving:
        with pytest.raises(Refused) as raised:
            await moving.move(renamed, lambda: pytest.fail("nothing may begin"))

    assert "issuer other: its keys cannot be loaded now" in str(raised.value)


async def test_a_refused_configuration_leaves_everything_as_it_was(tmp_path: Path) -> None:
    def broken() -> Settings:
        raise ConfigError([Problem("usherd.yaml", 3, "rolls", "unknown key")])

    async with moved_into(made(tmp_path)) as moving:
        before, tasks = (moving.settings, moving.house, directory_of(moving).at_hand()), asyncio.all_tasks()

        with pytest.raises(Refused) as raised:
            await moving.move(broken, lambda: pytest.fail("nothing may begin"))

        assert (moving.settings, moving.house, directory_of(moving).at_hand()) == before
        assert asyncio.all_tasks() == tasks
        assert [str(each) for each in raised.value.problems] == ["usherd.yaml:3: rolls: unknown key"]


async def test_an_old_house_ends_when_its_longest_question_must_be_over(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        await moving.move(lambda: made(tmp_path), nothing)
        assert len(moving._ending) == 1

        async with asyncio.timeout(20):
            await asyncio.wait(set(moving._ending))
        await asyncio.sleep(0)
        assert not moving._ending


async def test_closing_ends_every_house(tmp_path: Path) -> None:
    tasks = asyncio.all_tasks()
    found = made(tmp_path)
    async with moved_into(replace(found, server=replace(found.server, deadline=60.0))) as moving:
        for _ in range(3):
            await moving.move(lambda: found, nothing)
        assert len(moving._ending) == 3

    assert asyncio.all_tasks() == tasks


async def test_a_key_that_is_withdrawn_during_a_move_stays_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, withdrawn = key_pair("Ed25519", "k1"), key_pair("Ed25519", "k2")
    async with KeyServer() as server:
        server.publish(kept.jwk(), withdrawn.jwk())
        text = CONFIG.replace("jwks_file: keys.json", f"jwks_url: {server.keys_url}")
        found = settings(tmp_path, text + "insecure: {loopback_http: true}\n", directory=TEAM)
        async with moved_into(found) as moving:
            ground, old = moving.ground, moving.house.keys
            step = ground.step

            async def only_the_old_house_learns() -> None:
                await server.fail(None)
                server.publish(kept.jwk(), withdrawn.jwk(use="enc"))
                await old.find_fresh("idp", "unknown", 10)
                await server.fail(Fault.STATUS_500)

            async def after_the_first_loads(before: Settings, after: Settings, house: HouseDirectory) -> Step:
                await only_the_old_house_learns()
                return await step(before, after, house)

            monkeypatch.setattr(ground, "step", after_the_first_loads)
            await server.fail(Fault.STATUS_500)
            await moving.move(lambda: found, nothing)
            new = moving.house.keys

            assert old.find("idp", "k2") is None
            assert new is not old
            assert new.find("idp", "k1") is not None
            assert new.find("idp", "k2") is None


async def test_keys_are_trusted_no_longer_for_a_machine_that_slept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with KeyServer() as server:
        server.publish(key_pair("Ed25519", "k1").jwk())
        text = CONFIG.replace("jwks_file: keys.json", f"jwks_url: {server.keys_url}")
        found = settings(tmp_path, text + "insecure: {loopback_http: true}\n", directory=TEAM)
        async with moved_into(found) as moving:
            keys = moving.house.keys
            assert keys.usable("idp")
            slept(monkeypatch, 30 * 86400)
            assert not keys.usable("idp")


async def test_what_an_old_house_learns_until_its_end_is_not_lost(tmp_path: Path) -> None:
    kept, withdrawn = key_pair("Ed25519", "k1"), key_pair("Ed25519", "k2")
    async with KeyServer() as server:
        server.publish(kept.jwk(), withdrawn.jwk())
        text = CONFIG.replace("jwks_file: keys.json", f"jwks_url: {server.keys_url}")
        found = settings(tmp_path, text + "insecure: {loopback_http: true}\n", directory=TEAM)
        async with moved_into(replace(found, server=replace(found.server, deadline=0.2))) as moving:
            old = moving.house.keys
            await moving.move(lambda: found, nothing)
            server.publish(kept.jwk(), withdrawn.jwk(use="enc"))
            await old.find_fresh("idp", "unknown", 10)
            assert moving.house.keys.find("idp", "k2") is not None

            await asyncio.wait(set(moving._ending))

            assert moving.house.keys.find("idp", "k2") is None


async def test_who_listens_goes_on_hearing_in_the_next_house(tmp_path: Path) -> None:
    heard: list[tuple[News, House]] = []
    async with moved_into(made(tmp_path)) as moving:
        first = moving.house
        unlisten = moving.listen(lambda news: heard.append((news, moving.house)))
        directory_of(moving).record_usage(OWNER, 2_000_000)
        await moving.move(lambda: made(tmp_path, directory=TEAM.replace("}]", "}, {id: blue}]")), nothing)
        second = moving.house
        directory_of(moving).reset_usage(OWNER)
        unlisten()
        directory_of(moving).record_usage(OWNER, 2_000_000)

    budget = frozenset({(DependencyKind.BUDGET, "team:red")})
    assert [(news.touched, house) for news, house in heard] == [(budget, first), (None, first), (budget, second)]
