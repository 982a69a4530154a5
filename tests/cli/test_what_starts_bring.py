"""A command brings along what it needs and no more: most of what a short one costs is what it imports."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from commands import company, server, usherd

TOLD = ("-X", "importtime")
"""Makes Python tell on standard error what is imported."""
SQL = {"sqlalchemy", "alembic", "asyncpg", "aiosqlite"}
CONFIGURATIONS = {"yaml"}
"""Beside pydantic, which Typer may bring."""
ANSWERS = {"jwcrypto", "httpx", "aiocache", "h11", "prometheus_client", "structlog", "opentelemetry"}


def brought(lines: Iterable[str]) -> set[str]:
    """The libraries that were imported."""
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines if line.startswith("import time:")}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["serve", "--help"], ["token", "inspect", "e30.e30.x"]])
def test_help_and_tokens_need_no_library_but_that_of_the_command_line(words: list[str]) -> None:
    libraries = brought(usherd(*words, python=TOLD).stderr.splitlines())

    assert "typer" in libraries
    assert not libraries & (SQL | CONFIGURATIONS | ANSWERS | {"grpc"})


def test_who_asks_a_server_needs_grpc_and_nothing_of_the_server() -> None:
    asked = usherd("ask", "x", "/v1/models", "--server", "127.0.0.1:1", python=TOLD)

    libraries = brought(asked.stderr.splitlines())
    assert asked.returncode == 2
    assert "grpc" in libraries
    assert not libraries & (SQL | CONFIGURATIONS | ANSWERS)


def test_a_server_speaks_sql_only_where_its_directory_is_in_a_database(tmp_path: Path) -> None:
    found = []
    with company(tmp_path) as (_, config):
        text = config.read_text("utf-8")
        kept = text.replace("{seed: directory.yaml}", "{url: 'sqlite:///kept.db'}")
        assert kept != text
        for each in (text, kept):
            config.write_text(each, "utf-8")
            with server(config, python=TOLD):
                found.append(brought((tmp_path / "server.log").read_text().splitlines()))

    in_memory, in_a_database = found
    assert not in_memory & (SQL | {"opentelemetry"})
    assert in_memory >= CONFIGURATIONS
    assert in_a_database >= SQL - {"asyncpg"}
