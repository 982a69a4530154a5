"""python -m bench.attacks.caller PORT RATE SECONDS DEADLINE MESSAGES CALLS CA: one who means well, in an open loop.

CA is the file to trust, or empty: without TLS.

Writes JSON into CALLS: for each call when it was due (monotonic clock), the seconds until it ended, and its status.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
import time
from pathlib import Path

import grpc.aio
import uvloop

from usher.v1 import authorization_service_pb2 as api

_METHOD = "/usher.v1.AuthorizationService/Check"


async def run(
    port: int, rate: float, seconds: float, deadline: float, messages: list[bytes], trust: bytes
) -> list[list[object]]:
    """All calls, in the order of their ends."""
    seen: list[list[object]] = []

    async def one(due: float, request: bytes) -> None:
        try:
            answer = await check(request, timeout=deadline)
            allowed = api.CheckResponse.FromString(answer).decision.effect == 1
            code = "OK" if allowed else "WRONG"
        except grpc.aio.AioRpcError as error:
            code = error.code().name
        seen.append([due, time.monotonic() - due, code])

    # Reconnects as soon as it may: how long the daemon is out of reach is what is measured.
    options = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200))
    if trust:
        credentials = grpc.ssl_channel_credentials(trust)
        opened = grpc.aio.secure_channel(f"localhost:{port}", credentials, options=options)
    else:
        opened = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
    async with opened as channel:
        check = channel.unary_unary(_METHOD)
        await check(messages[0], wait_for_ready=True, timeout=30)
        print("ready", flush=True)
        calls = set()
        begin = time.monotonic()
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            call = asyncio.create_task(one(due, messages[number % len(messages)]))
            calls.add(call)
            call.add_done_callback(calls.discard)
        await asyncio.gather(*calls)
    return seen


if __name__ == "__main__":
    port, rate, seconds, deadline, file, calls, trust = sys.argv[1:]
    messages = pickle.loads(Path(file).read_bytes())
    authority = Path(trust).read_bytes() if trust else b""
    work = run(int(port), float(rate), float(seconds), float(deadline), messages, authority)
    Path(calls).write_text(json.dumps(uvloop.run(work)))
