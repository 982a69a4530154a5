"""What is built from the project has all that it needs to run, which is more than modules."""

from __future__ import annotations

from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "server" / "usherd"


def test_a_wheel_has_every_file_of_the_package() -> None:
    """Migrations above all, which nothing imports: without them no database is made or upgraded."""
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    there = {
        f"usherd/{file.relative_to(PACKAGE)}"
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    steps = {file for file in there if "/migrations/versions/v" in file}
    assert there == packed
    assert "usherd/stores/sql/migrations/env.py" in packed
    assert steps


def test_the_clients_wheel_has_the_stubs_the_client_and_its_types() -> None:
    """Every part of it, and neither the examples nor anything else of this machine."""
    client = ROOT / "clients" / "python"
    packed = {file.distribution_path for file in WheelBuilder(str(client)).recurse_included_files()}
    there = {
        str(file.relative_to(client))
        for package in ("usher", "usher_client")
        for file in (client / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert packed == there
    assert {"usher_client/py.typed", "usher_client/asgi/middleware.py", "usher_client/interceptors/aio.py"} <= packed
