"""A real Helm, built once from its Go module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from peers.programs import tool

MODULE = "helm.sh/helm/v3/cmd/helm@v3.14.4"
BUILD_SECONDS = 1500
KUBERNETES = "1.30.0"
CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm" / "usherd"
_BUILT = Path(sys.prefix) / "go" / "bin"
"""Beside the virtual environment's packages: it takes minutes."""


def program() -> str:
    """The one in PATH, or else the one that is built here."""
    if (found := shutil.which("helm")) is not None:
        return found
    if not (_BUILT / "helm").exists():
        env = os.environ | {"GOBIN": str(_BUILT)}
        command = [tool("go"), "install", MODULE]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        assert done.returncode == 0, done.stderr
    return str(_BUILT / "helm")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One finished run."""
    return subprocess.run([program(), *arguments], capture_output=True, text=True, timeout=60, check=False)


def rendered(values: dict[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """What the chart makes of these values, beside its own, by kind."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = helm("template", "test", str(CHART), "--kube-version", KUBERNETES, "--values", str(file))
    assert done.returncode == 0, done.stderr
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout) if each}
