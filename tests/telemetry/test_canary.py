"""A token put through every failure path shows up in no output, however loudly gRPC is told to speak."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

CANARY_PARTS = ("canary-claims-5f3a", "canary-signature-77b1", "exception-canary-91c4")
TESTS = Path(__file__).resolve().parents[1]


async def _fail_in_every_way() -> None:
    from google.protobuf.message import Message

    from tools.rpc_world import CANARY, QUESTION, Answers, call, calling, running
    from usher.v1 import authorization_service_pb2 as api
    from usherd.errors import InternalFault, KeysUnavailable
    from usherd.rpc.limits import Limits
    from usherd.telemetry import log
    from worlds import World

    log.configure(level="debug")

    async def hang(question: object) -> None:
        await asyncio.sleep(60)

    async def leave_a_task_behind(question: object) -> None:
        async def fail() -> None:
            raise ValueError(f"exception-canary-91c4 {CANARY}")

        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    bug = InternalFault()
    bug.__cause__ = ValueError(f"exception-canary-91c4 {CANARY}")
    requests: list[tuple[str, Message]] = [
        ("Authorize", api.AuthorizeRequest(question=QUESTION, mode=1)),
        ("Authorize", api.AuthorizeRequest(question=QUESTION, mode=3)),
        ("Check", api.CheckRequest(question=QUESTION, options=api.Options(request_id=CANARY))),
        ("Check", api.CheckRequest(question=QUESTION, options=api.Options(request_id=CANARY + "\n"))),
        ("Check", api.CheckRequest(question=QUESTION, options=api.Options(at_least_as_fresh=CANARY))),
        ("BatchCheck", api.BatchCheckRequest(items=[api.BatchCheckRequest.Item(id=CANARY, question=QUESTION)])),
        ("ListModels", api.ListModelsRequest(question=QUESTION, page_token=CANARY)),
        ("ListModels", api.ListModelsRequest(question=QUESTION)),
    ]
    authorizers: list[object] = [
        Answers(),
        Answers(fault=ValueError(f"exception-canary-91c4 {CANARY}")),
        Answers(fault=bug),
        Answers(fault=KeysUnavailable()),
        Answers(then=hang),
        Answers(then=leave_a_task_behind),
        World().authorizer,
    ]
    seen = set()
    for authorizer in authorizers:
        async with running(authorizer, limits=Limits(deadline=0.05)) as server, calling(server) as channel:
            for method, request in requests:
                data = request.SerializeToString()
                for sent in (data, data[:-1], data + b"\xff", data.replace(b"POST", b"\xff\xfe\xff\xfe")):
                    outcome = await call(channel, method, sent)
                    assert not any(part in repr(outcome) for part in CANARY_PARTS if method != "BatchCheck")
                    seen.add(outcome.code)
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary(f"/{CANARY}/Check")(b"", timeout=5)
    assert len(seen) >= 5


@pytest.mark.parametrize("loud", [{}, {"GRPC_VERBOSITY": "debug"}, {"PYTHONASYNCIODEBUG": "1"}], ids=str)
def test_a_token_is_in_no_output_of_a_server_that_fails_in_every_way(loud: dict[str, str]) -> None:
    paths = os.pathsep.join(str(path) for path in (TESTS, *map(Path, sys.path)))

    done = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | loud | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert "internal_fault" in done.stderr
    assert "library_error" in done.stderr  # the task that was left behind
    assert [part for part in CANARY_PARTS if part in done.stdout + done.stderr] == []


if __name__ == "__main__":
    asyncio.run(_fail_in_every_way())
