"""`usherd parity` shows a table, writes each answer, and its exit code says whether anything differs otherwise."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from commands import usherd
from usherd.parity.cases import read_cases

from .support import CASES, FOLDER

AGREEING = "team.id.unknown.claude.upsert"
DIFFERING = "sig.jwk.private_jwk"


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """A file with one case, whose recorded answer was turned round."""
    with lzma.open(CASES) as lines:
        case = next(case for case in map(json.loads, lines) if case["id"] == AGREEING)
    case["expected"]["final_allowed"] = False
    (tmp_path / "jwks").symlink_to(FOLDER / "jwks")
    (tmp_path / "cases.jsonl").write_text(json.dumps(case))
    return tmp_path / "cases.jsonl"


def test_answers_that_agree_or_differ_by_name_are_exit_code_0(tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"

    done = usherd("parity", CASES, "--only", AGREEING, "--only", DIFFERING, "--out", out)

    assert done.returncode == 0, done.stderr
    assert "key-hygiene 1" in done.stdout
    results = {each["id"]: each for each in map(json.loads, out.read_text().splitlines())}
    assert results[AGREEING] == {
        "id": AGREEING,
        "allowed": True,
        "http_status": 200,
        "reason": "ALLOWED",
        "is_proxy_admin": False,
        "team_id": "t-nope",
        "user_id": None,
        "org_id": None,
        "end_user_id": None,
        "role": "team",
        "db_writes": [{"data": {"team_id": "t-nope"}, "op": "create", "table": "litellm_teamtable"}],
        "difference": None,
    }
    assert results[DIFFERING]["difference"] == "key-hygiene"
    assert results[DIFFERING]["allowed"] is False


def test_an_answer_that_differs_otherwise_is_exit_code_1_and_named(turned: Path) -> None:
    shown = usherd("parity", turned)
    told = usherd("parity", turned, "--json")

    assert (shown.returncode, told.returncode) == (1, 1)
    assert f"denied, not allowed: 1: {AGREEING}" in shown.stdout
    assert json.loads(told.stdout)["differ"] == [{"id": AGREEING, "reason": "ALLOWED", "in": ["denied, not allowed"]}]


def test_scripts_get_the_counts(tmp_path: Path) -> None:
    told = json.loads(usherd("parity", CASES, "--only", DIFFERING, "--json").stdout)

    assert (told["cases"], told["agree"], told["named"], told["otherwise"]) == (1, 0, {"key-hygiene": 1}, 0)
    assert set(told["areas"]) == {"sig"}


def test_against_latest_shows_what_strict_answers(tmp_path: Path) -> None:
    changed = next(each.id for each in read_cases(CASES) if (each.latest.get("note") or "").startswith("SECURITY"))

    shown = usherd("parity", CASES, "--only", changed, "--against", "latest")
    told = usherd("parity", CASES, "--only", changed, "--against", "latest", "--json")

    assert shown.returncode == 0, shown.stderr
    assert "SECURITY" in shown.stdout
    assert json.loads(told.stdout)["SECURITY"]["cases"] == 1


@pytest.mark.parametrize("arguments", [("missing.jsonl",), (str(CASES), "--only", "no.such.case")])
def test_cases_that_cannot_be_read_are_exit_code_2(arguments: tuple[str, ...]) -> None:
    done = usherd("parity", *arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usherd: ")
