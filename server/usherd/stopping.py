"""Hears the signals that end a process in order, and does not stand in the way of a second one."""

from __future__ import annotations

import asyncio
import signal


def stop_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; after that, either does what it does to every process: it kills."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    return stopped
