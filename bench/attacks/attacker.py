"""python -m bench.attacks.attacker NAME PORT SECONDS REQUEST_FILE: one process of an attack, which ends by itself."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from bench.attacks.catalogue import ATTACKS


def main() -> None:
    """Attacks, and prints what it counted."""
    name, port, seconds, request = sys.argv[1:]
    # Behind the caller whose service is measured, which shares the processor with it.
    os.nice(5)
    counted = ATTACKS[name].run(int(port), time.monotonic() + float(seconds), Path(request).read_bytes())
    print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
