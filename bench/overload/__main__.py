"""python -m bench.overload [--rounds N] [--seconds N] [--connections N] [--backlog N] [--json]: twice the most.

Finds the rate at which the daemon has nothing left, and offers in each round a tenth of that, twice that, and a tenth
again. Exits with 1 when a promised bound is broken.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.overload.measure import measure
from bench.report import machine


def main() -> int:
    """Measures, and prints what was seen."""
    parser = argparse.ArgumentParser(prog="bench.overload", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often (default 3)")
    parser.add_argument("--seconds", type=float, default=12.0, help="how long twice the most is offered (default 12)")
    parser.add_argument("--deadline", type=float, default=1.0, help="seconds after which a caller gives up (default 1)")
    parser.add_argument("--connections", type=int, default=8, help="connections of all callers (default 8)")
    parser.add_argument("--streams", type=int, help="server.limits.streams")
    parser.add_argument("--backlog", type=int, help="server.limits.backlog")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    wanted = parser.parse_args()
    if not (
        1 <= wanted.rounds <= 20
        and 1 <= wanted.seconds <= 60
        and 0.05 <= wanted.deadline <= 10
        and 2 <= wanted.connections <= 200
    ):
        parser.error("expected 1 to 20 rounds, 1 to 60 seconds, a deadline of 0.05 to 10, 2 to 200 connections")
    limits = {name: getattr(wanted, name) for name in ("streams", "backlog") if getattr(wanted, name) is not None}
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), limits, wanted.seconds, wanted.deadline, wanted.connections, wanted.rounds)
    if wanted.json:
        print(json.dumps({"machine": machine(), **found.as_json()}, indent=2))
    else:
        print("\n".join([machine(), "", *found.lines()]))
    return 0 if found.kept else 1


if __name__ == "__main__":
    sys.exit(main())
