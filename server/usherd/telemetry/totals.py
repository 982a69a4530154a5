"""Adds up what several processes tell of themselves, so that no counter of them all goes backwards.

What a process had counted when it ended goes on being counted, and so does what one of its counters had when it began
anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from usherd.telemetry.metrics import Over, over

MAX_ENDED = 20_000
"""Series of processes that have ended. Beyond that, those are forgotten that no living process has."""
_SUMMED = frozenset({"counter", "histogram"})

_Key = tuple[str, tuple[tuple[str, str], ...]]
"""Name and labels of a sample."""
_Values = dict[_Key, float]


class Totals:
    """The newest report of each process that lives, and the sums of what has ended."""

    def __init__(self) -> None:
        self._living: dict[int, dict[str, _Values]] = {}
        self._ended: dict[str, _Values] = {}
        self._known: dict[str, tuple[str, str]] = {}
        """Meaning and type of each family, in the order of the page."""

    def report(self, process: int, families: Iterable[Family]) -> None:
        """What a process tells now, in the place of what it told before."""
        before = self._living.get(process, {})
        now: dict[str, _Values] = {}
        for family in families:
            self._known.setdefault(family.name, (family.documentation, family.type))
            values = now[family.name] = {_key(sample): sample.value for sample in family.samples}
            if family.type in _SUMMED:
                old = before.get(family.name, {})
                self._keep(family.name, {key: old[key] for key in old if values.get(key, 0.0) < old[key]})
        for name in before.keys() - now.keys():
            if self._is_summed(name):
                self._keep(name, before[name])
        self._living[process] = now

    def ended(self, process: int) -> None:
        """The process has ended. What it counted since its last report is not known to anybody."""
        for name, values in self._living.pop(process, {}).items():
            if self._is_summed(name):
                self._keep(name, values)

    def families(self) -> Iterator[Family]:
        """The families of all processes together."""
        for name, (meaning, kind) in self._known.items():
            found = [values for told in self._living.values() if (values := told.get(name)) is not None]
            if self._is_summed(name):
                merged = _merged(Over.SUM, [self._ended.get(name, {}), *found])
            else:
                merged = _merged(over(name), found)
            family = Family(name, meaning, kind)
            for (sample, labels), value in merged.items():
                family.add_sample(sample, dict(labels), value)
            yield family

    def _is_summed(self, name: str) -> bool:
        return self._known[name][1] in _SUMMED

    def _keep(self, name: str, values: _Values) -> None:
        if not values:
            return
        ended = self._ended.setdefault(name, {})
        for key, value in values.items():
            ended[key] = ended.get(key, 0.0) + value
        if sum(map(len, self._ended.values())) > MAX_ENDED:
            for kept, old in self._ended.items():
                alive = {key for told in self._living.values() for key in told.get(kept, ())}
                self._ended[kept] = {key: value for key, value in old.items() if key in alive}


def _key(sample: Sample) -> _Key:
    return sample.name, tuple(sample.labels.items())


def _merged(how: Over, several: Iterable[_Values]) -> _Values:
    merged: _Values = {}
    for values in several:
        for key, value in values.items():
            if key not in merged:
                merged[key] = value
            elif how is Over.SUM:
                merged[key] += value
            else:
                merged[key] = (max if how is Over.MOST else min)(merged[key], value)
    return merged
