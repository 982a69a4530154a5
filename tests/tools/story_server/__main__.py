"""Runs until standard input is closed: whoever started it has ended then, or wants it to."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys

from tools.story_server.control import controlled
from tools.story_server.stage import opened_stage


async def main(checkpoint_every: float) -> None:
    """Serves, and says where on standard output, as one line of JSON."""
    async with opened_stage(checkpoint_every) as stage, controlled(stage) as http:
        print(json.dumps({"grpc": stage.address, "http": http, "pid": os.getpid()}), flush=True)
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint-every", type=float, default=0.2, help="seconds; max_silence is three times that")
    asyncio.run(main(parser.parse_args().checkpoint_every))
