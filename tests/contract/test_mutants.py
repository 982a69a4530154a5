"""What the count of unnoticed changes finds wrong, and that what is declared about them is about code that exists."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
import mutants  # noqa: E402

DECLARED: dict[str, str] = yaml.safe_load(mutants.EQUIVALENT.read_text())


def room(killed: int = 95, survived: int = 5, equivalent: frozenset[str] = frozenset()) -> mutants.Room:
    names = [f"usherd.decide.x_decide__mutmut_{number}" for number in range(killed + survived)]
    return mutants.Room("decide", frozenset(names[:killed]), frozenset(names[killed:]), equivalent)


def test_a_room_is_guarded_when_nine_of_ten_mutants_are_noticed() -> None:
    assert room(90, 10).faults() == []
    assert room(89, 11).faults() == ["decide: fewer than 90% of the mutants are noticed"]
    assert (room(90, 10).mutants, room(90, 10).share) == (100, 0.9)


def test_a_declared_mutant_must_be_there_and_unnoticed() -> None:
    noticed, gone = "usherd.decide.x_decide__mutmut_0", "usherd.decide.x_decide__mutmut_777"

    found = room(equivalent=frozenset({noticed, gone, "usherd.decide.x_decide__mutmut_99"})).faults()

    assert found == [
        f"{noticed}: declared equivalent, but a test notices it",
        f"{gone}: declared equivalent, but there is no such mutant",
    ]


def test_few_may_be_declared() -> None:
    names = [f"usherd.decide.x_decide__mutmut_{number}" for number in range(95, 99)]

    assert room(equivalent=frozenset(names[:3])).faults() == []
    assert room(equivalent=frozenset(names)).faults() == ["decide: more than 3% of the mutants are declared equivalent"]


@pytest.mark.parametrize("name", DECLARED)
def test_what_is_declared_is_about_a_function_that_exists(name: str) -> None:
    module, _, mangled = name.rpartition(".")
    function = mangled.partition("__mutmut_")[0].removeprefix("x").lstrip("ǁ").split("ǁ")[-1].removeprefix("_")
    tree = ast.parse((ROOT / "server" / Path(*module.split("."))).with_suffix(".py").read_text())
    functions = {
        each.name.lstrip("_") for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert function.lstrip("_") in functions
    assert DECLARED[name].endswith(".")


def test_nothing_in_a_room_is_spared() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    package = ROOT / "server" / "usherd"
    files = [file for room in mutants.TESTS for file in [*(package / room).glob("**/*.py"), package / f"{room}.py"]]

    mutated = [f"src/usherd/{room}" + ("/*" if (package / room).is_dir() else ".py") for room in mutants.TESTS]

    assert settings["only_mutate"] == mutated
    assert not {"do_not_mutate", "do_not_mutate_patterns", "mutate_only_covered_lines"} & set(settings)
    assert [file for file in files if file.is_file() and "no mutate" in file.read_text()] == []
