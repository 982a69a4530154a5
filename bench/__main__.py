"""python -m bench [PART] [--rounds N] [--json]: exits with 1 when a promised bound is broken."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench import client, directory, edits, envoy, in_process, listening, living, metrics, revocations, wire, workers
from bench.company import company
from bench.report import Figure, machine, text
from tools.ports import free_port


def main() -> int:
    """Runs the measurements and prints them."""
    parser = argparse.ArgumentParser(prog="bench", description="Measures usherd on this machine, in rotated rounds.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement (default 5)")
    alone = ("edits", "directory", "living", "workers", "envoy", "client")
    parts = ("in-process", "revocations", "wire", "metrics", *alone)
    parser.add_argument(
        "part", nargs="?", choices=parts, help=f"one of the parts; {', '.join(alone)} are measured only so"
    )
    parser.add_argument("--only", choices=parts, help="the same")
    parser.add_argument("--seconds", type=float, default=60.0, help="living: how long changes go on (default 60)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    wanted = parser.parse_args()
    wanted.only = wanted.only or wanted.part
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        print("making 1,000 tokens ...", file=sys.stderr)
        made = company(folder, port)
        if wanted.only == "client":
            print("measuring the Python client's cache ...", file=sys.stderr)
            figures += client.measure(wanted.rounds)
        if wanted.only == "workers":
            print("measuring two workers against one ...", file=sys.stderr)
            figures += workers.measure(made, folder, wanted.rounds)
        if wanted.only == "envoy":
            print("measuring through an Envoy ...", file=sys.stderr)
            figures += envoy.measure(made, port, folder, wanted.rounds)
        if wanted.only in (None, "in-process"):
            print("measuring in process ...", file=sys.stderr)
            figures += in_process.measure(made, wanted.rounds)
            figures += listening.measure(made, folder, wanted.rounds)
        if wanted.only in (None, "in-process", "revocations"):
            print("measuring what a list of revoked tokens costs ...", file=sys.stderr)
            figures += revocations.measure(made, wanted.rounds)
        if wanted.only in (None, "wire"):
            print("measuring over the wire ...", file=sys.stderr)
            figures += wire.measure(made, port, folder, wanted.rounds)
        if wanted.only in (None, "metrics"):
            print("measuring what metrics cost ...", file=sys.stderr)
            figures += metrics.measure(made, folder, wanted.rounds)
        if wanted.only == "living":
            print("measuring living decisions ...", file=sys.stderr)
            figures += living.measure(made, port, wanted.seconds)
        if wanted.only == "edits":
            print("making many edits at once ...", file=sys.stderr)
            figures += edits.measure(folder, wanted.rounds)
        if wanted.only == "directory":
            print("filling a directory of a million users ...", file=sys.stderr)
            figures += directory.measure(made, folder, wanted.rounds)
    if wanted.json:
        print(json.dumps({"machine": machine(), "figures": [figure.as_json() for figure in figures]}, indent=2))
    else:
        print(text(figures))
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
