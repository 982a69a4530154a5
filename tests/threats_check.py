"""Checks tests/threats.yaml: every known threat is answered, and every test that it names exists.

python tests/threats_check.py    0 when there is no gap
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import yaml

from shared_data import ROOT

HERE = Path(__file__).parent
REFERENCE = ROOT / "reference" / "threats.md"
ROW = re.compile(r"^\| ([AC][1-9]\.[0-9]+|B[0-9]+b?) \|", re.MULTILINE)
PORT = frozenset({*(f"B{number}" for number in range(1, 26)), "B14b"})
"""The threats to the port: few enough to be demanded where the reference is not at hand, too."""
OTHER = frozenset({"later", "accepted"})
WRITTEN = {
    ".go": re.compile(r"^func (Test\w+)\(t \*testing\.T\)", re.MULTILINE),
    ".ts": re.compile(r'^test\("([^"]+)"', re.MULTILINE),
    ".java": re.compile(r"@(?:Test|ParameterizedTest)\b[^{;]*?\bvoid (\w+)\(", re.DOTALL),
}
"""How a test is written in the languages of the other clients."""


@cache
def tests_in(file: str) -> frozenset[str]:
    """The names of the tests in a file, by its path from tests/; none when there is no such file."""
    path = HERE / file
    if not path.is_file():
        return frozenset()
    if path.suffix in WRITTEN:
        return frozenset(WRITTEN[path.suffix].findall(path.read_text()))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = (node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, functions))
    return frozenset(name for name in found if name.startswith("test_"))


def problems() -> list[str]:
    """What is wrong, a line each."""
    answers = yaml.safe_load((HERE / "threats.yaml").read_text())
    found = [f"{threat}: no test and no reason" for threat in sorted(PORT - set(answers))]
    if REFERENCE.is_file():
        known = set(ROW.findall(REFERENCE.read_text()))
        found += [f"{threat}: no test and no reason" for threat in sorted(known - PORT - set(answers))]
        found += [f"{threat}: no such threat" for threat in sorted(set(answers) - known - {"C7"})]
    for threat, answer in answers.items():
        if isinstance(answer, dict):
            if len(answer) != 1 or not OTHER.issuperset(answer) or not all(answer.values()):
                found.append(f"{threat}: expected a list of tests, or `later:` or `accepted:` with a reason")
            continue
        if not isinstance(answer, list) or not answer:
            found.append(f"{threat}: expected a list of tests, or `later:` or `accepted:` with a reason")
            continue
        for test in answer:
            file, _, name = test.partition("::")
            if name not in tests_in(file):
                found.append(f"{threat}: there is no test {test}")
    return found


def main() -> int:
    """Prints what is wrong; 1 when anything is."""
    wrong = problems()
    for line in wrong:
        print(f"tests/threats.yaml: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
