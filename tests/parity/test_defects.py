"""Every known defect of the reference is answered: by an option or rule, and by a story under strict or a test."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from usherd.config.schema_stories import Story
from usherd.options import BY_NAME
from usherd.stories.book import OpenBook, read_book

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
sys.path.append(str(ROOT / "tools"))
import defects_page  # noqa: E402

DEFECTS: dict[int, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "defects.yaml").read_text())
COUNT = 45
KEYS = {"title", "governed_by", "stories", "tests", "later"}
PERMITTED = {"session_master_key"}
"""What may be open under strict: sessions cannot be told without it."""


def named(key: str) -> list[str]:
    """All stories, or tests, that the defects name."""
    return [entry for defect in DEFECTS.values() for entry in defect.get(key, [])]


@cache
def book(file: str) -> OpenBook:
    return read_book(TESTS / "stories" / file)


def story(entry: str) -> tuple[OpenBook, Story]:
    file, _, name = entry.partition(": ")
    opened = book(file)
    (found,) = [each for each in opened.book.stories if each.name == name]
    return opened, found


def laxities(opened: OpenBook, told: Story) -> Iterator[str]:
    """What is laxer than strict in a story's policy."""
    for options in (told.options, *(step.change.options for step in told.steps or [] if step.change is not None)):
        yield from (name for name, value in options.items() if BY_NAME[name].guard and value != BY_NAME[name].strict)
    whole: Any = opened.policy.value
    for policy in (whole, told.policy):
        yield from set(policy.get("insecure") or ()) - PERMITTED
    if (told.preset or told.policy.get("preset") or whole.get("preset", "strict")) != "strict":
        yield "preset"


def test_all_are_there_in_their_order() -> None:
    assert list(DEFECTS) == list(range(1, COUNT + 1))


@pytest.mark.parametrize("number", DEFECTS)
def test_each_is_governed_by_options_that_exist_or_by_a_rule(number: int) -> None:
    defect = DEFECTS[number]

    assert set(defect) <= KEYS
    assert defect["title"]
    assert defect["governed_by"]
    unknown = [each for each in defect["governed_by"] if re.fullmatch(r"[a-z_.]+", each) and each not in BY_NAME]
    assert unknown == []


@pytest.mark.parametrize("number", DEFECTS)
def test_each_is_told_by_a_story_or_by_a_test(number: int) -> None:
    defect = DEFECTS[number]

    assert defect.get("stories") or defect.get("tests")


@pytest.mark.parametrize("entry", sorted(set(named("stories"))))
def test_a_story_that_tells_one_exists_and_has_nothing_open(entry: str) -> None:
    opened, told = story(entry)

    assert list(laxities(opened, told)) == []


def test_what_is_open_in_a_story_is_found() -> None:
    lax = story("moving_over.yaml: a blocked user chats")
    opened_guard = story("options/access.yaml: a genuine token that maps to nothing may do what users may")

    assert list(laxities(*lax)) == ["preset"]
    assert list(laxities(*opened_guard)) == ["access.unentitled"]


@pytest.mark.parametrize("entry", sorted(set(named("tests"))))
def test_a_test_that_tells_one_exists(entry: str) -> None:
    file, _, name = entry.partition("::")
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)

    found = {node.name for node in ast.walk(ast.parse((TESTS / file).read_text())) if isinstance(node, functions)}

    assert name.startswith("test_")
    assert name in found


def test_every_story_of_the_defects_own_book_tells_one() -> None:
    own = {f"defects.yaml: {each.name}" for each in book("defects.yaml").book.stories}

    assert own <= set(named("stories"))


def test_the_page_has_the_table_that_the_data_says() -> None:
    text = (ROOT / "docs" / "parity.md").read_text()

    assert defects_page.page(text) == text
    assert len(re.findall(r"^\| \d+ \| .* \| .* \| .* \|$", defects_page.table(), re.MULTILINE)) == COUNT


def test_an_old_table_is_written_anew_and_the_rest_of_the_page_stays() -> None:
    old = f"before\n{defects_page.BEGIN}| 1 | old |\n{defects_page.END}after\n"

    assert defects_page.page(old) == f"before\n{defects_page.BEGIN}{defects_page.table()}{defects_page.END}after\n"
    with pytest.raises(SystemExit):
        defects_page.page("no place for it\n")
