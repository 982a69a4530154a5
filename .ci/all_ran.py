"""Fails unless every test that pytest can collect was run by exactly one of the runs whose reports are given.

Apart from those that are marked with what .ci/run leaves to a command of its own (Keycloak takes minutes to build), and
from laws, which run twice: with few examples, and in `make test-slow` with all.
A skipped test counts as run only when the shared cases are not on this machine and that is its reason.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from xml.etree import ElementTree

MISSING_SHARED = "the shared vectors are not here"
ALL = "not keycloak"
TWICE = "law and not slow and not keycloak"


def collected(wanted: str) -> int:
    """How many tests have these marks."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", wanted, "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"^(\d+)(?:/\d+)? tests? collected", done.stdout, re.MULTILINE)
    if found is None:
        raise SystemExit("pytest could not collect the tests:\n" + done.stdout[-2000:])
    return int(found.group(1))


def ran(report: str) -> int:
    """How many tests that report is about. Ends the program when one of them was skipped without need."""
    cases = ElementTree.parse(report).getroot().findall(".//testcase")
    for case in cases:
        skipped = case.find("skipped")
        if skipped is None:
            continue
        reason = skipped.get("message", "")
        if "USHERD_SHARED" in os.environ or MISSING_SHARED not in reason:
            raise SystemExit(f"did not run: {case.get('classname')}.{case.get('name')}: {reason}")
    return len(cases)


def main() -> int:
    """0 when the reports together are about all tests."""
    counts = [ran(report) for report in sys.argv[1:]]
    once, twice = collected(ALL), collected(TWICE)
    if 0 in counts or sum(counts) != once + twice:
        raise SystemExit(f"{once} tests can be collected, {twice} of them laws, but {counts} ran")
    return 0


if __name__ == "__main__":
    sys.exit(main())
