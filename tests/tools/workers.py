"""A server with several workers, whose processes a test ends, and what is seen of them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

import commands
from tools.changing import Daemon
from tools.waiting import until
from tools.watched import scraped

ALLOWED = {"method": "Authorize", "effect": "ALLOW", "reason": "ALLOWED"}


class Workers(Daemon):
    """Two of them, whatever else is configured."""

    def configure(self, *, issuer: dict[str, Any] | None = None, **keys: Any) -> None:
        telemetry = {"metrics": "127.0.0.1:0", "log": "json"}
        server = {"address": "127.0.0.1:0", "workers": 2}
        super().configure(issuer=issuer, **{"telemetry": telemetry, "server": server} | keys)

    def pid(self, worker: int) -> int:
        """The process that has that number now, or had it last."""
        return int([event["pid"] for event in self.events("worker_started") if event["worker"] == worker][-1])

    def serves(self, worker: int, times: int) -> None:
        """Waits until that many processes of that number have served."""
        # As long as a process may take to start, which is seconds where others want the processors, too.
        until(
            lambda: len([each for each in self.events("worker_serves") if each["worker"] == worker]) >= times,
            commands.PATIENCE,
        )

    def kill(self, worker: int) -> None:
        """Ends it as the kernel does when memory is short, and waits until that is known."""
        ended = len(self.events("worker_ended"))
        os.kill(self.pid(worker), signal.SIGKILL)
        self.wait_for("worker_ended", ended + 1)


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is more than an entry of the kernel's."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def value(address: str, name: str, **labels: str) -> float:
    """One sample of the page; 0 where it has no such."""
    for family in text_string_to_metric_families(scraped(address)):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0.0


def cumulative(address: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample that must never go backwards."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(scraped(address))
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }


def within(seconds: float, holds: Any) -> bool:
    """Whether it holds at some moment of so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False
