"""Runs the whole of it, and tells what came of it."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from typing import Any

from chaos import defects
from chaos.run import Scene, Tell, calm, news, scene, stormy
from chaos.score import BROKEN

CALM = 30.0
"""Seconds in which news are measured, twice."""
MEASURED_EVERY = 0.5


async def chaos(seconds: float, tell: Tell, *, measured: float = CALM, seed: int = 1) -> dict[str, Any]:
    """Runs for so long besides what is measured; returns what came of it."""
    async with scene((defects.__file__, "no_notifications")) as silent:
        await calm(silent, measured, MEASURED_EVERY)
        unheard, broken = news(silent), silent.score.broken
        tell("measured without notifications")
    async with scene(seed=seed) as running:
        await calm(running, measured, MEASURED_EVERY)
        tell("measured with notifications; now things fail")
        await stormy(running, seconds, tell)
        result = result_of(running) | {
            "minutes": round(seconds / 60, 2),
            "seed": seed,
            "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
            "news": news(running),
            "news_without_notifications": unheard,
        }
    for name, count in broken.items():
        result["broken"][name] += count
    return result | {"problems": problems(result)}


def result_of(scene: Scene) -> dict[str, Any]:
    """What came of a scene."""
    events: Counter[str] = Counter()
    for replica in scene.replicas:
        events += replica.events()
    return scene.score.as_json() | {
        "writes": scene.writers.count,
        "writes_sent_again": scene.managing.repeated,
        "faults_of_writes": dict(scene.managing.faults.most_common()),
        "log_events": dict(events.most_common()),
    }


def problems(result: dict[str, Any]) -> list[str]:
    """The promises that were broken, in words."""
    found = [f"{result['broken'][name]} x {name.replace('_', ' ')}" for name in BROKEN if result["broken"][name]]
    if bugs := result["log_events"].get("internal_fault"):
        found.append(f"the log has {bugs} bugs")
    return found


def text(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [f"{'fault':<34}{'times':>6}{'well again: p50':>18}{'longest':>10}"]
    for kind, count in result["faults"].items():
        again = result["recovery"].get(kind, {"p50_ms": 0, "max_ms": 0})
        lines.append(f"{kind:<34}{count:>6}{again['p50_ms']:>15.0f} ms{again['max_ms']:>7.0f} ms")
    lines.append("")
    for title, name in (("with notifications", "news"), ("without", "news_without_notifications")):
        for kind, each in result[name].items():
            asked = each["since_asked"]
            lines.append(
                f"{kind} to the last who watches, {title}: p50 {asked['p50_ms']:.0f} ms, p99 {asked['p99_ms']:.0f} ms"
                f" of {asked['count']}"
            )
    silenced = result["silenced"]
    lines += [
        "",
        f"cut off from the log, a replica answers for {silenced['p50_ms'] / 1000:.2f} s (median),"
        f" {silenced['max_ms'] / 1000:.2f} s at most",
        f"after kill -9 of one replica, all who watched there know all from the other in"
        f" {result['failover']['p50_ms']:.0f} ms (median), {result['failover']['max_ms']:.0f} ms at most",
        f"{result['writes']} writes, {result['writes_sent_again']} of them sent more than once;"
        f" {result['reconnects']} streams begun anew",
        "",
        *(f"{name.replace('_', ' '):<34}{result['broken'][name]:>6}" for name in BROKEN),
        *(f"example: {json.dumps(each)}" for each in result["examples"]),
        *(f"BROKEN: {each}" for each in result["problems"]),
    ]
    return "\n".join(lines)
