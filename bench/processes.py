"""Starts the processes of a measurement, gives each its processors, and reads what they use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_PROCESSORS = sorted(os.sched_getaffinity(0))


@contextmanager
def process(arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A server: python with these arguments. It has one processor for itself, and what measures has all others."""
    command = [sys.executable, *arguments]
    started = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        if len(_PROCESSORS) > 1:
            os.sched_setaffinity(started.pid, _PROCESSORS[:1])
            os.sched_setaffinity(0, _PROCESSORS[1:])
        yield started
    finally:
        started.terminate()
        started.communicate(timeout=30)


def cpu(process: int) -> float:
    """Seconds of CPU that all threads of the process have used, to the nanosecond (its clock ticks are too coarse)."""
    total = 0
    for task in Path(f"/proc/{process}/task").glob("*/schedstat"):
        try:
            total += int(task.read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that has ended
    return total / 1e9


def memory(process: int) -> float:
    """MiB that the process holds in memory now."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("a process without memory")
