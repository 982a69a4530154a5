"""One run: a daemon with a processor for itself, and callers in processes of their own on the others."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from bench.attacks.measure import percentile
from bench.company import company
from bench.processes import cpu, memory, process
from tools.ports import free_port

PROCESSES = 2
STEPS = (1000, 1500, 2000, 2500, 3000, 3500, 4000)
"""Calls a second that are offered to find the most that is served."""
STEP_SECONDS = 3.0
LEAST_GOODPUT = 0.6
"""What is served of twice the most, as a share of the most."""
MOST_SLOWER = 5.0
"""The p99 of what is served meanwhile, over that of an unloaded daemon."""
MOST_RECOVERY = 2.0
"""Seconds after which it is as before."""


@dataclass(frozen=True)
class Phase:
    """What became of the calls at one rate. Numbers of calls are a second; latencies are in ms."""

    rate: float
    served: float
    refused: float
    waited: float
    late: float
    p50: float
    p99: float
    sent_p99: float
    daemon_cpu: float
    callers_cpu: float
    memory: float

    def line(self, name: str) -> str:
        return (
            f"| {name} | {self.rate:.0f} | {self.served:.0f} | {self.refused:.0f} | {self.waited + self.late:.0f} "
            f"| {self.p50:.1f} | {self.p99:.1f} | {self.sent_p99:.1f} | {self.daemon_cpu:.2f} "
            f"| {self.callers_cpu:.2f} | {self.memory:.0f} |"
        )


@dataclass(frozen=True)
class Found:
    """What one run has found."""

    limits: dict[str, int]
    deadline: float
    connections: int
    unloaded: Phase
    steps: list[Phase]
    overload: Phase
    after: Phase
    recovery: float | None

    @property
    def most(self) -> float:
        return max(step.served for step in self.steps)

    @property
    def goodput(self) -> float:
        return self.overload.served / self.most

    @property
    def slower(self) -> float:
        return self.overload.p99 / self.unloaded.p99

    @property
    def costs(self) -> tuple[float, float]:
        """Microseconds of the daemon's CPU for each call that is offered: unloaded, and at twice the most.

        What a refusal costs by itself is not told: a call that is served costs less under load than without.
        """
        one, other = (phase.daemon_cpu / phase.rate * 1e6 for phase in (self.unloaded, self.overload))
        return one, other

    @property
    def kept(self) -> bool:
        recovered = self.recovery is not None and self.recovery <= MOST_RECOVERY
        return self.goodput >= LEAST_GOODPUT and self.slower <= MOST_SLOWER and recovered

    def as_json(self) -> dict[str, object]:
        own = {
            "most": self.most,
            "goodput": self.goodput,
            "slower": self.slower,
            "costs": self.costs,
            "kept": self.kept,
        }
        return asdict(self) | own

    def lines(self) -> list[str]:
        """A Markdown table, and what follows from it."""
        back = "not seen" if self.recovery is None else f"{self.recovery:.1f} s"
        return [
            f"limits {self.limits or 'of the defaults'}, {self.connections} connections, callers give up after "
            f"{self.deadline:g} s",
            "",
            "| | offered /s | served /s | refused /s | given up /s | p50 ms | p99 ms | p99 ms from sending "
            "| daemon CPU | callers CPU | MiB |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
            self.unloaded.line("unloaded"),
            *(step.line("step") for step in self.steps),
            self.overload.line("twice the most"),
            self.after.line("after"),
            "",
            f"served of the most: {self.goodput:.2f} (at least {LEAST_GOODPUT:g}); "
            f"p99 over the unloaded: {self.slower:.1f} (at most {MOST_SLOWER:g}); "
            f"as before after: {back} (at most {MOST_RECOVERY:g} s)",
            "daemon's CPU for each call that is offered: unloaded {:.0f} us, at twice the most {:.0f} us".format(
                *self.costs
            ),
        ]


def measure(folder: Path, limits: dict[str, int], seconds: float, deadline: float, connections: int) -> Found:
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

        run([(1000, 5.0)])
        steps = run([(rate, STEP_SECONDS) for rate in STEPS])[0]
        most = max(step.served for step in steps)
        low = most / 10
        (unloaded, overload, after), calls, ended = run([(low, 5.0), (2 * most, seconds), (low, 5.0)])
    return Found(
        limits=limits,
        deadline=deadline,
        connections=connections,
        unloaded=unloaded,
        steps=steps,
        overload=overload,
        after=after,
        recovery=_recovery(calls, ended, 2 * unloaded.p99),
    )


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
