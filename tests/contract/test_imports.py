"""Each import contract is broken by one bad import: none of them is only for show."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).parent / "lint-imports"

SABOTAGES = [
    ("layers", "server/usherd/domain.py", "import usherd.errors"),
    ("layers", "server/usherd/decide.py", "import usherd.permit.checks"),
    ("layers", "server/usherd/stores/documents.py", "import usherd.rpc.faults"),
    ("layers", "server/usherd/permit/case.py", "import usherd.authorizer"),
    ("layers", "server/usherd/newcomer.py", ""),
    ("strangers", "server/usherd/rpc/faults.py", "import usher_client.faults"),
    ("strangers", "clients/python/usher_client/faults.py", "import usherd.errors"),
    ("grpc-door", "server/usherd/authorizer.py", "import grpc"),
    ("grpc-door", "server/usherd/stores/documents.py", "from grpc import aio"),
    ("grpc-door", "server/usherd/permit/case.py", "from usher.v1 import reason_pb2"),
    ("grpc-door", "server/usherd/telemetry/__init__.py", "from google.rpc import code_pb2"),
    ("grpc-door", "server/usherd/decide.py", "import grpc_reflection"),
    ("crypto-door", "server/usherd/stores/documents.py", "from jwcrypto import jwt"),
    ("crypto-door", "server/usherd/permit/case.py", "import cryptography.x509"),
    ("stores-door", "server/usherd/authenticate/compact.py", "import httpx"),
    ("stores-door", "server/usherd/authenticate/compact.py", "import aiocache"),
    ("config-door", "server/usherd/policy.py", "import pydantic"),
    ("config-door", "server/usherd/rpc/options.py", "import yaml"),
    ("cli-door", "server/usherd/rpc/options.py", "import rich"),
    ("sql-door", "server/usherd/stores/memory_directory.py", "import sqlalchemy"),
    ("cli-door", "server/usherd/decide.py", "import typer"),
    ("log-door", "server/usherd/decide.py", "import structlog"),
    ("litellm-door", "clients/python/usher_client/asgi/middleware.py", "import litellm"),
    ("otel-door", "server/usherd/app.py", "import opentelemetry.trace"),
    ("http-door", "server/usherd/telemetry/counts.py", "import h11"),
    ("http-door", "server/usherd/http/server.py", "import prometheus_client"),
    ("clock", "server/usherd/decide.py", "import time"),
    ("clock", "server/usherd/authenticate/compact.py", "import socket"),
]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of both source trees, with the contracts."""
    for source in ("server/usherd", "clients/python/usher_client"):
        shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(house: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    chosen = [argument for each in contracts for argument in ("--contract", each)]
    paths = [str(house / "server"), str(house / "clients" / "python")]
    return subprocess.run(
        [LINTER, "--no-cache", *chosen],
        cwd=house,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_house_keeps_its_contracts(house: Path) -> None:
    done = lint(house)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("contract", "file", "line"), SABOTAGES, ids=lambda each: each.rpartition("/")[2])
def test_a_bad_import_breaks_its_contract(house: Path, contract: str, file: str, line: str) -> None:
    with (house / file).open("a") as sabotaged:
        sabotaged.write(f"\n{line}\n")

    done = lint(house, contract)

    assert done.returncode == 1
    assert "BROKEN" in done.stdout or "exhaustive" in done.stdout.lower(), done.stdout


def contracts() -> dict[str, dict[str, Any]]:
    """Those of the project, by id."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return {each["id"]: each for each in settings["contracts"]}


def layers(road: Iterable[str]) -> list[set[str]]:
    """The rooms of each layer."""
    return [{room.strip() for room in layer.split("|")} for layer in road]


def test_every_contract_has_a_sabotage() -> None:
    assert set(contracts()) == {contract for contract, _, _ in SABOTAGES}


def test_every_room_of_the_core_is_without_a_clock() -> None:
    road = layers(contracts()["layers"]["layers"])
    edges = next(number for number, layer in enumerate(road) if "rpc" in layer)

    core = {f"usherd.{room}" for layer in road[edges + 1 :] for room in layer}
    assert core == set(contracts()["clock"]["source_modules"])


def test_the_page_about_the_architecture_shows_the_road_as_it_is() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    (shown,) = [block for block in page.split("```") if "__main__ ->" in block]

    assert layers(shown.split("->")) == layers(contracts()["layers"]["layers"])
