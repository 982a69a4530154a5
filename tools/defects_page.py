"""Writes the table of the reference's defects into docs/parity.md, or checks that it is as written (--check).

Its source is tests/parity/defects.yaml, which a test holds to what the project has.
"""

from __future__ import annotations

import sys
from typing import Any

import yaml

from written_pages import ROOT, write_or_check

SOURCE = ROOT / "tests" / "parity" / "defects.yaml"
PAGE = ROOT / "docs" / "parity.md"
BEGIN = "<!-- written by tools/defects_page.py from tests/parity/defects.yaml -->\n"
END = "<!-- end -->\n"
HEAD = """\
| # | LiteLLM 1.63.2 | governed by | told by |
|---:|---|---|---|
"""


def page(text: str) -> str:
    """The page's text with the table as it should be. Raises SystemExit when the page has no place for it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"docs/parity.md: expected {BEGIN.strip()} and {END.strip()} around the table of defects")
    return before + begin + table() + end + after


def table() -> str:
    """The table, a row for each defect."""
    defects: dict[int, dict[str, Any]] = yaml.safe_load(SOURCE.read_text())
    return HEAD + "".join(
        f"| {number} | {each['title']} | {_governed(each)} | {_told(each)} |\n" for number, each in defects.items()
    )


def _governed(defect: dict[str, Any]) -> str:
    # Rules are sentences, and bring their own marks; options are single words.
    return "; ".join(each if " " in each or "`" in each else f"`{each}`" for each in defect["governed_by"])


def _told(defect: dict[str, Any]) -> str:
    stories = [_linked(f"stories/{file}", name) for file, _, name in _parted(defect.get("stories", []), ": ")]
    tests = [_linked(file, f"`{name}`") for file, _, name in _parted(defect.get("tests", []), "::")]
    later = [f"later: {defect['later']}"] if "later" in defect else []
    return "; ".join(stories + tests + later)


def _parted(entries: list[str], separator: str) -> list[tuple[str, str, str]]:
    return [entry.partition(separator) for entry in entries]


def _linked(file: str, name: str) -> str:
    return f"[{name}](../tests/{file})"


if __name__ == "__main__":
    sys.exit(write_or_check({PAGE: page(PAGE.read_text())}, "tests/parity/defects.yaml"))
