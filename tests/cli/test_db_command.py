"""`usherd db`: what operators see of a database, and how they bring it up to date."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import usherd, usherd_here


def test_a_database_is_made_looked_at_and_left_alone_the_second_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/directory.db"
    missing = usherd_here("db", "status", "--database", url)
    assert (missing.returncode, "usherd db upgrade" in missing.stderr) == (2, True)
    made = usherd_here("db", "upgrade", "--database", url)
    assert (made.returncode, made.stdout) == (0, "upgraded: no tables -> 0001\n")
    again = usherd("db", "upgrade", "--database", url)
    assert (again.returncode, again.stdout) == (0, "the tables are those of this usherd already: 0001\n")
    found = usherd("db", "status", "--database", url)
    assert found.returncode == 0
    assert "tables: current (0001; this usherd: 0001)" in found.stdout
    assert "users: 0" in found.stdout


def test_scripts_read_json(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/directory.db"
    made = json.loads(usherd_here("db", "upgrade", "--database", url, "--json").stdout)
    assert made == {"before": "", "after": "0001", "changed": True}
    found = json.loads(usherd_here("db", "status", "--database", url, "--json").stdout)
    assert (found["standing"], found["revision"], found["rows"]["teams"]) == ("current", 1, 0)


def test_the_url_may_come_from_the_environment(tmp_path: Path) -> None:
    env = {"USHERD_DATABASE_URL": f"sqlite:///{tmp_path}/directory.db"}
    assert usherd_here("db", "upgrade", env=env).returncode == 0
    assert usherd_here("db", "status", env=env).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected --database URL, --config FILE or $USHERD_DATABASE_URL"),
        (["--database", "mysql://u:secret@h/d"], "expected sqlite:///file"),
        (["--database", "postgresql://u:secret@/d?host=/nowhere"], "cannot be reached"),
        (["--database", "postgresql://u:secret@[::1/d"], "expected postgresql://user@host/database"),
        (["--database", "sqlite:////nowhere/directory.db"], "/nowhere/directory.db"),
        (["--database", "sqlite:///a", "--config", "b"], "expected one of them"),
    ],
)
@pytest.mark.parametrize("command", ["upgrade", "status"])
def test_what_is_wrong_is_told_in_one_line_without_the_password(command: str, arguments: list[str], said: str) -> None:
    done = usherd_here("db", command, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
