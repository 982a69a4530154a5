"""Databases for sessions: what replicas share holds on SQLite and on PostgreSQL."""

from __future__ import annotations

from stores.conftest import _postgres
from stores.sql.conftest import _clock, _open_database, _postgresql_url, _shared_url, _sqlite_url

__all__ = ["_clock", "_open_database", "_postgres", "_postgresql_url", "_shared_url", "_sqlite_url"]
