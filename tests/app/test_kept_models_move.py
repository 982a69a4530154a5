"""From one catalogue to the next: the house keeps its keys and its tokens, and what fails changes nothing."""

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
from usherd.changes import Lookup, News, RowKind, Sought
from usherd.config.catalogue import MAX_KEPT_MODELS
from usherd.config.settings import Settings
from usherd.domain import DependencyKind, Question
from usherd.errors import DirectoryUnavailable
from usherd.grounds import opened_ground
from usherd.house import opened
from usherd.kept_models import KeptModels, kept_models_followed
from usherd.moving import Moving
from usherd.store import Edit, ModelRow, Op

CONFIG = """\
issuers:
  - {name: idp, issuer: https://idp.example, audiences: [gateway], keys: {jwks_file: keys.json}}
models: [{name: gpt-4o}]
directory: {url: "sqlite:///usher.db"}
"""


def made(folder: Path, more: str = "") -> Settings:
    (folder / "keys.json").write_text(json.dumps(key_set(key_pair("Ed25519", "k1"))))
    found = settings(folder, CONFIG + more)
    return replace(found, server=replace(found.server, deadline=0.01))


@asynccontextmanager
async def moved_into(found: Settings) -> AsyncIterator[Moving]:
    async with opened_ground(found) as ground:
        moving = await Moving.into(found, ground)
        try:
            yield moving
        finally:
            await moving.close()


async def put(moving: Moving, *names: str) -> None:
    assert moving.ground.store is not None
    for start in range(0, len(names), 1000):
        edits = [Edit(Op.PUT, RowKind.MODEL, (name,), ModelRow(name=name)) for name in names[start : start + 1000]]
        await moving.ground.store.apply(edits)


def models(moving: Moving) -> list[str]:
    return [model.name for model in moving.settings.policy.models]


async def until_taken(followed: KeptModels, count: int) -> None:
    async with asyncio.timeout(20):
        while followed.taken < count:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def test_a_change_gives_the_house_another_policy_and_leaves_it_its_keys(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        old, begun = moving.house, list[str]()
        await put(moving, "o3")

        assert await moving.take_models(lambda: begun.append(moving.settings.policy.digest))
        assert not await moving.take_models(lambda: begun.append("again"))

        new = moving.house
        assert (models(moving), begun) == (["gpt-4o", "o3"], [moving.settings.policy.digest])
        assert (new.keys, new.verifier, new.directory) == (old.keys, old.verifier, old.directory)
        assert new.authorizer is not old.authorizer


async def test_the_first_house_knows_the_models_already(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        await put(moving, "o3")

    async with moved_into(made(tmp_path)) as moving:
        assert models(moving) == ["gpt-4o", "o3"]


async def test_a_house_without_a_server_knows_them_too(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        await put(moving, "o3")
        assert await moving.take_models(lambda: None)
        digest = moving.settings.policy.digest

    question = Question(token="garbled", route="/v1/chat/completions", method="POST", model="o3")
    async with opened(made(tmp_path)) as house:
        decision = await house.authorizer.authorize(question)

    (policy,) = (each.id for each in decision.verdict.depends_on if each.kind is DependencyKind.POLICY)
    assert policy == digest


async def test_rows_that_change_no_answer_give_no_other_policy(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        old = moving.house
        await put(moving, "gpt-4o")

        assert not await moving.take_models(lambda: None)
        assert moving.house is old
        assert [each.model for each in moving.catalogued.left_aside] == ["gpt-4o"]


async def test_a_reload_and_models_take_turns(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        await put(moving, "o3")
        await asyncio.gather(
            moving.move(lambda: made(tmp_path, "access: {user.unknown: refused}\n"), lambda: None),
            moving.take_models(lambda: None),
        )

        assert models(moving) == ["gpt-4o", "o3"]
        assert moving.settings.policy.options.user_unknown == "refused"


async def test_what_cannot_be_read_leaves_the_models_in_force_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with moved_into(made(tmp_path)) as moving, kept_models_followed(moving, lambda: None) as followed:
        assert followed is not None
        ground, before = moving.ground, moving.house
        read, failures = ground.models, [DirectoryUnavailable(), RuntimeError("s3cret")]

        async def unread() -> tuple[ModelRow, ...]:
            if failures:
                raise failures.pop()
            assert (followed.outdated, moving.house) == (True, before)
            return await read()

        monkeypatch.setattr(ground, "models", unread)
        await put(moving, "o3")
        await until_taken(followed, 1)

        assert (followed.failed, followed.outdated) == (2, False)
        assert models(moving) == ["gpt-4o", "o3"]


async def test_many_changes_at_once_are_taken_together(tmp_path: Path) -> None:
    begun: list[int] = []
    async with (
        moved_into(made(tmp_path)) as moving,
        kept_models_followed(moving, lambda: begun.append(len(models(moving)))) as followed,
    ):
        assert followed is not None
        for number in range(20):
            await put(moving, f"m{number}")
        async with asyncio.timeout(20):
            while len(models(moving)) < 21:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)

        assert begun[-1] == 21
        assert len(begun) < 20


async def test_only_changes_of_models_have_them_read_again(tmp_path: Path) -> None:
    async with moved_into(made(tmp_path)) as moving:
        heard = []
        for news in (
            News(2, frozenset(), (Lookup(Sought.USER, ("ann",)),), 0.0),
            News(2, None, (), 0.0, told_anew=True),
            News(3, frozenset(), (Lookup(Sought.MODEL, ("o3",)),), 0.0),
            News(3, None, (), 0.0),
        ):
            followed = KeptModels(moving, lambda: None)
            followed.hear(news)
            heard.append(followed.wanted)

    assert heard == [False, False, True, True]


async def test_no_more_models_are_read_than_are_taken_and_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with moved_into(made(tmp_path)) as moving:
        await put(moving, *(f"m{number:05d}" for number in range(MAX_KEPT_MODELS + 5)))

        assert len(await moving.ground.models()) == MAX_KEPT_MODELS + 1
        assert await moving.take_models(lambda: None)
        assert moving.catalogued.kept == MAX_KEPT_MODELS

        KeptModels(moving, lambda: None).tell_left_aside()
        assert f"m{MAX_KEPT_MODELS:05d}" in capsys.readouterr().out
