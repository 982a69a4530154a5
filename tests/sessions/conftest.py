"""Databases for sessions: each promise holds on SQLite and on PostgreSQL."""

from __future__ import annotations

from stores.sql.conftest import _clock, _open_database, _postgres, _postgresql_url, _shared_url, _sqlite_url

__all__ = ["_clock", "_open_database", "_postgres", "_postgresql_url", "_shared_url", "_sqlite_url"]
