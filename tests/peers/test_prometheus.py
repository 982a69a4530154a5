"""A real Prometheus reads the page, and runs every query that operators are given."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from peers.prometheus import PATIENCE, Prometheus, program, scraping
from tools.queries import ALERTS, DEPLOY, every_selector, queries, rules
from tools.watched import fetched, watched

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]


def promtool(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("promtool"), *map(str, arguments)],
        cwd=ALERTS.parent,
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_files_for_prometheus_are_taken() -> None:
    for arguments in (("check", "rules", "alerts.yaml"), ("check", "config", "prometheus.yaml")):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (DEPLOY / "prometheus" / "alerts.yaml") == ALERTS


def test_each_alert_fires_when_it_should_and_not_otherwise() -> None:
    done = promtool("test", "rules", "alerts_test.yaml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_query_runs_and_reads_series_that_there_are(tmp_path: Path) -> None:
    with watched(tmp_path, kept=True) as address, scraping(tmp_path, address, ALERTS) as prometheus:
        # Prometheus scrapes OpenMetrics where it can: both are read by somebody else's parser.
        page = fetched(address)[1]
        checked = promtool("check", "metrics", typed=page)
        (target,) = prometheus.get("/api/v1/targets")["activeTargets"]
        for query in queries().values():
            prometheus.series(query)
        empty = [f"{where}: {each}" for each, where in every_selector().items() if not prometheus.series(str(each))]
        evaluated = _evaluated(prometheus)
        insecure = prometheus.series('ALERTS{alertname="UsherdInsecureOptions"}')

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert (target["health"], target["lastError"]) == ("up", "")
    # Only of a directory in memory are rows counted: tests/deploy/ reads those.
    assert [each for each in empty if "usherd_directory_rows" not in each] == []
    assert evaluated == {rule.get("alert") or rule["record"]: ("ok", "") for rule in rules()}
    assert [each["metric"]["alertstate"] for each in insecure] == ["pending"]


def _evaluated(prometheus: Prometheus) -> dict[str, tuple[str, str]]:
    """How the last evaluation of each rule went, once each has had one."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        groups = prometheus.get("/api/v1/rules")["groups"]
        found = {
            rule["name"]: (rule["health"], rule.get("lastError", "")) for group in groups for rule in group["rules"]
        }
        if "unknown" not in {health for health, _ in found.values()}:
            return found
        time.sleep(0.2)
    raise AssertionError("rules are not evaluated")
