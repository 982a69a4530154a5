"""Runs until standard input is closed or whoever started it is gone."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading

from tools.story_server.control import controlled
from tools.story_server.stage import opened_stage

_LOOKS_EVERY = 0.5
"""Seconds."""


async def main(checkpoint_every: float) -> None:
    """Serves, and says where on standard output, as one line of JSON."""
    parent, over = os.getppid(), asyncio.Event()
    _when_closed(asyncio.get_running_loop(), over)
    async with opened_stage(checkpoint_every) as stage, controlled(stage) as http:
        print(json.dumps({"grpc": stage.address, "http": http, "pid": os.getpid()}), flush=True)
        # Others may have inherited the other end of standard input, and keep it open.
        while not over.is_set() and os.getppid() == parent:
            try:
                async with asyncio.timeout(_LOOKS_EVERY):
                    await over.wait()
            except TimeoutError:
                pass


def _when_closed(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    """In a thread, for standard input may be anything: a pipe, a file, a terminal."""

    def read() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=read, daemon=True).start()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint-every", type=float, default=0.2, help="seconds; max_silence is three times that")
    asyncio.run(main(parser.parse_args().checkpoint_every))
