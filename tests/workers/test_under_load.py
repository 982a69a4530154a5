"""While calls come, workers are ended, killed and told of another configuration: no call is lost that could be kept."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from tools.changing import ROUTE, running
from tools.waiting import PATIENCE
from tools.workers import Workers
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2
from usherd.reasons import Reason

pytestmark = pytest.mark.slow

CONNECTIONS = 12
OK, UNAVAILABLE = grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE
_ALONE = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
"""Each channel has a connection of its own, and nothing is asked twice behind our back."""


class Asked:
    """How calls ended, and what was decided."""

    def __init__(self) -> None:
        self.codes: Counter[grpc.StatusCode] = Counter()
        self.reasons: Counter[int] = Counter()


@asynccontextmanager
async def load(daemon: Workers) -> AsyncIterator[Asked]:
    """Asks over several connections, each call as soon as the last is answered, until the block is left."""
    seen, stop = Asked(), asyncio.Event()
    question = question_pb2.Question(token=daemon.token(), route=ROUTE, model="gpt-4o")
    request = api.CheckRequest(question=question).SerializeToString()

    async def ask() -> None:
        async with grpc.aio.insecure_channel(daemon.address, options=_ALONE) as channel:
            check = channel.unary_unary("/usher.v1.AuthorizationService/Check")
            while not stop.is_set():
                try:
                    answer = api.CheckResponse.FromString(await check(request, timeout=PATIENCE))
                    seen.codes[OK] += 1
                    seen.reasons[answer.decision.reason] += 1
                except grpc.aio.AioRpcError as error:
                    seen.codes[error.code()] += 1
                    await asyncio.sleep(0.02)

    asking = [asyncio.create_task(ask()) for _ in range(CONNECTIONS)]
    try:
        await asyncio.sleep(0.5)
        yield seen
        await asyncio.sleep(0.2)
    finally:
        stop.set()
        await asyncio.gather(*asking)


async def test_a_drain_answers_what_has_begun_and_turns_the_rest_away(tmp_path: Path) -> None:
    with running(tmp_path, Workers) as daemon:
        assert isinstance(daemon, Workers)
        async with load(daemon) as seen:
            daemon.process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(daemon.process.wait, PATIENCE)

    assert code == 0
    assert set(seen.codes) == {OK, UNAVAILABLE}
    assert set(seen.reasons) == {Reason.ALLOWED}


async def test_a_reload_drops_no_call_and_is_each_workers(tmp_path: Path) -> None:
    with running(tmp_path, Workers) as daemon:
        assert isinstance(daemon, Workers)
        async with load(daemon) as seen:
            for times in (2, 4):
                daemon.process.send_signal(signal.SIGHUP)
                await asyncio.to_thread(daemon.wait_for, "reloaded", times)
            daemon.configure(access={"user.unknown": "refused"})
            await asyncio.to_thread(daemon.wait_for, "reloaded", 6)
            before = seen.reasons.copy()
            await asyncio.sleep(0.5)
            after = seen.reasons - before

    assert set(seen.codes) == {OK}
    assert seen.codes[OK] > 100
    assert Counter(event["worker"] for event in daemon.events("reloaded")) == {1: 3, 2: 3}
    # From then on nobody, at either of them, is answered by the former policy.
    assert set(before) == {Reason.ALLOWED, Reason.USER_UNKNOWN}
    assert set(after) == {Reason.USER_UNKNOWN}


async def test_when_one_is_killed_only_its_own_connections_notice(tmp_path: Path) -> None:
    with running(tmp_path, Workers) as daemon:
        assert isinstance(daemon, Workers)
        async with load(daemon) as seen:
            await asyncio.to_thread(daemon.kill, 1)
            lost = seen.codes[UNAVAILABLE]
            await asyncio.sleep(0.5)
            answered = seen.codes[OK]
            await asyncio.to_thread(daemon.serves, 1, 2)

    assert set(seen.codes) <= {OK, UNAVAILABLE}
    # Each connection of the dead one loses the call that it had, and finds the other one with the next but a few.
    assert lost <= CONNECTIONS * 3
    assert answered > 100
