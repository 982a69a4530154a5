"""python -m oracle.soak [--minutes N] [--json]: exits with 1 when an answer was wrong, or memory grew beyond its bound.

A real usherd answers at half of what saturates it here, while providers rotate their keys and fail in one way after
another, and the configuration is changed, each of them every minute; the oracle judges every answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from commands import USHERD
from oracle.daemon import DEADLINE
from oracle.provider import Provider
from oracle.timeline import Rules
from oracle.watch import Watch, watching
from oracle.weather import MINUTE, beside, weather

MINUTES = 30.0
CALLERS = 16
"""Below the 32 that usherd lets wait for one issuer's refresh."""
SATURATED_FOR = 5.0
SHARE = 0.5
"""Of the rate that saturates."""
SAMPLED_EVERY = 1.0
TOLD_EVERY = 10
"""Samples from one line of progress to the next."""
MEMORY_BOUND = 1.05
"""The median memory of the last third of the run over that of the middle third."""
BRIEF = Rules(every=10, stale_for=5, removed_grace=8, cooldown=1, timeout=1)
LONG = Rules(every=10, stale_for=3600, removed_grace=25, cooldown=2, timeout=1)
EXPECTED_EVENTS = frozenset(
    {
        "insecure_setting",
        "serving",
        "key_set_loaded",
        "key_set_failed",
        "key_set_refresh_forced",
        "reloaded",
        "draining",
        "stopped",
    }
)
"""What the log may have."""


def growth(sizes: Sequence[int]) -> float:
    """The last third's median over the middle third's; 1 where there is too little to tell."""
    third = len(sizes) // 3
    if third == 0:
        return 1.0
    return statistics.median(sizes[-third:]) / statistics.median(sizes[-2 * third : -third])


def problems(result: dict[str, Any]) -> list[str]:
    """The bounds that are broken, in words."""
    found = []
    if result["wrong"]:
        found.append(f"{result['wrong']} wrong answers, {result['wrongly_allowed']} of them ALLOW")
    if result["memory_growth"] > MEMORY_BOUND:
        found.append(f"memory: the last third is {result['memory_growth']} of the middle one, bound {MEMORY_BOUND}")
    if result["exit_code"] != 0:
        found.append(f"usherd ended with exit code {result['exit_code']}")
    if unexpected := sorted(set(result["log_events"]) - EXPECTED_EVENTS):
        found.append(f"the log has {', '.join(unexpected)}")
    return found


async def soak(
    seconds: float,
    *,
    minute: float = MINUTE,
    program: Sequence[str] = USHERD,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Runs for so long; returns what came of it. `minute` as of `weather`, `program` as of `daemon`."""
    brief, long = (Provider(name, rules, deadline=DEADLINE) for name, rules in (("brief", BRIEF), ("long", LONG)))
    with tempfile.TemporaryDirectory() as folder:
        async with brief, long:
            async with watching(Path(folder), [brief, long], callers=CALLERS, program=program) as watch:
                saturation = await watch.callers.saturate(min(SATURATED_FOR, seconds / 6))
                tell(f"{saturation:.0f} answers a second saturate it; half of that from now on")
                watch.tally.latencies = array("d")
                sizes: list[int] = []
                async with watch.flowing(saturation * SHARE), beside(weather(watch.daemon, brief, long, minute)) as sky:
                    await _sample(watch, seconds, sizes, tell, sky)
            result = watch.tally.as_json() | {
                "minutes": round(seconds / MINUTE, 2),
                "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
                "saturation_per_second": round(saturation),
                "rate_per_second": round(saturation * SHARE),
                "turns_left_out": watch.callers.missed,
                "memory_growth": round(growth(sizes), 4),
                "memory_bytes": {"first": sizes[0], "last": sizes[-1], "samples": len(sizes)},
                "reloads": len(watch.daemon.policies) - 1,
                "exit_code": watch.daemon.process.returncode,
                "log_events": watch.daemon.counts(),
            }
    return result | {"table": watch.tally.table(), "problems": problems(result)}


async def _sample(
    watch: Watch, seconds: float, sizes: list[int], tell: Callable[[str], None], sky: asyncio.Task[None]
) -> None:
    """Samples memory until the time is over, or usherd or the weather has ended."""
    start = time.monotonic()
    while (now := time.monotonic() - start) < seconds and watch.daemon.process.returncode is None:
        if sky.done():
            # It never ends but by a failure: a reload that did not come.
            sky.result()
        sizes.append(watch.daemon.memory())
        if len(sizes) % TOLD_EVERY == 0:
            faults = {each.watched.fault or "none" for each in watch.daemon.providers}
            tell(
                f"{now:5.0f} of {seconds:.0f} s  calls {watch.tally.all_calls:>9,}  wrong {watch.tally.all_wrong}"
                f"  memory {sizes[-1] >> 20} MiB  reloads {len(watch.daemon.policies) - 1}  fault {'/'.join(faults)}"
            )
        await asyncio.sleep(SAMPLED_EVERY)


def text(result: dict[str, Any]) -> str:
    """The result for people."""
    memory = result["memory_bytes"]
    lines = [
        result["table"],
        "",
        *(f"{name:<32}{count:>10}" for name, count in result["outcomes"].items()),
        "",
        f"p50 {result['p50_ms']} ms, p99 {result['p99_ms']} ms at {result['rate_per_second']} calls a second,"
        f" half of what saturates it; {result['turns_left_out']} turns left out because an answer was late",
        f"memory {memory['first'] >> 20} MiB at first, {memory['last'] >> 20} MiB at last;"
        f" last third over middle third {result['memory_growth']}, bound {MEMORY_BOUND}",
        f"{result['reloads']} reloads",
        *(f"wrong: {json.dumps(each)}" for each in result["examples_of_wrong"]),
        *(f"BROKEN: {each}" for each in result["problems"]),
    ]
    return "\n".join(lines)


def main() -> int:
    """Runs it and prints what came of it."""
    parser = argparse.ArgumentParser(
        prog="make soak", description="Watches usherd at half load, among rotations, reloads and faults of providers."
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default {MINUTES:g})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    wanted = parser.parse_args()

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    result = asyncio.run(soak(wanted.minutes * MINUTE, tell=tell))
    if wanted.json:
        print(json.dumps({name: value for name, value in result.items() if name != "table"}, indent=2))
    else:
        print(text(result))
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
