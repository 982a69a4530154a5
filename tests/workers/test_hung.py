"""A worker whose event loop stands still is found and ended: nothing else would."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.workers import Workers
from usherd.workers import place
from usherd.workers.orders import Orders
from usherd.workers.place import Place, PlaceState
from usherd.workers.port import kept

pytestmark = pytest.mark.slow


async def test_a_worker_that_answers_no_question_for_long_is_ended_and_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "HUNG_AFTER", 3.0)
    Workers(tmp_path)
    pids: list[int] = []

    with kept("127.0.0.1:0") as address:

        def command(number: int, line: int) -> Sequence[str]:
            line_of = {"number": number, "line": line, "supervisor": os.getpid()}
            orders = Orders(**line_of, address=address, sessions=None, counts=True)
            config = str(tmp_path / "usherd.yaml")
            return [sys.executable, "-m", "usherd", "serve", "--config", config, "--as-worker", orders.text()]

        one = Place(1, command, on_report=lambda number, report: None, drain=1.0)
        running = asyncio.create_task(one.run())
        async with asyncio.timeout(100):
            await one.settled.wait()
            assert one._process is not None
            pids.append(one._process.pid)
            os.kill(pids[0], signal.SIGSTOP)
            while one.restarts == 0 or one.state is not PlaceState.SERVING:
                one.ask()
                await asyncio.sleep(0.1)
            assert one._process is not None
            pids.append(one._process.pid)
            await one.drain()
            await running

    assert pids[0] != pids[1]
    assert one.in_order
