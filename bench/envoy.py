"""Measures what the question to usherd costs a real Envoy: requests a second and latency, with the filter and without.

Envoy answers by itself, so that nothing else is measured: on one path usherd is asked, on the other it is not, in turn.
usherd has a processor of its own; Envoy shares another one with the caller, which does the same for both.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop
import yaml

from bench.company import ROUTE, TOKENS, Company
from bench.http_loop import asked
from bench.in_process import authorizer_of
from bench.processes import cpu, process
from bench.report import Figure
from peers.envoy import Config, Envoy, manager, running
from tools.envoy_requests import check_request
from usherd.calls import Call
from usherd.inbound.handed_on import GatewayRules
from usherd.rpc.envoy.service import CHECK, EnvoyService, EnvoyTerms
from usherd.rpc.limits import Gate, Limits
from usherd.rpc.service import AuthorizationService

CONNECTIONS = 64
SECONDS = 4.0
ALONE = 2.0
UNASKED = "/unasked"
MAX_RATIO = 8.0
"""A known question by Envoy over one by Check, in process: it has headers and a body to be read."""
_CALLS = 20_000


def measure(company: Company, port: int, folder: Path, rounds: int) -> list[Figure]:
    """In process, then through an Envoy."""
    config = folder / "asked.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(company.config.read_text()) | {"envoy": {}}))
    return [*_in_process(company, rounds), *_through_envoy(company, config, port, folder, rounds)]


def _body(number: int) -> bytes:
    talk = [{"role": "user", "content": "Tell me of a day at sea. " * 8}]
    return json.dumps({"model": f"model-{number % 20}", "messages": talk, "stream": True}).encode()


def _headers(token: str) -> list[tuple[str, str]]:
    """Those of a usual client, and of Envoy."""
    stainless = ("lang", "os", "arch", "runtime", "runtime-version", "package-version", "retry-count", "async")
    return [
        ("authorization", f"Bearer {token}"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate"),
        ("user-agent", "OpenAI/Python 1.99.0"),
        *((f"x-stainless-{name}", "value") for name in stainless),
    ]


def _in_process(company: Company, rounds: int) -> list[Figure]:
    limits = Limits()
    served = AuthorizationService(authorizer_of(company.config), limits=limits, gate=Gate(limits))
    ids = map("{:026}".format, itertools.count()).__next__
    envoy = EnvoyService(served, EnvoyTerms(GatewayRules(), ids))
    questions = [
        check_request(path=ROUTE, headers=_headers(token), body=_body(number))
        for number, token in enumerate(company.tokens)
    ]
    call = Call(CHECK)

    async def first() -> None:
        for question, check in zip(questions, company.check, strict=False):
            await envoy.check(question, call, 30.0)
            await served.check(check, call, 30.0)

    uvloop.run(first())
    by_envoy, by_check = envoy.at_hand()[CHECK], served.at_hand()["/usher.v1.AuthorizationService/Check"]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_each(lambda number: by_envoy(questions[number % TOKENS], call)))
        theirs.append(_each(lambda number: by_check(company.check[number % TOKENS], call)))
    ratios = tuple(one / other for one, other in zip(ours, theirs, strict=True))
    return [
        Figure("a known question, as Envoy asks it, in process", "us", tuple(ours)),
        Figure("a known question, as Check asks it, in process", "us", tuple(theirs)),
        Figure("Envoy's over Check's", "x", ratios, MAX_RATIO),
    ]


def _each(ask: Callable[[int], bytes | None]) -> float:
    begin = time.thread_time()
    for number in range(_CALLS):
        if ask(number) is None:
            raise AssertionError("a question was not known")
    return (time.thread_time() - begin) / _CALLS * 1e6


def _answers_itself(config: Config) -> None:
    """Envoy answers, asked and unasked, and writes no log."""
    http = manager(config)
    http["access_log"] = []
    # The body is waited for where nobody is asked, too: an answer before its end would end the connection.
    buffer = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"
    waiting = {"@type": buffer, "max_request_bytes": 1024 * 1024}
    http["http_filters"].insert(-1, {"name": "envoy.filters.http.buffer", "typed_config": waiting})
    (host,) = http["route_config"]["virtual_hosts"]
    disabled = host["routes"][0]["typed_per_filter_config"]
    answer = {"direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    host["routes"] = [
        {"match": {"prefix": UNASKED}, "typed_per_filter_config": disabled, **answer},
        {"match": {"prefix": "/"}, **answer},
    ]


def _request(path: str, token: str, number: int) -> bytes:
    body = _body(number)
    lines = [f"POST {path} HTTP/1.1", "host: gateway.example", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in _headers(token)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _through_envoy(company: Company, config: Path, port: int, folder: Path, rounds: int) -> list[Figure]:
    paths = {"asked": ROUTE, "unasked": f"{UNASKED}{ROUTE}"}
    requests = {
        side: [_request(path, token, number) for number, token in enumerate(company.tokens)]
        for side, path in paths.items()
    }
    rates: dict[str, list[float]] = {side: [] for side in paths}
    alone: dict[str, list[float]] = {side: [] for side in paths}
    usherds, envoys = [], dict[str, list[float]]({side: [] for side in paths})
    with ExitStack() as stack:
        usherd = stack.enter_context(process(["-m", "usherd", "serve", "--config", str(config)]))
        assert usherd.stdout is not None
        usherd.stdout.readline()
        at = (f"127.0.0.1:{port}", 1)
        envoy = stack.enter_context(running(folder / "envoy", *at, _answers_itself))
        # Once through before it counts.
        _everything(envoy, requests["asked"])
        for turn in range(rounds):
            for side in sorted(paths, reverse=bool(turn % 2)):
                before, spent = cpu(usherd.pid), cpu(envoy.pid)
                waits = asked(envoy.port, requests[side], CONNECTIONS, SECONDS)
                rates[side].append(len(waits) / SECONDS)
                envoys[side].append((cpu(envoy.pid) - spent) / len(waits) * 1e6)
                if side == "asked":
                    usherds.append((cpu(usherd.pid) - before) / len(waits) * 1e6)
                alone[side].append(statistics.median(asked(envoy.port, requests[side], 1, ALONE)) * 1e3)
    return _figures(rates, alone, usherds, envoys)


def _everything(envoy: Envoy, requests: Sequence[bytes]) -> None:
    seen = 0
    while seen < 2 * len(requests):
        seen += len(asked(envoy.port, requests, 8, 1.0))


def _figures(
    rates: dict[str, list[float]],
    alone: dict[str, list[float]],
    usherds: list[float],
    envoys: dict[str, list[float]],
) -> list[Figure]:
    on, off = rates["asked"], rates["unasked"]
    share = tuple(one - other for one, other in zip(alone["asked"], alone["unasked"], strict=True))
    ratios = tuple(one / other for one, other in zip(on, off, strict=True))
    return [
        Figure(f"{CONNECTIONS} connections: requests a second, unasked", "/s", tuple(off)),
        Figure(f"{CONNECTIONS} connections: requests a second, usherd asked", "/s", tuple(on)),
        Figure("usherd asked over unasked", "x", ratios),
        Figure("usherd's CPU a request", "us", tuple(usherds)),
        Figure("Envoy's CPU a request, unasked", "us", tuple(envoys["unasked"])),
        Figure("Envoy's CPU a request, usherd asked", "us", tuple(envoys["asked"])),
        Figure("one connection: median latency, unasked", "ms", tuple(alone["unasked"])),
        Figure("one connection: median latency, usherd asked", "ms", tuple(alone["asked"])),
        Figure("one connection: what asking adds to the median", "ms", share),
    ]
