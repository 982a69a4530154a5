"""The page about parity names what the code names, with the counts that it has."""

from __future__ import annotations

import re
from pathlib import Path

from usherd.parity.differences import DIFFERENCES

PAGE = (Path(__file__).parents[2] / "docs" / "parity.md").read_text()


def test_the_page_has_each_named_difference_and_no_other() -> None:
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)) == {each.name for each in DIFFERENCES}


def test_the_counts_of_the_differences_add_up_to_the_one_of_all() -> None:
    counts = [int(count) for count in re.findall(r"^\| `[a-z-]+` \| (\d+) \|", PAGE, re.MULTILINE)]
    whole = re.search(r"^\| ([\d,]+) \| ([\d,]+) \([^)]*\) \| (\d+) \([^)]*\) \| (\d+) \|", PAGE, re.MULTILINE)

    assert whole is not None
    cases, same, named, otherwise = (int(number.replace(",", "")) for number in whole.groups())
    assert sum(counts) == named
    assert same + named + otherwise == cases
