"""Measures two workers against one: CPU for a call, and how many calls 64 connections get answered.

Both servers run at the same time and are asked in turns, so that what else the machine does hits both alike. Throughput
that is seen is what is left beside the caller, which needs a processor, too: of two processors, two workers and a
caller share what one worker and a caller have for themselves. So it is told beside what does not depend on that: calls
a second of the workers' own CPU, times the workers; and how much CPU the workers really had at once.

CPU for a call depends on how many calls a process has: an event loop that has several at a time takes them in one turn.
So what a second worker costs is told at the same rate for each worker; and, beside it, at the same rate for all.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.company import Company
from bench.processes import cpu
from bench.report import Figure
from tools.ports import free_port

MAX_CPU = 1.1
"""CPU for a call with two workers over one, at the same rate for each worker."""
MIN_THROUGHPUT = 1.5
"""Throughput with two workers over one, where each has a processor."""
CONNECTIONS = 64
RATE = 400.0
"""Calls a second for each worker."""
MIN_SERVED = 0.95
"""The share of the calls at that rate that must be served, for the rest to be of no weight."""
SECONDS = 6.0
WARM_UP = 1.0


@dataclass(frozen=True)
class Side:
    """One of the two servers."""

    workers: int
    pid: int
    port: int

    def processes(self) -> list[int]:
        """The server's, the supervisor's among them."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [self.pid, *(int(child) for task in tasks for child in task.read_text().split())]

    def cpus(self) -> list[float]:
        return [cpu(each) for each in self.processes()]


@dataclass(frozen=True)
class Turn:
    """What one side did in one turn."""

    rate: float
    """Calls a second."""
    cpu: float
    """Seconds of CPU a second, of all processes of the server."""
    least: float
    """The share of its workers' CPU that the least used one had."""
    caller: float
    """The caller's seconds of CPU a second."""


def measure(company: Company, folder: Path, rounds: int) -> list[Figure]:
    """Ratios of one run, and what they are made of."""
    messages = folder / "messages.pickle"
    messages.write_bytes(pickle.dumps(list(company.check)))
    with ExitStack() as stack:
        one, two = (stack.enter_context(serving(company, number)) for number in (1, 2))
        for side in (one, two, one, two):
            closed(side, messages)
        paced: dict[str, list[Turn]] = {"one": [], "each": [], "all": []}
        full: dict[int, list[Turn]] = {1: [], 2: []}
        for number in range(rounds):
            for side in (one, two) if number % 2 else (two, one):
                for name, rate in (("one", RATE),) if side is one else (("each", 2 * RATE), ("all", RATE)):
                    paced[name].append(_paced(side, messages, rate))
                full[side.workers].append(closed(side, messages))
    return list(_figures(paced, full))


def _figures(paced: dict[str, list[Turn]], full: dict[int, list[Turn]]) -> Iterator[Figure]:
    cost = {name: [turn.cpu / turn.rate for turn in turns] for name, turns in paced.items()}
    for name, title in (
        ("one", f"one worker, {RATE:.0f} calls/s"),
        ("each", f"two workers, {RATE:.0f} calls/s each"),
        ("all", f"two workers, {RATE:.0f} calls/s in all"),
    ):
        yield Figure(f"{title}: CPU a call", "us", tuple(each * 1e6 for each in cost[name]))
    yield Figure(
        "CPU a call, two workers over one, the same rate each", "times", _over(cost["each"], cost["one"]), MAX_CPU
    )
    yield Figure("CPU a call, two workers over one, the same rate in all", "times", _over(cost["all"], cost["one"]))
    for side, turns in full.items():
        name = f"workers {side}, {CONNECTIONS} connections"
        yield Figure(f"{name}: calls served", "/s", tuple(turn.rate for turn in turns))
        yield Figure(f"{name}: server's CPU", "cores", tuple(turn.cpu for turn in turns))
        yield Figure(f"{name}: caller's CPU", "cores", tuple(turn.caller for turn in turns))
    yield Figure("share of the less used of two workers", "times", tuple(turn.least for turn in full[2]))
    rates = {side: [turn.rate for turn in turns] for side, turns in full.items()}
    yield Figure("calls served beside the caller, two over one", "times", _over(rates[2], rates[1]))
    capacity = {side: [side * turn.rate / turn.cpu for turn in turns] for side, turns in full.items()}
    yield Figure(
        "calls a second with a core each, two over one", "times", _over(capacity[2], capacity[1]), None, MIN_THROUGHPUT
    )


def _over(these: list[float], those: list[float]) -> tuple[float, ...]:
    return tuple(this / that for this, that in zip(these, those, strict=True))


@contextmanager
def serving(company: Company, workers: int) -> Iterator[Side]:
    """A server with so many workers."""
    port = free_port()
    settings = yaml.safe_load(company.config.read_text())
    settings["server"] |= {"address": f"127.0.0.1:{port}", "workers": workers}
    config = company.config.with_name(f"workers-{workers}.yaml")
    config.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "usherd", "serve", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield Side(workers, process.pid, port)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def closed(side: Side, messages: Path) -> Turn:
    """What it does when 64 connections ask again as soon as they are answered."""
    orders = {"messages": str(messages), "port": side.port, "connections": CONNECTIONS, "first": 0}
    with _caller("bench.closed_loop", orders | {"seconds": SECONDS, "warm_up": WARM_UP}) as caller:
        assert caller.stdout is not None
        if caller.stdout.readline() != "begun\n":
            raise AssertionError("the caller did not begin")
        before = side.cpus()
        seen = json.loads(caller.stdout.readline())
        spent = [after - used for after, used in zip(side.cpus(), before, strict=True)]
    if seen["wrong"] or seen["refused"]:
        raise AssertionError("a question was not allowed")
    return _turn(side, spent, seen["served"], seen["seconds"], seen["cpu"])


def _paced(side: Side, messages: Path, rate: float) -> Turn:
    start = time.monotonic() + 1.0
    orders = {
        "messages": str(messages),
        "port": side.port,
        "connections": CONNECTIONS,
        "deadline": 3.0,
        "first": 0,
        "start": start,
        "phases": [(rate, WARM_UP), (rate, SECONDS)],
    }
    with _caller("bench.overload.caller", orders) as caller:
        time.sleep(max(0.0, start + WARM_UP - time.monotonic()))
        before, begin = side.cpus(), time.monotonic()
        time.sleep(SECONDS)
        spent = [after - used for after, used in zip(side.cpus(), before, strict=True)]
        seconds = time.monotonic() - begin
        seen = json.loads(caller.communicate(timeout=60)[0])["phases"][1]
    if seen["wrong"]:
        raise AssertionError("a question was not allowed")
    if len(seen["served"]) < MIN_SERVED * seen["offered"]:
        raise AssertionError("the machine is too busy for that rate")
    return _turn(side, spent, len(seen["served"]) * seconds / SECONDS, seconds, seen["cpu"])


def _turn(side: Side, spent: list[float], served: float, seconds: float, caller: float) -> Turn:
    workers = spent[1:] if side.workers > 1 else spent
    return Turn(
        rate=served / seconds,
        cpu=sum(spent) / seconds,
        least=min(workers) / sum(workers),
        caller=caller / seconds,
    )


@contextmanager
def _caller(module: str, orders: dict[str, object]) -> Iterator[subprocess.Popen[str]]:
    caller = subprocess.Popen([sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert caller.stdin is not None
        caller.stdin.write(json.dumps(orders) + "\n")
        caller.stdin.flush()
        yield caller
    finally:
        caller.kill()
        caller.communicate()
