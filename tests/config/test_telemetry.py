"""What is told of decisions is off unless it is named, and its secrets are not shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config_files import ISSUER, problems, settings
from usherd.config.settings import DecisionLogSettings, TracesSettings
from usherd.config.shown import as_yaml, shown

TRACES = (
    'telemetry: {traces: {endpoint: "https://collector:4318", protocol: http/protobuf, headers: {x-key: env:KEY}}}\n'
)


def test_nothing_is_told_unless_it_is_named(tmp_path: Path) -> None:
    found = settings(tmp_path, ISSUER)

    assert (found.decision_log, found.traces) == (None, None)


def test_the_least_decision_log_has_no_word_of_end_users_and_drops(tmp_path: Path) -> None:
    found = settings(tmp_path, ISSUER + "telemetry: {decision_log: {file: decisions.jsonl}}\n")

    assert found.decision_log == DecisionLogSettings(
        file=tmp_path / "decisions.jsonl",
        include=frozenset(),
        principal=(),
        claims=frozenset(),
        queue=10_000,
        on_full="drop",
        on_error="drop",
        sample=1.0,
    )


def test_traces_have_their_secrets_and_do_not_show_them(tmp_path: Path) -> None:
    found = settings(tmp_path, ISSUER + TRACES, environment={"KEY": "canary-secret"})

    assert found.traces == TracesSettings(
        endpoint="https://collector:4318",
        protocol="http/protobuf",
        sample=0.01,
        headers=(("x-key", "canary-secret"),),
        include=frozenset(),
    )
    assert "canary" not in as_yaml(shown(found)) + repr(found)


def test_a_secret_that_no_header_can_hold_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, ISSUER + TRACES, environment={"KEY": "canary\nsecret"})

    assert found == (
        "usherd.yaml:6: telemetry.traces.headers.x-key: holds what no header can hold; expected printable ASCII"
    )


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"])
def test_traces_without_the_extra_are_refused_with_its_name(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hiding:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == missing or name.startswith(f"{missing}."):
                raise ModuleNotFoundError(name)

    for name in [each for each in sys.modules if each == missing or each.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Hiding(), *sys.meta_path])

    assert problems(tmp_path, ISSUER + TRACES, environment={"KEY": "x"}) == [
        "usherd.yaml:6: telemetry.traces: needs OpenTelemetry, which is not installed; expected the extra:"
        " pip install 'usherd[otel]'"
    ]


def test_the_library_is_not_imported_where_it_is_not_wanted() -> None:
    code = "import sys, usherd.app; print([each for each in sys.modules if each.startswith('opentelemetry')])"
    paths = ":".join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
