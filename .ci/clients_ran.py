"""Shows the closing lines of the clients' test runs, and fails unless each language ran tests, all passed, and none was
skipped.

Arguments are LANGUAGE=LOG: what `make test-client-LANGUAGE` printed, for go with ARGS=-v.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

Counts = tuple[int, int, int]
"""How many passed, failed, and did not run."""


def _pytest(text: str) -> Counts:
    closing = text.rstrip().rpartition("\n")[2]

    def count(*words: str) -> int:
        return sum(int(each) for word in words for each in re.findall(rf"(\d+) {word}\b", closing))

    return count("passed"), count("failed", "errors?"), count("skipped", "xfailed", "xpassed")


def _go(text: str) -> Counts:
    """Tests, not the parts of them; a part that is skipped counts all the same."""
    passed, failed, skipped = (
        len(re.findall(pattern, text, re.MULTILINE))
        for pattern in (r"^--- PASS: ", r"^(?:--- )?FAIL\b", r"^\s*--- SKIP: ")
    )
    return passed, failed, skipped


def _node(text: str) -> Counts:
    """The summaries of node --test, as TAP or for people."""
    passed, failed, skipped = (
        sum(int(each) for word in words for each in re.findall(rf"^[#\u2139] {word} (\d+)$", text, re.MULTILINE))
        for words in (("pass",), ("fail", "cancelled"), ("skipped", "todo"))
    )
    return passed, failed, skipped


def _surefire(text: str) -> Counts:
    """The summaries of Maven's modules, which name no class."""
    pattern = r"Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)\s*$"
    found = [tuple(map(int, each)) for each in re.findall(pattern, text, re.MULTILINE)]
    ran, failures, errors, skipped = (sum(column) for column in zip(*found, strict=True)) if found else (0, 0, 0, 0)
    return ran - failures - errors - skipped, failures + errors, skipped


READERS: dict[str, Callable[[str], Counts]] = {"python": _pytest, "go": _go, "typescript": _node, "java": _surefire}
"""For each language there is a client for."""


def main(arguments: list[str]) -> int:
    """0 when every language ran its tests."""
    logs = dict(argument.split("=", 1) for argument in arguments)
    wrong = [f"{language}: no run" for language in READERS.keys() - logs.keys()]
    for language, log in logs.items():
        # Without the colors that runners give to what they say.
        text = re.sub(r"\x1b\[[0-9;]*m", "", Path(log).read_text("utf-8", "replace"))
        passed, failed, skipped = READERS[language](text)
        line = f"{language} client: {passed} passed, {failed} failed, {skipped} did not run"
        sys.stdout.write(f"{line}\n")
        if not passed or failed or skipped:
            wrong.append(line)
    if wrong:
        raise SystemExit("not every client was tested:\n" + "\n".join(wrong))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
