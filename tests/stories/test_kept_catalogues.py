"""Tells the same stories of a catalogue that a store keeps: where models are kept changes no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from usherd.config.catalogue import with_kept_models
from usherd.config.load import load_document
from usherd.config.settings import Settings
from usherd.policy import Policy
from usherd.store import ModelRow
from usherd.stories import compiled
from usherd.stories.book import read_book
from usherd.stories.finding import story_files
from usherd.stories.report import lines
from usherd.stories.run import Result, run

HERE = Path(__file__).parent
BOOKS = [file for file in story_files([HERE]) if "models:\n" in file.read_text() or "models: [{" in file.read_text()]
"""Those that may have a catalogue."""


def kept(made: Callable[..., Settings], seen: list[int]) -> Callable[..., Settings]:
    """Loads a configuration, and takes its models from a store instead."""

    def load(*arguments: object, **named: object) -> Settings:
        found = made(*arguments, **named)
        rows = [
            ModelRow(name=each.name, provider=each.provider, groups=each.groups, aliases=each.aliases)
            for each in found.policy.models
        ]
        shadow = None if found.shadow is None else without(found.shadow)
        catalogued = with_kept_models(replace(found, policy=without(found.policy), shadow=shadow), rows)
        assert catalogued.kept == len(rows)
        assert catalogued.left_aside == ()
        seen.append(len(rows))
        return catalogued.settings

    return load


def without(policy: Policy) -> Policy:
    return replace(policy, models=())


async def told(file: Path) -> list[Result]:
    return [result async for result in run(read_book(file))]


def test_there_are_books_with_aliases_and_groups() -> None:
    texts = [file.read_text() for file in BOOKS]

    assert any("aliases:" in text for text in texts)
    assert any("access-group/" in text for text in texts)


@pytest.mark.parametrize("file", BOOKS, ids=[file.relative_to(HERE).with_suffix("").as_posix() for file in BOOKS])
def test_a_catalogue_of_a_store_gives_the_same_answers(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(compiled, "load_document", kept(load_document, seen))

    results = asyncio.run(told(file))

    assert any(seen)
    assert ["\n".join(lines(result)) for result in results if not result.passed] == []
