"""One run: a daemon with a processor for itself, and callers in processes of their own on the others."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from bench.attacks.measure import percentile
from bench.company import company
from bench.overload.found import Found, Phase, Round
from bench.processes import cpu, memory, process
from tools.ports import free_port

PROCESSES = 2
STEPS = (1000, 1500, 2000, 2500, 3000, 3500, 4000)
"""Calls a second that are offered to find the most that is served."""
STEP_SECONDS = 3.0
WARMING = 1500
"""Calls a second with which every question is asked once before anything counts."""
UNLOADED_SECONDS = 8.0
"""How long a tenth of the most is offered: its p99 is that of some thousand calls."""


def measure(
    folder: Path, limits: dict[str, int], seconds: float, deadline: float, connections: int, rounds: int
) -> Found:
    """Starts a daemon with these limits, and measures it."""
    port = free_port()
    made = company(folder, port)
    settings = yaml.safe_load(made.config.read_text())
    settings["server"]["limits"] = limits
    made.config.write_text(yaml.safe_dump(settings))
    messages = folder / "messages.pickle"
    messages.write_bytes(pickle.dumps(list(made.check)))
    with process(["-m", "usherd", "serve", "--config", str(made.config)]) as daemon:
        assert daemon.stdout is not None
        daemon.stdout.readline()

        def run(phases: Sequence[tuple[float, float]]) -> tuple[list[Phase], list[list[float]], float]:
            orders = {"messages": str(messages), "port": port, "deadline": deadline}
            return _run(daemon.pid, orders | {"connections": connections // PROCESSES}, phases)

        run([(WARMING, len(made.check) / WARMING + 1.0)])
        steps = run([(rate, STEP_SECONDS) for rate in STEPS])[0]
        most = max(step.served for step in steps)
        low, lasts = most / 10, UNLOADED_SECONDS
        found = []
        for _ in range(rounds):
            (unloaded, overload, after), calls, ended = run([(low, lasts), (2 * most, seconds), (low, lasts)])
            recovery = _recovery(calls, ended, 2 * unloaded.p99)
            found.append(Round(unloaded=unloaded, overload=overload, after=after, recovery=recovery))
    return Found(limits=limits, deadline=deadline, connections=connections, steps=steps, rounds=found)


def _run(
    daemon: int, orders: dict[str, object], phases: Sequence[tuple[float, float]]
) -> tuple[list[Phase], list[list[float]], float]:
    """The phases, the served calls of the last one, and when that began."""
    start = time.monotonic() + 1.0
    callers = []
    for number in range(PROCESSES):
        own = {"first": number * 7777, "start": start, "phases": [(rate / PROCESSES, lasts) for rate, lasts in phases]}
        caller = subprocess.Popen(
            [sys.executable, "-m", "bench.overload.caller"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert caller.stdin is not None
        caller.stdin.write(json.dumps(orders | own) + "\n")
        caller.stdin.flush()
        callers.append(caller)
    spent, most = [], []
    at = start
    time.sleep(max(0.0, at - time.monotonic()))
    for _, lasts in phases:
        before, at, high = cpu(daemon), at + lasts, 0.0
        while time.monotonic() < at:
            high = max(high, memory(daemon))
            time.sleep(0.1)
        spent.append((cpu(daemon) - before) / lasts)
        most.append(high)
    seen = [json.loads(caller.communicate(timeout=60)[0])["phases"] for caller in callers]
    found = [
        _phase([each[number] for each in seen], lasts, spent[number], most[number])
        for number, (_, lasts) in enumerate(phases)
    ]
    last = [call for each in seen for call in each[-1]["served"]]
    return found, last, at - phases[-1][1]


def _phase(parts: list[dict[str, object]], lasts: float, spent: float, most: float) -> Phase:
    def total(name: str) -> float:
        return sum(part[name] for part in parts) / lasts  # type: ignore[misc]

    if total("wrong"):
        raise AssertionError("a question was not allowed")
    served = [call for part in parts for call in part["served"]]  # type: ignore[attr-defined]
    return Phase(
        rate=total("offered"),
        served=len(served) / lasts,
        refused=total("refused"),
        waited=total("waited"),
        late=total("late"),
        p50=percentile([call[1] * 1000 for call in served], 0.5),
        p99=percentile([call[1] * 1000 for call in served], 0.99),
        sent_p99=percentile([call[2] * 1000 for call in served], 0.99),
        daemon_cpu=spent,
        callers_cpu=total("cpu"),
        memory=most,
    )


def _recovery(calls: list[list[float]], since: float, bound: float) -> float | None:
    """Seconds until there is a second whose p99 is within the bound (ms). None: there was none."""
    begin = since
    while begin + 1.0 <= since + 5.0:
        here = [call[1] * 1000 for call in calls if begin <= call[0] < begin + 1.0]
        if here and percentile(here, 0.99) <= bound:
            return begin - since
        begin += 0.1
    return None
