"""Measures what metrics cost: a call, while they are counted, and everybody else, while they are looked at."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import uvloop
import yaml

from bench import wire
from bench.company import TOKENS, Company
from bench.processes import cpu, process
from bench.report import Figure
from tools.ports import free_port
from usherd.calls import Asked, Call, Ended
from usherd.domain import Decision, Effect, Verdict
from usherd.ports import Cache
from usherd.reasons import Reason
from usherd.telemetry.counts import SERVICE, Counts
from usherd.telemetry.page import MetricsPage
from usherd.telemetry.state import KeySetState, LoadState, ReloadState, State

MAX_RATIO = 1.05
"""CPU of a warm Authorize with metrics over one without."""
MAX_HOLD = 5.0
"""Milliseconds that one family of the page keeps others from going on."""
CALLS = 100_000
SCRAPES = 100


def measure(company: Company, folder: Path, rounds: int) -> list[Figure]:
    """Counting in process, calls of a daemon with and one without metrics in turns, and scrapes."""
    counting = tuple(_counting() for _ in range(rounds))
    pages = [asyncio.run(_page()) for _ in range(rounds)]
    off, on, scrape = _daemons(company, folder, rounds)
    ratios = tuple(one / other for one, other in zip(on, off, strict=True))
    return [
        Figure("counting one warm call, in process", "us", counting),
        Figure("Authorize: daemon's CPU a call without metrics", "us", off),
        Figure("Authorize: daemon's CPU a call with metrics", "us", on),
        Figure("Authorize: with metrics over without", "x", ratios, MAX_RATIO),
        Figure(f"writing the page of {pages[0][2]} samples, in process", "ms", tuple(page[0] for page in pages)),
        Figure("the longest that it holds the event loop, CPU", "ms", tuple(page[1] for page in pages), MAX_HOLD),
        Figure("one scrape over HTTP: daemon's CPU", "ms", scrape),
    ]


def _counting() -> float:
    """Microseconds of CPU of all that hears of a call that is answered at hand."""
    counts, call = Counts(), Call(f"{SERVICE}Authorize")
    verdict = Verdict(effect=Effect.ALLOW, reason=Reason.ALLOWED)
    decision = Decision(verdict, "0" * 26, "store:1", 0.0, True)
    asked = Asked("/v1/chat/completions", "POST", "gpt-4o")
    begin = time.thread_time()
    for _ in range(CALLS):
        counts.looked_up(Cache.ANSWERS, found=True)
        counts.decided(call, "", lambda: asked, decision)
        counts.ended(call, Ended.ANSWERED, 0.0001)
    return (time.thread_time() - begin) / CALLS * 1e6


async def _page() -> tuple[float, float, int]:
    """CPU in ms to write a page with ten issuers, the most of it between two rests, and how many samples it has."""
    key_sets = tuple(
        KeySetState(issuer=f"idp-{number}", part=0, usable_for=60.0, given=False, age=1.0, keys=2, last_error=None)
        for number in range(10)
    )
    state = State(
        ready=True,
        load=LoadState(),
        key_sets=key_sets,
        insecure=(),
        warnings=0,
        digest="0" * 64,
        preset="strict",
        reloads=ReloadState(),
        revision=1,
        rows={},
        documents=(0, 0),
        shadow=None,
        decision_log=None,
    )
    rests = [time.thread_time()]

    async def rest() -> None:
        rests.append(time.thread_time())

    body, _ = await MetricsPage("0", Counts(), lambda: state).write("", rest)
    holds = [after - before for before, after in pairwise(rests)]
    lines = [line for line in body.splitlines() if not line.startswith(b"#")]
    return sum(holds) * 1e3, max(holds) * 1e3, len(lines)


def _daemons(
    company: Company, folder: Path, rounds: int
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """CPU a call without metrics and with them, in microseconds, and CPU a scrape in milliseconds."""
    ports, page = {False: free_port(), True: free_port()}, free_port()
    requests = company.authorize[:TOKENS]
    spent: dict[bool, list[float]] = {False: [], True: []}
    scrapes: list[float] = []
    with ExitStack() as stack:
        processes = {}
        for watched, port in ports.items():
            config = yaml.safe_load(company.config.read_text())
            config["server"] = {"address": f"127.0.0.1:{port}"}
            if watched:
                config["telemetry"] = {"metrics": f"127.0.0.1:{page}"}
            path = folder / f"watched-{watched}.yaml"
            path.write_text(yaml.safe_dump(config))
            processes[watched] = stack.enter_context(process(["-m", "usherd", "serve", "--config", str(path)]))
        for port in ports.values():
            uvloop.run(wire.first_answer(port, company.check[0]))
            uvloop.run(wire.load(port, "Authorize", requests, len(requests)))
        for _ in range(rounds):
            used = {False: 0.0, True: 0.0}
            for turn in range(wire.TURNS):
                for watched in (False, True) if turn % 2 == 0 else (True, False):
                    before = cpu(processes[watched].pid)
                    start = turn * wire.CALLS % len(requests)
                    uvloop.run(wire.load(ports[watched], "Authorize", requests[start:], wire.CALLS))
                    used[watched] += cpu(processes[watched].pid) - before
            for watched, seconds in used.items():
                spent[watched].append(seconds / (wire.TURNS * wire.CALLS) * 1e6)
            before = cpu(processes[True].pid)
            for _ in range(SCRAPES):
                _scrape(page)
            scrapes.append((cpu(processes[True].pid) - before) / SCRAPES * 1e3)
    return tuple(spent[False]), tuple(spent[True]), tuple(scrapes)


def _scrape(port: int) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        if b"usherd_decisions_total" not in answer.read():
            raise AssertionError("a scrape had no metrics")
