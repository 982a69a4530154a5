"""python -m chaos [--minutes N] [--seed N] [--json]: exits with 1 when a promise was broken.

First it measures in a calm how long news take, with notifications and without; then things fail.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from chaos.report import chaos, text

MINUTES = 5.0


def main() -> int:
    """Runs it and prints what came of it."""
    parser = argparse.ArgumentParser(
        prog="make chaos", description="Kills and freezes replicas, PostgreSQL and Valkey, and judges every answer."
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default {MINUTES:g})")
    parser.add_argument("--seed", type=int, default=1, help="of the order of faults (default 1)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    wanted = parser.parse_args()

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    result = asyncio.run(chaos(wanted.minutes * 60, tell, seed=wanted.seed))
    print(json.dumps(result, indent=2) if wanted.json else text(result))
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
