"""The chart is rendered by a real Helm, and the unit is read by a real systemd."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from peers.helm import BUILD_SECONDS, CHART, helm, rendered
from peers.programs import tool
from usherd.config.load import load

pytestmark = [pytest.mark.peers, pytest.mark.timeout(BUILD_SECONDS + 120)]

UNIT = CHART.parents[1] / "systemd" / "usherd.service"
ALL: dict[str, Any] = {
    "config": {
        "telemetry": {"metrics": "0.0.0.0:9464"},
        "insecure": {"remote_metrics": True},
        "cache": {"identity_provider": "redis://valkey:6379/0", "identity_provider_key": "env:CACHE_KEY"},
    },
    "secretEnv": [
        {"name": name, "secret": "usherd", "key": name.lower().replace("_", "-")}
        for name in ("CACHE_KEY", "USHERD_DATABASE_URL", "USHERD_GATEWAY", "USHERD_OPERATOR")
    ],
    "tls": {"secret": "usherd-tls"},
    "autoscaling": {"enabled": True},
    "networkPolicy": {"enabled": True, "from": [{"podSelector": {"matchLabels": {"app": "gateway"}}}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
}


SECRETS = {
    "cache-key": "0123456789abcdef" * 4,
    "database-url": "postgresql://usherd:pw@postgres/usherd",
    "gateway": "0123456789abcdef" * 2,
    "operator": "fedcba9876543210" * 2,
    "usherd-database-url": "postgresql://usherd:pw@postgres/usherd",
    "usherd-gateway": "0123456789abcdef" * 2,
    "usherd-operator": "fedcba9876543210" * 2,
}
"""What stands in Secrets, by key."""


def container(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (only,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_the_chart_has_no_fault_that_helm_finds() -> None:
    done = helm("lint", str(CHART), "--strict")

    assert done.returncode == 0, done.stdout
    assert "0 chart(s) failed" in done.stdout


@pytest.mark.parametrize("values", [{}, ALL], ids=["as it is", "with everything"])
def test_what_it_mounts_loads(values: dict[str, Any], tmp_path: Path) -> None:
    found = rendered(values, tmp_path)
    for name, text in found["ConfigMap"]["data"].items():
        (tmp_path / name).write_text(text)

    # What is given to the container, and no more, is what the configuration asks for.
    given = {each["name"]: each["valueFrom"]["secretKeyRef"]["key"] for each in container(found)["env"]}
    made = load(tmp_path / "usherd.yaml", {name: SECRETS[key] for name, key in given.items()})

    assert made.server.address.endswith(f":{container(found)['ports'][0]['containerPort']}")


def test_as_it_is_it_asks_for_nothing_and_may_nothing(tmp_path: Path) -> None:
    found = rendered({}, tmp_path)
    pod = found["Deployment"]["spec"]["template"]["spec"]

    assert set(found) == {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "ServiceAccount"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container(found)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container(found)["readinessProbe"]["grpc"] == {"port": 50051}
    assert [each["name"] for each in container(found)["env"]] == [
        "USHERD_DATABASE_URL",
        "USHERD_GATEWAY",
        "USHERD_OPERATOR",
    ]
    assert "serviceName" not in found["Service"]["spec"]


def test_with_everything_secrets_are_named_and_tls_is_asked_by_usherd_itself(tmp_path: Path) -> None:
    found = rendered(ALL, tmp_path)
    wanted = {"HorizontalPodAutoscaler", "NetworkPolicy", "ServiceMonitor"}

    assert wanted <= set(found)
    assert "Secret" not in found
    assert container(found)["env"][0] == {
        "name": "CACHE_KEY",
        "valueFrom": {"secretKeyRef": {"name": "usherd", "key": "cache-key"}},
    }
    assert container(found)["readinessProbe"]["exec"]["command"][:2] == ["usherd", "health"]
    assert container(found)["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert "replicas" not in found["Deployment"]["spec"]
    assert found["NetworkPolicy"]["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": "grpc"}]


@pytest.mark.parametrize("values", [{}, ALL], ids=["as it is", "with everything"])
def test_tables_are_upgraded_before_the_server_starts_with_what_it_has(values: dict[str, Any], tmp_path: Path) -> None:
    found = rendered(values, tmp_path)
    (upgrade,) = found["Deployment"]["spec"]["template"]["spec"]["initContainers"]

    assert upgrade["args"] == ["db", "upgrade", "--config", container(found)["args"][-1]]
    for same in ("image", "env", "volumeMounts", "securityContext", "resources"):
        assert upgrade[same] == container(found)[same], same


def test_without_a_database_nothing_is_upgraded(tmp_path: Path) -> None:
    found = rendered({"config": {"directory": {"url": None}, "callers": None}, "secretEnv": []}, tmp_path)

    assert "initContainers" not in found["Deployment"]["spec"]["template"]["spec"]
    assert "env" not in container(found)


def test_a_network_policy_without_peers_lets_nobody_in(tmp_path: Path) -> None:
    found = rendered({"networkPolicy": {"enabled": True}}, tmp_path)

    assert found["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress"]
    assert not found["NetworkPolicy"]["spec"]["ingress"]


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    # The program that it starts is not installed there; every other word is as it is.
    unit = tmp_path / "usherd.service"
    unit.write_text(UNIT.read_text().replace("/opt/usherd/bin/usherd", str(Path(sys.executable).parent / "usherd")))
    env = {"PATH": os.environ["PATH"], "SYSTEMD_LOG_LEVEL": "warning"}
    command = [tool("systemd-analyze"), "verify", "--man=no", str(unit)]
    good = run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHomes=yes"))
    bad = run(command, capture_output=True, text=True, env=env, timeout=60, check=False)

    assert (good.returncode, good.stderr) == (0, "")
    assert "ProtectHomes" in bad.stderr
