"""Measures the daemon's CPU for one call over the wire, against a bare echo of the same call, in turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import grpc.aio
import uvloop

from bench.company import TOKENS, Company
from bench.processes import cpu, process
from bench.report import Figure
from usher.v1 import authorization_service_pb2 as api

MAX_RATIO = 1.25
"""CPU of an Authorize over that of an echo of the same shape, for 1,000 holders who each ask for one model.

Stated without a bound: all 20,000 questions in turn, whose answers no longer fit the processor's caches, and Check."""
TURNS = 12
CALLS = 500
"""A round is so many turns of so many calls for each side, in turns: what else the machine does hits both alike."""
AT_ONCE = 32
_SERVICE = "/usher.v1.AuthorizationService/"
_ids = (
    api.CheckRequest(options=api.Options(request_id=f"bench-{number:09d}")).SerializeToString() for number in count()
)
"""Put behind a request it becomes part of it (the wire format's law of concatenation): no two bodies are the same."""


def measure(company: Company, port: int, folder: Path, rounds: int) -> list[Figure]:
    """CPU a call of daemon and echo, for the streamed and the unary call."""
    with ExitStack() as stack:
        daemon = stack.enter_context(process(["-m", "usherd", "serve", "--config", str(company.config)]))
        answer = uvloop.run(first_answer(port, company.check[0]))
        (folder / "answer.bin").write_bytes(answer)
        echo = stack.enter_context(process(["-m", "bench.echo", str(folder / "answer.bin")]))
        assert echo.stdout is not None
        echo_port = int(echo.stdout.readline())
        figures: list[Figure] = []
        for method, requests, bound in (
            ("Authorize", company.authorize[:TOKENS], MAX_RATIO),
            ("Authorize", company.authorize, None),
            ("Check", company.check[:TOKENS], None),
        ):
            title = f"{method}, {len(requests):,} questions"
            ours, floor = [], []
            # Once through before it counts: every token is known, every path has been walked.
            for warm_up in (port, echo_port):
                uvloop.run(load(warm_up, method, requests, len(requests)))
            for _ in range(rounds):
                spent = {port: 0.0, echo_port: 0.0}
                for turn in range(TURNS):
                    order = [(daemon, port), (echo, echo_port)]
                    for running, at in order if turn % 2 == 0 else reversed(order):
                        before = cpu(running.pid)
                        uvloop.run(load(at, method, requests[turn * CALLS % len(requests) :], CALLS))
                        spent[at] += cpu(running.pid) - before
                ours.append(spent[port] / (TURNS * CALLS) * 1e6)
                floor.append(spent[echo_port] / (TURNS * CALLS) * 1e6)
            ratios = tuple(one / other for one, other in zip(ours, floor, strict=True))
            figures += [
                Figure(f"{title}: daemon's CPU a call", "us", tuple(ours)),
                Figure(f"{title}: bare echo's CPU a call", "us", tuple(floor)),
                Figure(f"{title}: daemon over echo", "x", ratios, bound),
            ]
        return figures


async def first_answer(port: int, request: bytes) -> bytes:
    """The daemon's first answer; waits for the daemon to be there."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(f"{_SERVICE}Check")
        answer: bytes = await call(request, wait_for_ready=True, timeout=30)
        return answer


async def load(port: int, method: str, requests: Sequence[bytes], calls: int) -> float:
    """Sends that many calls, each with the next request, and looks at each answer's effect. Seconds it took."""
    begin = time.perf_counter()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        streamed, unary = channel.unary_stream(_SERVICE + method), channel.unary_unary(_SERVICE + method)
        numbers = iter(range(calls))

        async def worker() -> None:
            for number in numbers:
                request = requests[number % len(requests)] + next(_ids)
                if method == "Authorize":
                    answers = [answer async for answer in streamed(request, timeout=30)]
                    decision = api.AuthorizeResponse.FromString(answers[0]).decision
                    alone = len(answers) == 1
                else:
                    decision = api.CheckResponse.FromString(await unary(request, timeout=30)).decision
                    alone = True
                if decision.effect != 1 or not alone:
                    raise AssertionError("a call was not answered with one ALLOW")

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return time.perf_counter() - begin
