"""Stands between usherd and a real identity provider, and fails in every way that it is told to.

It passes on the provider's discovery document, in which `jwks_uri` leads to the proxy, and its key set. By hand:

    make fault-proxy ARGS="--upstream http://127.0.0.1:8080 --port 9000"

and in usherd's configuration, where `issuer` stays the provider's own:

    keys: {discovery: http://127.0.0.1:9000/realms/demo/.well-known/openid-configuration}
    insecure: {loopback_http: true}
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from tools.faults import Fault
from tools.key_server import DISCOVERY_PATH, KeyServer

UPSTREAM_SECONDS = 5.0
GOOD = "good"
KEYS, DISCOVERY, BOTH = "keys", "discovery", "both"
PARTS = {KEYS: (KEYS,), DISCOVERY: (DISCOVERY,), BOTH: (KEYS, DISCOVERY)}


class FaultProxy(KeyServer):
    """A key server whose good answers are another server's."""

    def __init__(self, upstream: str, *, port: int = 0) -> None:
        """`upstream` is the provider's origin, as http://127.0.0.1:8080. Port 0: any that is free."""
        super().__init__(port=port)
        self._upstream = upstream.rstrip("/")
        # Providers on loopback are not asked by way of a proxy that the environment names.
        self._client = httpx.AsyncClient(trust_env=False, timeout=UPSTREAM_SECONDS)

    async def document(self, path: str) -> bytes | None:
        try:
            answer = await self._client.get(self._upstream + path)
        except httpx.HTTPError:
            return None
        if answer.status_code != httpx.codes.OK:
            return None
        return self._leading_here(answer.content) if path.endswith(DISCOVERY_PATH) else answer.content

    def _leading_here(self, body: bytes) -> bytes:
        metadata = json.loads(body)
        parts = urlsplit(metadata["jwks_uri"])
        metadata["jwks_uri"] = self.origin + parts.path + (f"?{parts.query}" if parts.query else "")
        return json.dumps(metadata).encode()

    def fault_at(self, path: str) -> Fault | None:
        return super().fault_at(DISCOVERY if path.endswith(DISCOVERY_PATH) else KEYS)

    async def fail(self, fault: Fault | None, part: str = KEYS) -> None:
        """As of a key server, at the part of that name: `keys`, `discovery` or `both`."""
        for each in PARTS[part]:
            await super().fail(fault, each)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self._client.__aexit__(kind, error, trace)


def fault_named(name: str) -> Fault | None:
    """The fault; None: `good`. Raises argparse.ArgumentTypeError, which lists the names."""
    if name == GOOD:
        return None
    with contextlib.suppress(ValueError):
        return Fault(name)
    raise argparse.ArgumentTypeError(f"no fault {name!r}: expected {', '.join([GOOD, *Fault])}")


def planned(text: str) -> list[tuple[Fault | None, float]]:
    """The steps of a plan, as `good:30,down:10,500:10`: each a fault and for how many seconds."""
    steps = []
    for each in text.split(","):
        name, _, seconds = each.rpartition(":")
        try:
            steps.append((fault_named(name.strip()), float(seconds)))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{each!r}: expected FAULT:SECONDS") from None
    return steps


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="fault_proxy",
        description="Stands between usherd and an identity provider, and fails as it is told to.",
        epilog="While it runs, a line `FAULT [keys|discovery|both]` on standard input changes what it does;"
        " `good` ends every fault there. Faults: " + ", ".join(Fault),
    )
    parser.add_argument("--upstream", required=True, help="the provider's origin, as http://127.0.0.1:8080")
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1 (default: any free port)")
    parser.add_argument("--fault", type=fault_named, default=None, help="how to fail from the start (default: good)")
    parser.add_argument("--part", choices=sorted(PARTS), default=KEYS, help="what fails (default: keys)")
    parser.add_argument(
        "--plan", type=planned, help="faults one after another, as good:30,down:10,500:10; then it ends"
    )
    return parser


async def _typed(proxy: FaultProxy) -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        words = line.split()
        if not words:
            continue
        try:
            fault, part = fault_named(words[0]), words[1] if len(words) > 1 else BOTH
            await proxy.fail(fault, part)
        except (argparse.ArgumentTypeError, KeyError) as error:
            print(f"not understood: {error}", flush=True)
        else:
            print(f"{part}: {words[0]}", flush=True)
    await asyncio.Event().wait()


async def run(options: argparse.Namespace) -> None:
    """Runs until the plan is over, or for ever."""
    async with FaultProxy(options.upstream, port=options.port) as proxy:
        print(f"in place of {options.upstream}: {proxy.origin}", flush=True)
        await proxy.fail(options.fault, options.part)
        if options.plan is None:
            await _typed(proxy)
        for fault, seconds in options.plan or ():
            await proxy.fail(fault, options.part)
            print(f"{options.part}: {fault or GOOD} for {seconds:g} s", flush=True)
            await asyncio.sleep(seconds)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(arguments().parse_args()))
