"""Changes the code in small ways, one at a time, and counts the changes that no test notices (mutation testing).

In a folder of its own, so that neither the code nor the tests are touched: mutants/, made anew by every run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "mutants"
EQUIVALENT = ROOT / "tests" / "mutants_equivalent.yaml"

_CORE = (
    "identify",
    "permit",
    "test_authorizer.py",
    "test_claim_paths.py",
    "test_decide.py",
    "test_pure_hook.py",
    "test_shadow.py",
    "test_verdicts.py",
)
TESTS = {"authenticate": ("authenticate",), "identify": _CORE, "permit": _CORE, "decide": _CORE}
"""The modules and packages of usherd whose mutants are counted, each with the tests that must notice them.

They are what is fast: no laws, nothing that starts processes. mutmut collects them again and again in one process, so
that the name of a test must be the same each time, and without backslashes, which pytest would escape once more.
"""

LEAST_KILLED = 0.90
"""The share of a room's mutants that its tests must notice, those declared equivalent not counted as noticed."""

MOST_EQUIVALENT = 0.03
"""The share of a room's mutants that may be declared equivalent: more would be an excuse."""

# mutmut's exit codes of a mutant's tests: a failed test, a fault of pytest, and what only time ended.
KILLED = frozenset({1, 3, 24, -24, 36, 152, 255})


@dataclass(frozen=True)
class Room:
    """How a room's mutants fared; each is known by its name, such as `usherd.decide.x_decide__mutmut_1`."""

    name: str
    killed: frozenset[str]
    survived: frozenset[str]
    equivalent: frozenset[str]

    @property
    def mutants(self) -> int:
        """How many there are."""
        return len(self.killed) + len(self.survived)

    @property
    def share(self) -> float:
        """The share that the tests notice."""
        return len(self.killed) / self.mutants

    def faults(self) -> list[str]:
        """What is wrong with this room, or with what is declared about it."""
        found = [
            f"{each}: declared equivalent, but a test notices it" for each in sorted(self.equivalent & self.killed)
        ]
        found += [
            f"{each}: declared equivalent, but there is no such mutant"
            for each in sorted(self.equivalent - self.killed - self.survived)
        ]
        if self.share < LEAST_KILLED:
            found.append(f"{self.name}: fewer than {LEAST_KILLED:.0%} of the mutants are noticed")
        if len(self.equivalent) > MOST_EQUIVALENT * self.mutants:
            found.append(f"{self.name}: more than {MOST_EQUIVALENT:.0%} of the mutants are declared equivalent")
        return found


def lay_out(tests: Sequence[str]) -> None:
    """Makes the folder of a run: mutmut knows a package below `src/` by the name that the tests import."""
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(ROOT / "server" / "usherd", WORK / "src" / "usherd", ignore=shutil.ignore_patterns("__pycache__"))
    helpers = [file.name for file in (ROOT / "tests").glob("*.py") if not file.name.startswith("test_")]
    (WORK / "tests").mkdir()
    for name in [*helpers, *tests]:
        copy = shutil.copytree if (ROOT / "tests" / name).is_dir() else shutil.copy2
        copy(ROOT / "tests" / name, WORK / "tests" / name)
    shutil.copy2(ROOT / "pyproject.toml", WORK)


def kill(rooms: Sequence[str], jobs: int) -> None:
    """Runs the tests against each mutant of these rooms; ends the program when they cannot be run at all."""
    names = [f"usherd.{room}.*" for room in rooms]
    command = [Path(sys.executable).with_name("mutmut"), "run", "--max-children", str(jobs), *names]
    # The copy has other parents than the checkout: where the shared cases are, it is told.
    shared = os.environ.get("USHERD_SHARED") or str(ROOT.parent / "shared")
    known = {"USHERD_SHARED": shared} if (Path(shared) / "vectors").is_dir() else {}
    log = WORK / "mutmut.log"
    print(f"{', '.join(rooms)}: see {log.relative_to(ROOT)}", flush=True)
    with log.open("w") as output:
        done = subprocess.run(
            [str(each) for each in command],
            cwd=WORK,
            env=os.environ | known,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise SystemExit(f"mutmut could not run the tests:\n{log.read_text()[-3000:]}")


def exit_codes(room: str) -> dict[str, int | None]:
    """How the tests of each mutant of a room ended."""
    source = WORK / "mutants" / "src" / "usherd"
    reports = sorted((source / room).rglob("*.meta")) or [source / f"{room}.py.meta"]
    return {
        name: code for report in reports for name, code in json.loads(report.read_text())["exit_code_by_key"].items()
    }


def judge(room: str, declared: Mapping[str, str]) -> Room:
    """What the run found about a room."""
    codes = exit_codes(room)
    killed = frozenset(name for name, code in codes.items() if code in KILLED)
    equivalent = frozenset(name for name in declared if name.startswith(f"usherd.{room}."))
    return Room(room, killed, frozenset(codes) - killed, equivalent)


def show(room: Room) -> None:
    """Prints what the survivors of a room change, while they are there."""
    for name in sorted(room.survived - room.equivalent):
        subprocess.run([str(Path(sys.executable).with_name("mutmut")), "show", name], cwd=WORK, check=False)


def table(rooms: Sequence[Room]) -> None:
    """Prints how the rooms fared."""
    print(f"{'room':14}{'mutants':>8}{'killed':>8}{'survived':>10}{'equivalent':>12}{'share':>9}")
    for room in rooms:
        equivalent = len(room.equivalent)
        survived = len(room.survived - room.equivalent)
        print(f"{room.name:14}{room.mutants:>8}{len(room.killed):>8}{survived:>10}{equivalent:>12}{room.share:>9.1%}")


def main() -> int:
    """0 when every room is well guarded and every declaration true; else what is wrong, each on its line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", help=f"some of {', '.join(TESTS)}; all, when none is named")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many mutants to test at once")
    asked = parser.parse_args()
    if unknown := set(asked.rooms) - set(TESTS):
        parser.error(f"no such room: {', '.join(sorted(unknown))}")
    wanted = [room for room in TESTS if room in asked.rooms or not asked.rooms]
    declared = yaml.safe_load(EQUIVALENT.read_text())
    rooms: list[Room] = []
    for tests in dict.fromkeys(TESTS[room] for room in wanted):
        together = [room for room in wanted if TESTS[room] == tests]
        lay_out(tests)
        kill(together, asked.jobs)
        rooms += [judge(room, declared) for room in together]
        for room in rooms[-len(together) :]:
            show(room)
    table(rooms)
    faults = [fault for room in rooms for fault in room.faults()]
    print("\n".join(faults) or "mutants: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
