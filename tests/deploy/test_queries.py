"""Alerts and dashboard ask for metrics that there are, with labels that they have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tools.queries import ALERTS, Selector, every_selector, missing, panels, queries, rules, selectors
from tools.watched import scraped, watched
from usherd.telemetry.metrics import METRICS


def test_each_query_reads_series_that_a_daemon_has(tmp_path: Path) -> None:
    series: list[tuple[str, dict[str, str]]] = []
    # Of a directory in memory, and of one that is kept, other things are told.
    for kept in (False, True):
        folder = tmp_path / str(kept)
        folder.mkdir()
        with watched(folder, kept=kept) as address:
            page = scraped(address)
        series += [
            (each.name, each.labels) for family in text_string_to_metric_families(page) for each in family.samples
        ]

    assert missing(series) == []


@pytest.mark.parametrize(
    "wrong",
    ['usherd_call_total{method="Check"}', 'usherd_calls_total{mehtod="Check"}', 'usherd_calls_total{code="KO"}'],
)
def test_a_misspelt_name_label_or_value_is_found(wrong: str) -> None:
    (selector,) = selectors(f"sum by (code) (rate({wrong}[5m]))")

    assert not selector.fits("usherd_calls_total", {"method": "Check", "code": "OK"})


def test_what_is_grouped_by_or_recorded_is_no_metric() -> None:
    query = 'sum by (usherd_x) (rate(usherd_calls_total{method=~"Check|A", code!="y"}[5m])) / usherd:calls:x'
    (selector,) = selectors(query)

    assert selector == Selector("usherd_calls_total", (("method", "=~", "Check|A"), ("code", "!=", "y")))
    assert selector.fits("usherd_calls_total", {"method": "Check", "code": "OK"})


def test_what_cannot_be_read_is_not_passed_over() -> None:
    with pytest.raises(AssertionError, match="cannot be read"):
        list(selectors("usherd_calls_total{code='x'}"))


def test_each_metric_of_ours_is_on_the_dashboard_or_in_an_alert() -> None:
    read = {re.sub(r"_bucket$", "", each.name) for each in every_selector()}

    assert {metric.shown for metric in METRICS} - read == set()


def test_recorded_names_that_are_read_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    read = {name for query in queries().values() for name in re.findall(r"\busherd:[a-z0-9_:]+", query)}

    assert read == recorded


def test_each_alert_says_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]

    assert len(alerts) > 10
    for rule in alerts:
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule["alert"]
        assert rule["annotations"]["summary"]
        assert len(rule["annotations"]["runbook"]) > 40
    names = {rule["alert"] for rule in alerts}
    assert {each for rule in alerts for each in re.findall(r"Usherd\w+", rule["annotations"]["runbook"])} <= names


def test_each_alert_is_tested_to_fire() -> None:
    tested = yaml.safe_load((ALERTS.parent / "alerts_test.yaml").read_text())["tests"]
    fired = {
        name
        for test in tested
        for expected in test["promql_expr_test"]
        for sample in expected["exp_samples"]
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }

    assert fired == {rule["alert"] for rule in rules() if "alert" in rule}


def test_panels_have_places_of_their_own_and_units() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
