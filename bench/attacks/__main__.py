"""python -m bench.attacks [--list] [--only NAME]... [--seconds N] [--living] [--json]: each on a daemon of its own.

A caller who means well asks all the time, in an open loop. What it notices before, during and after the attack is
printed, with the daemon's memory, and the time until calls are answered as before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.attacks.catalogue import ATTACKS
from bench.attacks.measure import Outcome, measure
from bench.report import machine


def main() -> int:
    """Runs the attacks and prints what was noticed."""
    parser = argparse.ArgumentParser(prog="bench.attacks", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--list", action="store_true", help="say what there is, and do nothing")
    parser.add_argument("--only", action="append", choices=sorted(ATTACKS), metavar="NAME", help="one attack (again)")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each attack lasts (default 6, at most 60)")
    parser.add_argument("--living", action="store_true", help="with a thousand living decisions")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    wanted = parser.parse_args()
    if not 1 <= wanted.seconds <= 60:
        parser.error("--seconds: expected 1 to 60")
    chosen = [ATTACKS[name] for name in wanted.only or ATTACKS]
    if wanted.list:
        for each in chosen:
            print(f"{each.name:<24}{each.threats:<12}{each.what}")
        return 0
    outcomes: list[Outcome] = []
    for each in chosen:
        print(f"{each.name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(measure(each, Path(folder), wanted.seconds, living=wanted.living))
    if wanted.json:
        print(json.dumps({"machine": machine(), "attacks": [each.as_json() for each in outcomes]}, indent=2))
    else:
        print("\n".join([machine(), "", *table(outcomes)]))
    return 0


def table(outcomes: list[Outcome]) -> list[str]:
    """A Markdown table, a line an attack."""
    living = any(each.living is not None for each in outcomes)
    lines = [
        "| attack | p50 ms | p99 ms | not served | memory MiB | as before after |"
        + living * " streams ended | silent s |",
        "|---|---|---|---|---|---|" + living * "---|---|",
    ]
    for each in outcomes:
        phases = (each.before, each.during, each.after)
        p50 = " / ".join(f"{phase.p50:.1f}" for phase in phases)
        p99 = " / ".join(f"{phase.p99:.0f}" for phase in phases)
        failed = " / ".join(f"{phase.failed}" for phase in phases)
        memory = " / ".join(f"{value:.0f}" for value in each.memory)
        back = "not seen" if each.recovery is None else f"{each.recovery:.1f} s"
        lines.append(f"| {each.attack} | {p50} | {p99} | {failed} of {each.during.calls} | {memory} | {back} |")
        if each.living is not None:
            ended, streams = each.living["ended"], each.living["streams"]
            lines[-1] += f" {ended:.0f} of {streams:.0f} | {each.living['silence']:.1f} |"
    return lines


if __name__ == "__main__":
    sys.exit(main())
