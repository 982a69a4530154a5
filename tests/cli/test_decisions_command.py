"""`usherd decisions` finds decisions in a decision log."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from commands import usherd, usherd_here


def _line(number: int, **fields: Any) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - number * 3600))
    common = {"v": 1, "time": moment, "decision_id": f"d-{number}", "request_id": "", "trace_id": "", "caller": "one"}
    return common | {"effect": "ALLOW", "reason": "ALLOWED", "token_id": "", "issuer": "idp"} | fields


LINES = [
    _line(5, effect="DENY", reason="TEAM_BLOCKED"),
    _line(4, request_id="r-7", caller="two"),
    _line(3, effect="DENY", reason="TOKEN_EXPIRED", trace_id="abc"),
    _line(2, token_id="t-9"),
    _line(0, effect="DENY", reason="TEAM_BLOCKED", model="\x1b[31mred"),
]
LOG = (
    "\n".join([*map(json.dumps, LINES[:2]), '{"v":1,"decision_id":"cut', "{}", "[]", *map(json.dumps, LINES[2:])])
    + "\n"
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ((), [5, 4, 3, 2, 0]),
        (("--effect", "deny"), [5, 3, 0]),
        (("--reason", "TEAM_BLOCKED"), [5, 0]),
        (("--caller", "two"), [4]),
        (("--id", "d-3"), [3]),
        (("--id", "r-7"), [4]),
        (("--id", "ab"), [3]),
        (("--id", "t-9"), [2]),
        (("--since", "210m"), [3, 2, 0]),
        (("--since", "1d", "--effect", "DENY", "--id", "d-5"), [5]),
    ],
    ids=str,
)
def test_decisions_are_found_by_what_they_say(wanted: tuple[str, ...], found: list[int], tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    done = usherd_here("decisions", tmp_path / "log", "--json", *wanted)

    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["decision_id"] for line in done.stdout.splitlines()] == [f"d-{number}" for number in found]


def test_a_person_gets_a_line_each_that_no_terminal_obeys() -> None:
    done = usherd("decisions", "-", "--effect", "deny", typed=LOG)

    lines = done.stdout.splitlines()
    assert [line.split()[1:3] for line in lines] == [
        ["DENY", "TEAM_BLOCKED"],
        ["DENY", "TOKEN_EXPIRED"],
        ["DENY", "TEAM_BLOCKED"],
    ]
    assert "\x1b" not in done.stdout
    assert "\\x1b[31mred" in lines[2]


def test_they_are_counted_by_what_is_asked_for_the_most_first() -> None:
    done = usherd_here("decisions", "-", "--count", "reason", "--effect", "deny", typed=LOG)

    assert [line.split() for line in done.stdout.splitlines() if line.strip(" ─")] == [
        ["reason", "count"],
        ["TEAM_BLOCKED", "2"],
        ["TOKEN_EXPIRED", "1"],
    ]


def test_none_that_is_so_is_exit_code_1() -> None:
    done = usherd_here("decisions", "-", "--reason", "USER_BLOCKED", typed=LOG)

    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(
    ("words", "typed", "says"),
    [
        (("-",), "no decision\n", "there is no decision in it"),
        (("nowhere.jsonl",), "", "nowhere.jsonl: cannot be read"),
        (("-", "--since", "soon"), LOG, "--since: is no duration"),
        (("-", "--count", "colour"), LOG, "--count: colour is not possible here"),
    ],
    ids=["nothing in it", "no such file", "no duration", "nothing to count by"],
)
def test_what_cannot_be_read_or_done_is_said(words: tuple[str, ...], typed: str, says: str) -> None:
    done = usherd_here("decisions", *words, typed=typed)

    assert done.returncode == 2
    assert says in done.stderr
