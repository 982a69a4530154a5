"""python -m oracle.soak [--minutes N] [--json]: exits with 1 when an answer was wrong, or memory grew beyond its bound.

A real usherd answers at half of what saturates it here, while providers rotate their keys and fail in one way after
another, and the configuration is changed, each of them every minute; the oracle judges every answer.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oracle.daemon import DEADLINE
from oracle.provider import Provider
from oracle.timeline import Rules
from oracle.watch import Watch, watching
from tools.faults import Fault
from tools.key_server import DISCOVERY_PATH, KEYS_PATH

MINUTES = 30.0
CALLERS = 16
"""Below the 32 that usherd lets wait for one issuer's refresh."""
SATURATED_FOR = 5.0
SAMPLED_EVERY = 1.0
MEMORY_BOUND = 1.05
"""The median memory of the last third of the run over that of the middle third."""
SHARE = 0.5
"""Of the rate that saturates."""
BRIEF = Rules(every=10, stale_for=5, removed_grace=8, cooldown=1, timeout=1)
LONG = Rules(every=10, stale_for=3600, removed_grace=25, cooldown=2, timeout=1)
MINUTE = 60.0


@dataclass
class Samples:
    """Memory over time."""

    started: float = field(default_factory=time.monotonic)
    taken: list[tuple[float, int]] = field(default_factory=list)

    def take(self, watch: Watch) -> None:
        self.taken.append((time.monotonic() - self.started, watch.daemon.memory()))

    def growth(self) -> float:
        """The last third's median over the middle third's; 1 where there are no samples for it."""
        third = len(self.taken) // 3
        if third == 0:
            return 1.0
        middle, last = self.taken[third : 2 * third], self.taken[2 * third :]
        return statistics.median(size for _, size in last) / statistics.median(size for _, size in middle)


async def weather(watch: Watch, providers: Sequence[Provider], minute: float) -> None:
    """For ever: a minute with everything in it, and another fault each time. `minute` is its length in seconds."""
    brief, long = providers
    for number, fault in zip(itertools.count(), itertools.cycle(Fault), strict=False):
        path = DISCOVERY_PATH if fault is Fault.OTHER_ISSUER else KEYS_PATH
        start = time.monotonic()

        async def at(second: float, start: float = start) -> None:
            await asyncio.sleep(max(0.0, start + second * minute / MINUTE - time.monotonic()))

        await at(4)
        brief.rotate()
        long.rotate()
        await at(12)
        await brief.fail(fault, path)
        await at(14)
        # A key that appears in the middle of an outage, and is asked about.
        brief.rotate()
        await long.fail(fault, path)
        await at(20 if number % 2 else 46)
        # Every other reload falls into the outage.
        await watch.daemon.reload()
        await at(38)
        await brief.fail(None, path)
        await long.fail(None, path)
        await at(52)
        (brief.withdraw_oldest if number % 3 else brief.remove_oldest)()
        brief.remove_oldest()
        long.remove_oldest()
        await at(MINUTE)


@asynccontextmanager
async def beside(*works: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Runs these as long as the block lasts; one that fails fails the block."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def soak(seconds: float, *, minute: float = MINUTE, tell: Any = lambda line: None) -> dict[str, Any]:
    """Runs for so long; returns what came of it, `problems` among it."""
    providers = [Provider("brief", BRIEF, deadline=DEADLINE), Provider("long", LONG, deadline=DEADLINE)]
    with tempfile.TemporaryDirectory() as folder:
        async with providers[0], providers[1], watching(Path(folder), providers, callers=CALLERS) as watch:
            saturation = await watch.callers.saturate(min(SATURATED_FOR, seconds / 6))
            rate = saturation * SHARE
            tell(f"{saturation:.0f} answers a second saturate it; {rate:.0f} a second from now on")
            watch.tally.latencies = type(watch.tally.latencies)("d")
            samples = Samples()
            end = samples.started + seconds

            async with beside(weather(watch, providers, minute)) as (sky,), watch.flowing(rate):
                while (now := time.monotonic()) < end and watch.daemon.process.returncode is None and not sky.done():
                    samples.take(watch)
                    if len(samples.taken) % 10 == 0:
                        tell(_progress(watch, providers, now - samples.started, seconds, samples))
                    await asyncio.sleep(SAMPLED_EVERY)
            died, broken = watch.daemon.process.returncode, sky.done() and not sky.cancelled() and sky.exception()
            events = watch.daemon.counts()
        result = watch.tally.as_json()
        growth = samples.growth()
        problems = []
        if result["wrong"]:
            problems.append(f"{result['wrong']} wrong answers, {result['wrongly_allowed']} of them ALLOW")
        if growth > MEMORY_BOUND:
            problems.append(f"memory grew: the last third is {growth:.3f} of the middle one, bound {MEMORY_BOUND}")
        if died is not None:
            problems.append(f"usherd ended with exit code {died}")
        if broken:
            problems.append(f"the run broke off: {broken!r}")
        if unexpected := [name for name in events if name not in EXPECTED]:
            problems.append(f"the log has {', '.join(sorted(unexpected))}")
        return {
            "seconds": round(time.monotonic() - samples.started, 1),
            "machine": {"cores": _cores(), "python": platform.python_version(), "system": platform.system()},
            "saturation_per_second": round(saturation),
            "rate_per_second": round(rate),
            "turns_left_out": watch.callers.missed,
            "memory_growth": round(growth, 4),
            "memory_bytes": {"first": samples.taken[0][1], "last": samples.taken[-1][1]},
            "reloads": len(watch.daemon.policies) - 1,
            "log_events": events,
            **result,
            "problems": problems,
            "table": watch.tally.table(),
        }


EXPECTED = frozenset(
    {
        "insecure_setting",
        "serving",
        "reloaded",
        "key_set_loaded",
        "key_set_failed",
        "key_set_refresh_forced",
        "draining",
        "stopped",
    }
)
"""Events that the log may have."""


def _cores() -> int:
    import os

    return os.cpu_count() or 1


def _progress(watch: Watch, providers: Sequence[Provider], now: float, seconds: float, samples: Samples) -> str:
    faults = sorted({str(each.watched.fault or "none") for each in providers})
    return (
        f"{now:6.0f} of {seconds:.0f} s  calls {watch.tally.all_calls:>9,}  wrong {watch.tally.all_wrong}"
        f"  memory {samples.taken[-1][1] >> 20} MiB  reloads {len(watch.daemon.policies) - 1}  fault {'/'.join(faults)}"
    )


def text(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [
        result["table"],
        "",
        *(f"{name:<42}{count:>10,}" for name, count in result["outcomes"].items()),
        "",
        f"p50 {result['p50_ms']} ms, p99 {result['p99_ms']} ms at {result['rate_per_second']} calls a second",
        f"memory: last third over middle third {result['memory_growth']} (bound {MEMORY_BOUND})",
        f"reloads {result['reloads']}, turns left out because an answer was late {result['turns_left_out']}",
        *(f"WRONG {json.dumps(each)}" for each in result["examples_of_wrong"]),
        *(f"BROKEN {each}" for each in result["problems"]),
    ]
    return "\n".join(lines)


def main() -> int:
    """Runs it and prints what came of it."""
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default {MINUTES:g})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    wanted = parser.parse_args()

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    result = asyncio.run(soak(wanted.minutes * MINUTE, tell=tell))
    table = {name: value for name, value in result.items() if name != "table"}
    print(json.dumps(table, indent=2) if wanted.json else text(result))
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
