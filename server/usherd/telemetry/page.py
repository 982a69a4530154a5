"""Writes the page of metrics, as Prometheus text or as OpenMetrics."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from usherd.telemetry import families
from usherd.telemetry.counts import Counts
from usherd.telemetry.state import State

_END = b"# EOF\n"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0"


Rest = Callable[[], Awaitable[None]]
"""Called after each family: a scrape must not hold up calls."""


class MetricsPage:
    """The page of one process. Nothing of it is in the library's global registry: a test has many."""

    def __init__(self, version: str, counts: Counts, look: Callable[[], State | None]) -> None:
        """`look` says what is so now; None: nothing is in force yet."""
        self._version = version
        self._counts = counts
        self._look = look
        self._process = Process()

    async def write(self, accept: str, rest: Rest) -> tuple[bytes, str]:
        """The page and its content type, which `accept` chooses."""
        return await written(self.families(), accept, rest)

    def families(self) -> Iterator[Family]:
        """Every family, one after the other."""
        yield from self.of_calls()
        # The process is its own only worker.
        yield from families.of_workers({"serving": 1}, 0, 0)
        yield from self.of_process()

    def of_process(self) -> Iterator[Family]:
        """Those of the process, as the library has them."""
        yield from self._process.collect()

    def of_calls(self) -> Iterator[Family]:
        """Those of what is counted and of what is so; of the process itself, none."""
        state = self._look()
        yield families.build(self._version, platform.python_version())
        yield from families.of_counts(self._counts)
        yield families.ready(state is not None and state.ready)
        if state is not None:
            yield from families.of_state(self._counts, state)
            yield from families.of_refreshes(self._counts, state)


class Process:
    """What the library tells of the process that it is in: memory, CPU, file descriptors, garbage."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def collect(self) -> Iterable[Family]:
        """Its families, as they are now."""
        return self._registry.collect()


async def written(found: Iterable[Family], accept: str, rest: Rest) -> tuple[bytes, str]:
    """The page of those families and its content type, which `accept` (RFC 9110, section 12.5.1) chooses."""
    encode, content_type = choose_encoder(_OPENMETRICS if _wants_openmetrics(accept) else "")
    parts: list[bytes] = []
    for family in found:
        parts.append(encode(_One(family)).removesuffix(_END))
        await rest()
    if content_type.startswith("application/openmetrics-text"):
        parts.append(_END)
    return b"".join(parts), content_type


def _wants_openmetrics(accept: str) -> bool:
    """Whether the version that is written is among what is accepted.

    The library is asked in our words: of a stranger's it would repeat some, and fail at others.
    """
    for each in accept.split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        versions = [part for part in parameters if part.startswith("version=")]
        if name == "application/openmetrics-text" and versions in ([], ["version=1.0.0"]):
            return True
    return False


class _One(Collector):
    """A family by itself, as the library's writers want it."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        return (self._family,)
