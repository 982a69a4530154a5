"""Tells the stories beside this file, as `usherd test` does: each is a promise."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from pathlib import Path

import pytest

from usherd.stories.book import OpenBook, read_book
from usherd.stories.finding import story_files
from usherd.stories.report import lines
from usherd.stories.run import Result, run

HERE = Path(__file__).parent
BOOKS = {file.relative_to(HERE).with_suffix("").as_posix(): read_book(file) for file in story_files([HERE])}
STORIES = [(name, story.name) for name, opened in BOOKS.items() for story in opened.book.stories]


@functools.cache
def told(name: str) -> Mapping[str, Result]:
    """How the stories of one file went. They share what is loaded, so they are told together."""
    return asyncio.run(_told(BOOKS[name]))


async def _told(opened: OpenBook) -> dict[str, Result]:
    return {result.name: result async for result in run(opened)}


@pytest.mark.parametrize(("book", "story"), STORIES, ids=[f"{book}: {story}" for book, story in STORIES])
def test_story(book: str, story: str) -> None:
    result = told(book)[story]

    assert result.passed, "\n".join(lines(result))


def test_there_are_stories() -> None:
    assert len(STORIES) >= 30
