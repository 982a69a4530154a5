"""Makes families of series, in the words of prometheus_client, of what was counted and of what is so now."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

from usherd.domain import Effect
from usherd.errors import CODES, FaultReason
from usherd.reasons import Reason
from usherd.telemetry import metrics
from usherd.telemetry.counts import ENVOY_METHOD, MANAGING_METHODS, METHODS, OK, Counts
from usherd.telemetry.histogram import Histogram
from usherd.telemetry.metrics import Metric
from usherd.telemetry.state import HeldState, ModelsState, State
from usherd.watch.events import KINDS

_ALLOWING = frozenset({Reason.ALLOWED, Reason.PUBLIC_ROUTE})
"""Reasons that go with ALLOW. What never goes together has no series."""

_MANAGING = frozenset(MANAGING_METHODS.values())
"""Methods that make no decisions, and have series once they are called: most servers see few of them."""

_ONCE_CALLED = _MANAGING | {ENVOY_METHOD}

Sample = tuple[Sequence[str], float]
"""Values of the labels, and the value."""


def build(version: str, python: str) -> Family:
    """The versions."""
    return _info(metrics.BUILD, version, python)


def ready(welcome: bool) -> Family:
    """Whether questions are welcome."""
    return _gauge(metrics.READY, [((), float(welcome))])


def of_counts(counts: Counts) -> Iterator[Family]:
    """What is counted in the middle of calls."""
    yield _counter(metrics.DECISIONS, _decisions(counts))
    yield _counter(metrics.CALLS, _calls(counts))
    timed = [*METHODS, *(name for name in (ENVOY_METHOD,) if counts.methods[name].durations.count)]
    yield _histogram(metrics.CALL_DURATION, [((name,), counts.methods[name].durations) for name in timed])
    yield _histogram(metrics.STAGE_DURATION, [((stage.value,), each) for stage, each in counts.stages.items()])
    living = counts.living
    yield _counter(metrics.LIVING_EVENTS, [((kind,), living.events[kind]) for kind in KINDS])
    yield _counter(metrics.LIVING_LOOKS, [((), living.looks)])
    yield _counter(metrics.SLOW_READERS, [((), living.slow_readers)])
    yield _histogram(metrics.TOLD_AFTER, [((), counts.told_after)])
    yield _histogram(metrics.LAG, [((), counts.lag)])


def _decisions(counts: Counts) -> Iterator[Sample]:
    for method, each in counts.methods.items():
        if method in _MANAGING:
            continue
        for effect in Effect:
            for reason in Reason:
                count = each.decisions[effect][reason]
                expected = method in METHODS and (effect is not Effect.DENY) == (reason in _ALLOWING)
                if expected or count:
                    yield (method, effect.name, reason.name), count


def _calls(counts: Counts) -> Iterator[Sample]:
    for method, each in counts.methods.items():
        if method in _ONCE_CALLED and not each.durations.count:
            continue
        yield (method, "OK", "ANSWERED"), each.answered
        yield (method, "CANCELLED", "CANCELLED"), each.cancelled
        if each.not_found or method == "Health/Check":
            yield (method, "NOT_FOUND", "SERVICE_UNKNOWN"), each.not_found
        for reason in FaultReason:
            if method in METHODS or each.faults[reason]:
                yield (method, CODES[reason].name, reason.name), each.faults[reason]


def of_state(counts: Counts, state: State) -> Iterator[Family]:
    """What is so now."""
    looked_up = [*counts.looked_up_in.items(), ("documents", state.documents)]
    results = enumerate(("miss", "hit"))
    yield _counter(metrics.LOOKUPS, [((str(n), r), c[i]) for i, r in results for n, c in looked_up])
    yield _gauge(metrics.CALLS_IN_FLIGHT, [((), state.load.calls)])
    yield _gauge(metrics.CALLS_WAITING, [((), state.load.waiting)])
    yield _gauge(metrics.QUESTIONS, [((), state.load.questions)])
    yield _gauge(metrics.CAPACITY, [((), state.load.capacity)])
    yield _gauge(metrics.WATCHERS, [((), state.load.watchers)])
    yield _gauge(metrics.LIVING_STREAMS, [((), state.load.living_streams)])
    yield _gauge(metrics.LIVING_DECISIONS, [((), state.load.living_decisions)])
    sets = [((each.issuer, str(each.part)), each) for each in state.key_sets]
    yield _gauge(metrics.KEYS_USABLE, [(labels, float(each.usable_for > 0)) for labels, each in sets])
    yield _gauge(metrics.KEYS, [(labels, each.keys) for labels, each in sets])
    yield _gauge(metrics.KEYS_AGE, [(labels, each.age) for labels, each in sets if each.age is not None])
    yield _gauge(metrics.KEYS_STALE_IN, [(labels, each.usable_for) for labels, each in sets])
    yield _gauge(metrics.INSECURE, [((name,), 1) for name in state.insecure])
    yield _gauge(metrics.INSECURE_COUNT, [((), len(state.insecure))])
    yield _gauge(metrics.WARNINGS, [((), state.warnings)])
    yield _info(metrics.CONFIG, state.digest, state.preset)
    reloads = state.reloads
    yield _counter(metrics.RELOADS, [(("applied",), reloads.applied), (("refused",), reloads.refused)])
    yield _gauge(metrics.RELOADED, [((), float(not reloads.problems))])
    yield _gauge(metrics.RELOADED_AT, [((), reloads.in_force_since)])
    yield _gauge(metrics.RELOAD_PROBLEMS, [((), reloads.problems)])
    yield _gauge(metrics.DIRECTORY_REVISION, [((), state.revision)])
    yield _gauge(metrics.DIRECTORY_ROWS, [((kind,), count) for kind, count in state.rows.items()])
    yield from _of_held(state.held)
    yield from _of_models(state.models)
    log = state.decision_log
    yield _counter(metrics.LOG_WRITTEN, [] if log is None else [((), log.written)])
    yield _counter(metrics.LOG_DROPPED, [] if log is None else [((), log.dropped)])
    yield _counter(metrics.LOG_REFUSED, [] if log is None else [((), log.refused)])
    yield _gauge(metrics.LOG_HEALTHY, [] if log is None else [((), float(log.healthy))])
    yield _counter(metrics.SHADOW, [((result,), count) for result, count in (state.shadow or {}).items()])


def _of_held(held: HeldState | None) -> Iterator[Family]:
    def one(value: Callable[[HeldState], float]) -> list[Sample]:
        return [] if held is None else [((), value(held))]

    yield _gauge(metrics.DIRECTORY_LAG, one(lambda each: each.lag))
    yield _gauge(metrics.DIRECTORY_HELD, one(lambda each: each.entities))
    lookups = [] if held is None else [(("miss",), held.misses), (("hit",), held.hits)]
    yield _counter(metrics.DIRECTORY_LOOKUPS, lookups)
    yield _counter(metrics.DIRECTORY_LOADS, one(lambda each: each.loads))
    yield _counter(metrics.DIRECTORY_DISCARDED, one(lambda each: each.discarded))
    yield _counter(metrics.DIRECTORY_CHANGES, one(lambda each: each.changes))
    yield _counter(metrics.DIRECTORY_RESYNCS, one(lambda each: each.resyncs))


def _of_models(models: ModelsState | None) -> Iterator[Family]:
    def some(**values: float) -> list[Sample]:
        return [((name,), value) for name, value in values.items()]

    known = [] if models is None else some(kept=models.kept, left_aside=models.left_aside)
    yield _gauge(metrics.MODELS, known)
    changes = [] if models is None else some(applied=models.taken, refused=models.failed)
    yield _counter(metrics.MODEL_CHANGES, changes)
    yield _gauge(metrics.MODELS_IN_STEP, [] if models is None else [((), float(not models.outdated))])


def of_refreshes(counts: Counts, state: State) -> Iterator[Family]:
    """What became of refreshes, for the issuers that there are now."""
    issuers = dict.fromkeys(each.issuer for each in state.key_sets)
    results = dict.fromkeys(((issuer, OK) for issuer in issuers), 0)
    results |= {key: count for key, count in counts.refreshes.items() if key[0] in issuers}
    yield _counter(metrics.KEY_REFRESHES, results.items())
    yield _counter(metrics.FORCED_REFRESHES, [((issuer,), counts.forced[issuer]) for issuer in issuers])


def of_workers(states: Mapping[str, int], restarts: int, crash_loops: int) -> Iterator[Family]:
    """How the workers are: how many are in each state."""
    yield _gauge(metrics.WORKERS, [((state,), count) for state, count in states.items()])
    yield _counter(metrics.WORKER_RESTARTS, [((), restarts)])
    yield _gauge(metrics.CRASH_LOOPS, [((), crash_loops)])


def _counter(metric: Metric, samples: Iterable[Sample]) -> Family:
    family = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _gauge(metric: Metric, samples: Iterable[Sample]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, samples: Iterable[tuple[Sequence[str], Histogram]]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, each in samples:
        buckets = [("+Inf" if bound == math.inf else str(bound), count) for bound, count in each.buckets()]
        family.add_metric(labels, buckets=buckets, sum_value=each.total)
    return family


def _info(metric: Metric, *values: str) -> Family:
    family = InfoMetricFamily(metric.name, metric.meaning)
    family.add_metric((), dict(zip(metric.labels, values, strict=True)))
    return family
