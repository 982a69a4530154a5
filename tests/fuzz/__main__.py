"""Fuzzes the targets in turn, and counts the branches that their inputs reach.

    make fuzz ARGS="token_gate --runs 5000"

Ends with 1 when an input broke a promise, when a target was not run to its end, or reached too few of its branches.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fuzz.target import HOUSE, MODULES

ROOT = HOUSE.parents[1]
ENOUGH = 90.0
"""Per cent of a target's branches that its corpus must reach."""


def main() -> int:
    """Runs what the command line names."""
    asked = _asked()
    # Ended from outside, it ends the fuzzer, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = random.randrange(1, 2**31) if asked.seed is None else asked.seed
    results = {}
    for name in asked.targets or MODULES:
        folder = asked.corpus.resolve() / name
        folder.mkdir(parents=True, exist_ok=True)
        if asked.runs:
            _fuzz(name, asked.runs, seed, folder, quiet=asked.json)
        results[name] = _result(name, folder, seed)
    if asked.json:
        print(json.dumps(results, indent=2))
    else:
        _show(results)
    failed = [name for name, result in results.items() if result["failures"]]
    return 1 if failed else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", choices=[*MODULES, []], metavar="TARGET", help=f"of {', '.join(MODULES)}; all"
    )
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs for each; 0: only replay the corpus")
    parser.add_argument("--seed", type=int, help="of the fuzzer's choices; random unless given")
    parser.add_argument("--corpus", type=Path, default=ROOT / ".fuzz", help="where inputs and results are kept")
    parser.add_argument("--json", action="store_true", help="the results as JSON, and no progress")
    return parser.parse_args()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "tests"), "PYTHONHASHSEED": "0"}


def _fuzz(name: str, runs: int, seed: int, folder: Path, *, quiet: bool) -> None:
    (folder / "result.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "fuzz.worker", name, str(runs), str(seed), str(folder)]
    with (folder / "fuzzer.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment(), cwd=ROOT)
    try:
        while process.poll() is None:
            time.sleep(0.5)
            if not quiet and sys.stderr.isatty():
                print(f"\r{_progress(name, runs, _state(folder))}", end="", file=sys.stderr)
    finally:
        process.kill()
    if not quiet:
        print(f"\r{_progress(name, runs, _state(folder))}", file=sys.stderr, flush=True)


def _state(folder: Path) -> dict[str, Any]:
    file = folder / "result.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return {"executions": 0, "seconds": 0.0, "crashers": {}, "slowest_ms": 0.0, "done": False} | found


def _progress(name: str, runs: int, state: Mapping[str, Any]) -> str:
    each = state["executions"] / (state["seconds"] or 1)
    return f"{name:12} {state['executions']:>9} of {runs}  {each:8.0f}/s  {len(state['crashers'])} crashers "


def _result(name: str, folder: Path, seed: int) -> dict[str, Any]:
    """The state of a target, with its branches: every input of its corpus is judged once more."""
    replayed = subprocess.run(
        [sys.executable, "-m", "fuzz.replay", name, str(folder)],
        env=_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    state = _state(folder) | {"seed": seed}
    failures = [f"crasher: {place} ({folder}/crashers/{data})" for place, data in state["crashers"].items()]
    if not state["done"]:
        failures.append(f"not run to its end ({folder}/fuzzer.log)")
    if replayed.returncode:
        return state | {"failures": [*failures, f"the replay failed: {replayed.stderr[-2000:]}"]}
    found = json.loads(replayed.stdout)
    branches = sum(file["branches"] for file in found["files"].values())
    covered = sum(file["covered"] for file in found["files"].values())
    share = 100 * covered / branches if branches else 100.0
    failures += [f"replayed: {place}" for place in found["crashers"] if place not in state["crashers"]]
    if share < ENOUGH:
        failures.append(f"reached {share:.1f} % of its branches; expected at least {ENOUGH} %")
    return state | found | {"covered": covered, "branches": branches, "share": round(share, 1), "failures": failures}


def _show(results: Mapping[str, Mapping[str, Any]]) -> None:
    print(f"{'target':12} {'executions':>10} {'1/s':>7} {'branches':>15} {'crashers':>8} {'slowest':>9}")
    for name, result in results.items():
        each = result["executions"] / (result["seconds"] or 1)
        share = f"{result.get('covered', 0)}/{result.get('branches', 0)} {result.get('share', 0):5.1f} %"
        crashers, slowest = len(result["crashers"]), f"{result['slowest_ms']:.1f} ms"
        print(f"{name:12} {result['executions']:>10} {each:>7.0f} {share:>15} {crashers:>8} {slowest:>9}")
    for name, result in results.items():
        for line in _unreached(result):
            print(f"  {name}: not reached: {line}")
        for failure in result["failures"]:
            print(f"  {name}: {failure}")


def _unreached(result: Mapping[str, Any]) -> Sequence[str]:
    reasons = result.get("out_of_reach", {})
    lines = []
    for path, file in result.get("files", {}).items():
        if file["missing"]:
            why = reasons.get(path, "no reason known")
            lines.append(f"{path} {', '.join(file['missing'])}: {why}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
