"""What the contract checks are for, they find."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
import check_contract  # noqa: E402
import generate  # noqa: E402

BROKEN_PROMISES = [
    ("question.proto", "string route = 2;", "string route = 22;"),
    ("question.proto", "string route = 2;", "bytes route = 2;"),
    ("question.proto", "string route = 2;", "string path = 2;"),
    ("reason.proto", "REASON_TOKEN_EXPIRED = 21;", "REASON_EXPIRED = 21;"),
    ("question.proto", "bool modifies_guardrails = 10;", "reserved 10;"),
    ("decision.proto", "EFFECT_DENY = 2;", "EFFECT_DENY = 3;"),
    ("decision.proto", "ShadowVerdict shadow = 4;", "ShadowVerdict shadow = 5;"),
    ("authorization_service.proto", "returns (stream AuthorizeResponse)", "returns (AuthorizeResponse)"),
    ("decision.proto", "reserved 11;", "string other = 11;"),
    ("authorization_service.proto", "MODE_WATCH = 2;", "MODE_WATCH = 3;"),
    ("authorization_service.proto", "Ended ended = 5;", "Ended ended = 7;"),
]


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """A copy of the contract, its rules and its baseline."""
    shutil.copytree(ROOT / "proto", tmp_path / "proto", ignore=shutil.ignore_patterns("gen"))
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def buf(contract: Path, *arguments: str) -> int:
    return subprocess.run([check_contract.BUF, *arguments], cwd=contract, capture_output=True, check=False).returncode


def test_the_contract_keeps_its_promises(contract: Path) -> None:
    assert buf(contract, "breaking", "--against", check_contract.BASELINE) == 0


@pytest.mark.parametrize(("file", "before", "after"), BROKEN_PROMISES, ids=lambda each: each.split(" ")[-2:][0])
def test_a_broken_promise_is_found(contract: Path, file: str, before: str, after: str) -> None:
    path = contract / "proto" / "usher" / "v1" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))

    assert buf(contract, "breaking", "--against", check_contract.BASELINE) != 0


def test_an_element_without_a_comment_is_found(contract: Path) -> None:
    path = contract / "proto" / "usher" / "v1" / "fault.proto"
    path.write_text(re.sub(r"\n  // Absent[^\n]*|\n  // How long[^\n]*", "", path.read_text()))

    assert buf(contract, "lint") != 0


def test_stale_missing_and_extra_stubs_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(check_contract, "ROOT", tmp_path)
    committed, generated = tmp_path / "committed", tmp_path / "generated"
    for folder, files in (
        (committed, {"same": "1", "stale": "1", "extra": "1"}),
        (generated, {"same": "1", "stale": "2"}),
    ):
        folder.mkdir()
        for name, text in (files | ({} if folder is committed else {"missing": "1"})).items():
            (folder / name).write_text(text)

    found = check_contract.differences(committed, generated)

    assert found == ["committed/extra", "committed/missing", "committed/stale"]


def test_the_floor_that_is_checked_is_the_floor_that_is_promised() -> None:
    client = tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text())
    bounds = dict(each.split(",")[0].split(">=") for each in client["project"]["dependencies"])

    for pin in check_contract.FLOOR:
        name, _, version = pin.partition("==")
        assert version.startswith(bounds[name])
    assert generate.GRPC_TOOLS.startswith(f"grpcio-tools=={bounds['grpcio']}")
