"""Gives a target every input of its corpus again, and counts branches: `python -m fuzz.replay NAME FOLDER`.

A process of its own, since coverage must be there before the modules are. Prints JSON.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import coverage

from fuzz import target as targets
from fuzz.judge import LONGEST, Judge


def main(name: str, folder: Path) -> dict[str, Any]:
    """Branches of each file, and what was found on the way."""
    files = [str(file) for file in targets.files(name)]
    counter = coverage.Coverage(data_file=None, branch=True, include=files, config_file=False)
    counter.start()
    target = targets.load(name)
    judge = Judge(target, longest=math.inf)
    for data in [*target.seeds(), *(path.read_bytes() for path in sorted((folder / "corpus").glob("*")))]:
        judge(data, again=True)
    counter.stop()
    # Measured without being counted: the slowest input, and what once broke a promise.
    judge.longest, judge.slowest = LONGEST, 0.0
    for path in [folder / "slowest", *sorted((folder / "crashers").glob("*"))]:
        if path.exists() and not path.suffix:
            judge(path.read_bytes(), again=True)
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        counter.json_report(outfile=report.name)
        measured = json.loads(Path(report.name).read_text())
    found: dict[str, Any] = {}
    for path, file in measured["files"].items():
        summary = file["summary"]
        place = str(Path(path).resolve().relative_to(targets.HOUSE.resolve()))
        found[place] = {
            "branches": summary["num_branches"],
            "covered": summary["covered_branches"],
            "missing": [f"{start}->{end}" for start, end in file["missing_branches"]],
            "missing_lines": file["missing_lines"],
        }
    return {
        "inputs": judge.executions,
        "files": found,
        "crashers": {place: text for place, (_, text) in judge.crashers.items()},
        "out_of_reach": dict(target.out_of_reach),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
