"""Databases for workers, and workers on them: what they share holds on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stores.conftest import _postgres
from stores.sql.conftest import _postgresql_url, _shared_url, _sqlite_url
from tools.kept_workers import KeptWorkers, kept_workers

__all__ = ["_postgres", "_postgresql_url", "_shared_url", "_sqlite_url"]


@pytest.fixture(name="workers")
def _workers(tmp_path: Path, shared_url: str) -> Iterator[KeptWorkers]:
    """Two of one server, on one database."""
    with kept_workers(tmp_path, shared_url) as started:
        yield started
