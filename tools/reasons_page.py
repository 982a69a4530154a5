"""Writes docs/reasons.md from the comments of the contract, or checks that it is as written (--check)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from written_pages import ROOT, write_or_check

PAGE = ROOT / "docs" / "reasons.md"
ENTRY = re.compile(r"((?:  // .*\n)+)  (REASON|FAULT_REASON)_(\w+) = (\d+);")
HEAD = """\
# Reasons

Written from `proto/usher/v1/reason.proto` and `fault.proto` by `tools/reasons_page.py`; change it there.

## Why a decision is what it is

The status is the one in the table, unless `http_status: reference` asks for LiteLLM's: 400 for an exhausted budget, 403
for what LiteLLM refuses on purpose, and 401 for every other denial.

| reason | number | HTTP | meaning | what the caller should do |
|---|---|---|---|---|
"""
FAULTS = """
## Why there is no decision

An error status, never a denial: the gateway fails closed. The reason stands in `google.rpc.ErrorInfo` (domain
`usher.v1`) in the trailers.

| reason | status | meaning |
|---|---|---|
"""


def page() -> str:
    """The page's text."""
    proto = ROOT / "proto" / "usher" / "v1"
    lines = [HEAD]
    for comment, name, number in entries(proto / "reason.proto"):
        found = re.fullmatch(r"(.*) Caller: (.*) HTTP (\d+)\.", comment)
        if found is None:
            raise SystemExit(f"reason.proto: {name}: expected a comment 'Meaning. Caller: advice. HTTP status.'")
        meaning, advice, status = found.groups()
        lines.append(f"| `{name}` | {number} | {status} | {meaning} | {advice} |\n")
    lines.append(FAULTS)
    for comment, name, _ in entries(proto / "fault.proto"):
        status, _, meaning = comment.partition(": ")
        lines.append(f"| `{name}` | {status} | {meaning} |\n")
    return "".join(lines)


def entries(file: Path) -> list[tuple[str, str, str]]:
    """(comment on one line, name without prefix, number) of each value but the unspecified one."""
    found = []
    for comment, _, name, number in ENTRY.findall(file.read_text()):
        if name != "UNSPECIFIED":
            found.append((" ".join(line.strip(" /") for line in comment.splitlines()), name, number))
    return found


if __name__ == "__main__":
    sys.exit(write_or_check({PAGE: page()}, "the contract"))
