"""Every option has a story for each of its values, and the story depends on that very option."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from usherd.config.schema_stories import Story
from usherd.options import BY_NAME, OPTIONS
from usherd.stories.book import OpenBook, read_book
from usherd.stories.finding import story_files
from usherd.stories.run import Result, run

HERE = Path(__file__).parent
PREFIX = "option:"
DO_NOT_LOAD = {"token.require_issuer", "token.require_audience"}
"""Options whose strict value refuses the policy that the other is about."""


@dataclass(frozen=True)
class Told:
    """A story that tells one value of one option."""

    book: OpenBook
    story: Story
    name: str
    value: str


def tellings() -> Iterator[Told]:
    for opened in map(read_book, story_files([HERE])):
        for story in opened.book.stories:
            for tag in story.tags:
                if tag.startswith(PREFIX):
                    name, _, value = tag.removeprefix(PREFIX).partition("=")
                    yield Told(opened, story, name, value)


TOLD = list(tellings())


def shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("name", [info.name for info in OPTIONS])
def test_each_value_of_an_option_has_a_story(name: str) -> None:
    told = sorted(each.value for each in TOLD if each.name == name)

    assert told == sorted(map(shown, BY_NAME[name].values))


@pytest.mark.parametrize("told", TOLD, ids=[f"{each.name}={each.value}" for each in TOLD])
def test_a_story_of_an_option_is_not_true_under_the_other_value(told: Told) -> None:
    strict, other = BY_NAME[told.name].values
    given = told.story.options.get(told.name, strict)
    assert shown(given) == told.value
    flipped = other if given == strict else strict
    story = told.story.model_copy(update={"options": {**told.story.options, told.name: flipped}})

    result = asyncio.run(only(told.book, story))

    assert result.outcome == ("malformed" if told.name in DO_NOT_LOAD and flipped == strict else "failed")


async def only(opened: OpenBook, story: Story) -> Result:
    """How that story went, in place of the one of its name."""
    stories = [story if each.name == story.name else each for each in opened.book.stories]
    book = opened.book.model_copy(update={"stories": stories})
    changed = OpenBook(document=opened.document, book=book, policy=opened.policy, people=opened.people, now=opened.now)
    (told,) = [result async for result in run(changed, lambda each: each.name == story.name)]
    return told
