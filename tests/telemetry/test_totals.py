"""What several processes count is told as one: sums that never go backwards, and gauges by a rule of their own."""

from __future__ import annotations

import json

import pytest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from usherd.telemetry import totals
from usherd.telemetry.metrics import METRICS, Kind, over
from usherd.telemetry.plain import family, plain
from usherd.telemetry.totals import Totals


def counter(value: float, reason: str = "a") -> Family:
    made = CounterMetricFamily("usherd_x", "What.", labels=["reason"])
    made.add_metric([reason], value)
    return made


def gauge(name: str, value: float) -> Family:
    made = GaugeMetricFamily(name, "What.")
    made.add_metric([], value)
    return made


def histogram(*counts: int) -> Family:
    made = HistogramMetricFamily("usherd_h", "What.")
    made.add_metric([], buckets=[("1.0", counts[0]), ("+Inf", counts[1])], sum_value=float(counts[1]))
    return made


def samples(found: Totals) -> dict[str, float]:
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for each in found.families()
        for sample in each.samples
    }


def test_counters_and_histograms_are_summed() -> None:
    found = Totals()
    found.report(1, [counter(3), histogram(1, 2)])
    found.report(2, [counter(4), histogram(5, 9)])
    found.report(2, [counter(5), histogram(5, 9)])

    assert samples(found) == {
        "usherd_x_total a": 8,
        "usherd_h_bucket 1.0": 6,
        "usherd_h_bucket +Inf": 11,
        "usherd_h_count": 11,
        "usherd_h_sum": 11,
    }


def test_what_a_process_had_counted_stays_when_it_ends() -> None:
    found = Totals()
    found.report(1, [counter(3), histogram(1, 2), gauge("usherd_calls_in_flight", 7)])
    found.ended(1)
    ended = samples(found)
    found.report(1, [counter(1)])
    found.ended(1)
    found.ended(1)

    assert ended == {
        "usherd_x_total a": 3,
        "usherd_h_bucket 1.0": 1,
        "usherd_h_bucket +Inf": 2,
        "usherd_h_count": 2,
        "usherd_h_sum": 2,
    }
    assert samples(found)["usherd_x_total a"] == 4


@pytest.mark.parametrize(
    ("then", "expected"),
    [([counter(2)], 8), ([counter(2, "b")], 6), ([], 6)],
    ids=["fewer", "another series", "none"],
)
def test_a_counter_that_begins_anew_does_not_take_the_sum_back(then: list[Family], expected: float) -> None:
    found = Totals()
    found.report(1, [counter(5)])
    found.report(2, [counter(1)])
    found.report(1, then)

    assert samples(found)["usherd_x_total a"] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("usherd_calls_in_flight", 7),
        ("usherd_key_set_age_seconds", 5),
        ("usherd_key_set_stale_in_seconds", 2),
        ("usherd_decision_log_healthy", 2),
        ("process_resident_memory_bytes", 7),
        ("process_open_fds", 5),
        ("process_max_fds", 2),
        ("a_gauge_that_nobody_knows", 5),
    ],
)
def test_a_gauge_is_what_its_definition_says(name: str, expected: float) -> None:
    found = Totals()
    found.report(1, [gauge(name, 2)])
    found.report(2, [gauge(name, 5)])

    assert samples(found) == {name: expected}


def test_each_gauge_of_ours_has_a_rule_and_nothing_else_has() -> None:
    assert [metric.name for metric in METRICS if (metric.over is None) == (metric.kind is Kind.GAUGE)] == []
    assert {over(metric.name) for metric in METRICS if metric.kind is Kind.GAUGE} == set(totals.Over)


def test_what_has_ended_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "MAX_ENDED", 10)
    found = Totals()
    found.report(2, [counter(1, "kept")])
    found.report(3, [counter(1, "kept")])
    found.ended(3)
    for number in range(30):
        found.report(1, [counter(1, str(number))])
        found.ended(1)

    assert len(samples(found)) <= 11
    assert samples(found)["usherd_x_total kept"] == 2


def test_a_family_is_the_same_when_it_was_told() -> None:
    for each in (counter(1), histogram(1, 2), gauge("usherd_x", float("inf"))):
        told = family(json.loads(json.dumps(plain(each))))

        assert told == each
