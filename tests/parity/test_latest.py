"""What strict answers where the newest LiteLLM answers otherwise is what the page says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from usherd.parity.answers import Outcome
from usherd.parity.cases import read_cases
from usherd.parity.fixtures import importable
from usherd.parity.latest import Change, kind_of
from usherd.parity.runner import running

from .support import CASES, DOCUMENTS

PAGE = (Path(__file__).parents[2] / "docs" / "parity.md").read_text()


def rows() -> dict[str, list[int]]:
    """The numbers of the page's table, by kind of change; a kind is the first cell up to its colon."""
    section = PAGE.partition("## Against the newest version")[2].partition("\n## ")[0]
    found = re.findall(r"^\| ([a-zA-Z ]+)(?::[^|]*)? \|((?: \d+ \|){6})$", section, re.MULTILINE)
    return {kind: [int(number) for number in re.findall(r"\d+", numbers)] for kind, numbers in found}


async def counted() -> dict[str, Change]:
    changes: dict[str, Change] = {}
    async with running(DOCUMENTS, "strict") as strict:
        for case in read_cases(CASES):
            kind = kind_of(case)
            if kind is not None:
                changes.setdefault(kind, Change()).add(case, await strict.ask(case))
    return changes


def test_the_table_of_the_newest_version_has_the_numbers_that_come_out() -> None:
    with importable(CASES):
        changes = asyncio.run(counted())

    assert rows() == {
        kind: [
            each.cases,
            each.reference_allows,
            each.latest_allows,
            each.answers[Outcome.ALLOWED],
            each.answers[Outcome.DENY],
            each.answers[Outcome.FAULT] + each.answers[Outcome.CONFIG_ERROR],
        ]
        for kind, each in changes.items()
    }
    # What the sentences below the table say of the security changes.
    holes = changes["SECURITY"]
    denied, left = holes.answers[Outcome.DENY], len(holes.laxer)
    assert f"denies {denied} of {holes.cases}. The other {left} are allowed" in PAGE
