"""The pages that speak for all workers: what they have counted together, and whether questions are welcome.

Questions are welcome while at least one worker is ready, and every worker that listens is: the kernel deals connections
out among all who listen, ready or not. A worker that has ended does not listen: a crash loop of one is told, and takes
no other down.
"""

from __future__ import annotations

import asyncio
import json
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

from usherd.http.server import Page, Write, text_page
from usherd.telemetry import families, metrics
from usherd.telemetry.page import Process, written
from usherd.telemetry.plain import Family, family
from usherd.telemetry.totals import Totals
from usherd.turns import Turn
from usherd.workers.place import Place, PlaceState

PATIENCE = 0.5
"""Seconds that a page waits for what workers say of now; of one that is silent it has what it said last."""
_SUPERVISOR = 0
"""The supervisor's number among the processes."""
_JSON = "application/json"
_OWN = frozenset({metrics.READY.name, metrics.BUILD.name})
"""Families that are told of all at once."""


class Pages:
    """What is served at `telemetry.metrics` where there are several workers."""

    def __init__(self) -> None:
        self._places: Sequence[Place] = ()
        self._totals = Totals()
        self._process = Process()
        self._ending = False

    def watch(self, places: Sequence[Place]) -> None:
        """From now on the pages are of these."""
        self._places = places

    def end(self) -> None:
        """All is to end: not ready, for good."""
        self._ending = True

    def report(self, number: int, report: dict[str, Any]) -> None:
        """A worker's report; an empty one: its process has ended. Raises what `plain.family` raises."""
        if not report:
            self._totals.ended(number)
        elif "families" in report:
            self._totals.report(number, [family(each) for each in report["families"]])

    def by_path(self) -> dict[str, Write]:
        """The pages, by path."""
        return {"/metrics": self._metrics, "/healthz": self._live, "/readyz": self._ready}

    @property
    def ready(self) -> bool:
        """Whether questions are welcome."""
        return all(self._conditions().values())

    def _conditions(self) -> dict[str, bool]:
        listening = [place for place in self._places if place.state is PlaceState.SERVING and not _leaves(place)]
        ready = [place for place in listening if place.told.get("ready") is True]
        return {
            "a_worker_ready": bool(ready),
            "all_that_listen_ready": len(ready) == len(listening),
            "not_ending": not self._ending,
        }

    async def _fresh(self) -> None:
        for place in self._places:
            place.ask()
        waits = [asyncio.ensure_future(place.answered()) for place in self._places]
        if waits:
            _, late = await asyncio.wait(waits, timeout=PATIENCE)
            for each in late:
                each.cancel()

    async def _live(self, accept: str) -> Page:
        return text_page(200, "live")

    async def _ready(self, accept: str) -> Page:
        await self._fresh()
        conditions = self._conditions()
        ready = all(conditions.values())
        loops = [place.number for place in self._places if place.looping]
        told = {
            "ready": ready,
            "version": version("usherd"),
            "conditions": conditions,
            "crash_loops": loops,
            "workers": [_told(place) for place in self._places],
        }
        return Page(200 if ready else 503, _JSON, (json.dumps(told, indent=2) + "\n").encode())

    async def _metrics(self, accept: str) -> Page:
        await self._fresh()
        body, content_type = await written(self._families(), accept, Turn(time.monotonic).maybe_yield)
        return Page(200, content_type, body)

    def _families(self) -> Iterator[Family]:
        self._totals.report(_SUPERVISOR, self._process.collect())
        yield families.build(version("usherd"), platform.python_version())
        yield families.ready(self.ready)
        yield from (each for each in self._totals.families() if each.name not in _OWN)
        states = Counter(place.state for place in self._places)
        yield from families.of_workers(
            {state.value: states[state] for state in PlaceState},
            sum(place.restarts for place in self._places),
            sum(place.looping for place in self._places),
        )


def _leaves(place: Place) -> bool:
    """Whether a process drains that nobody but itself has told to: it listens no longer."""
    conditions = place.told.get("conditions")
    return isinstance(conditions, dict) and conditions.get("not_ending") is False


def _told(place: Place) -> dict[str, Any]:
    own = {
        "worker": place.number,
        "state": place.state.value,
        "restarts": place.restarts,
        "crash_loop": place.looping,
    }
    return own | {name: value for name, value in place.told.items() if name != "version"}
