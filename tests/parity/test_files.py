"""Cases are read within bounds, and what is wrong with them is said with its place."""

from __future__ import annotations

import json
import lzma
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

from usherd.parity import oracle_fixtures
from usherd.parity.cases import MAX_LINE, Case, CasesUnusable, KeyDocuments, read_cases
from usherd.parity.fixtures import MODULE, importable

from .support import case


def line(**changed: object) -> bytes:
    members = {each.name: getattr(case(), each.name) for each in fields(Case)}
    return json.dumps(members | {"tags": []} | changed).encode() + b"\n"


@pytest.mark.parametrize("packed", [False, True])
def test_cases_are_read_one_a_line_packed_or_not(tmp_path: Path, packed: bool) -> None:
    file = tmp_path / ("cases.jsonl.xz" if packed else "cases.jsonl")
    content = line(id="a") + b"\n" + line(id="b")
    file.write_bytes(lzma.compress(content) if packed else content)

    assert [each.id for each in read_cases(file)] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{]\n", "cases.jsonl:1: is no JSON"),
        (line() + b"[]\n", "cases.jsonl:2: is no object"),
        (b'{"id": "a"}\n', "cases.jsonl:1: 'area' is missing"),
        (b"x" * (MAX_LINE + 1), "cases.jsonl:1: is too long"),
    ],
)
def test_a_line_that_is_no_case_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_bytes(content)

    with pytest.raises(CasesUnusable, match=told):
        list(read_cases(file))


def test_a_packed_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl.xz"
    file.write_bytes(lzma.compress(line())[:-20])

    with pytest.raises(CasesUnusable, match="is not complete"):
        list(read_cases(file))


def test_a_key_document_is_one_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "jwks").mkdir()
    (tmp_path / "jwks" / "good.json").write_text('{"keys": []}')
    (tmp_path / "outside.json").write_text("{}")
    documents = KeyDocuments(tmp_path / "jwks")

    assert documents.value("good") == {"keys": []}
    for name in ("../outside", "missing"):
        with pytest.raises(CasesUnusable):
            documents.body(name)


def test_functions_are_taken_from_beside_the_cases(tmp_path: Path) -> None:
    (tmp_path / f"{MODULE}.py").write_text("here = True\n")
    before = list(sys.path)

    with importable(tmp_path / "cases.jsonl"):
        assert __import__(MODULE).here is True

    assert sys.path == before
    assert MODULE not in sys.modules


def test_functions_that_are_nowhere_are_usherds_own(tmp_path: Path) -> None:
    with importable(tmp_path / "cases.jsonl"):
        assert __import__(MODULE) is oracle_fixtures

    assert MODULE not in sys.modules


def test_the_functions_do_what_the_cases_need() -> None:
    assert oracle_fixtures.allow_all({}) is True
    assert [oracle_fixtures.require_flag({"flag": flag}) for flag in (True, 1, None)] == [True, False, False]
    assert oracle_fixtures.returns_none({}) is None
    with pytest.raises(RuntimeError):
        oracle_fixtures.raises({})
    assert get_type_hints(oracle_fixtures.bad_annotation)["return"] is bool
