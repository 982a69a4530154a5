"""`usherd doctor`, with real servers, good and bad."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from commands import company, server, usherd
from tools.ports import free_port
from usherd.cli.dev_issuer import Signer
from usherd.cli.dev_people import PEOPLE, token_of
from usherd.cli.findings import Finding, State, show

pytestmark = pytest.mark.timeout(240)


class Clinic(NamedTuple):
    """A server that keeps a directory, and its configuration."""

    signer: Signer
    config: Path
    address: str


@pytest.fixture(name="clinic")
def _clinic(tmp_path: Path) -> Iterator[Clinic]:
    with company(tmp_path) as (signer, config):
        text = config.read_text("utf-8").replace(
            "{seed: directory.yaml}", "{url: sqlite:///d.db, seed: directory.yaml}"
        )
        config.write_text(text + f'telemetry: {{metrics: "127.0.0.1:{free_port()}"}}\n', "utf-8")
        with server(config) as (_, address):
            yield Clinic(signer, config, address)


def _examined(*arguments: object, code: int) -> dict[str, Any]:
    ran = usherd("doctor", *arguments, "--json")
    assert ran.returncode == code, ran.stdout + ran.stderr
    found: dict[str, Any] = {each["about"]: each for each in json.loads(ran.stdout)["findings"]}
    return found


def test_a_server_that_is_well_is_found_well_and_nothing_is_left_behind(clinic: Clinic, tmp_path: Path) -> None:
    token = tmp_path / "token.txt"
    token.write_text(token_of(PEOPLE["alice"], clinic.signer))
    wanted = ("--server", clinic.address, "--config", clinic.config, "--token-file", token, "--model", "gpt-4o")
    found = _examined(*wanted, code=0)
    assert {about: each["state"] for about, each in found.items()} == {
        "configuration": "noted",
        "open doors": "noted",
        "health": "good",
        "readiness": "good",
        "directory": "good",
        "keys of dev": "good",
        "store": "good",
        "news": "good",
        "clock": "good",
        "revocation": "good",
    }
    assert found["open doors"]["values"] == {"options": ["loopback_http"]}
    assert 0 < found["news"]["values"]["told_seconds"] < 1
    assert 0 < found["revocation"]["values"]["told_seconds"] < 1
    assert abs(found["clock"]["values"]["server_ahead_seconds"]) < 1
    teams = usherd("directory", "list", "team", "--server", clinic.address, "--json")
    assert [each["id"] for each in json.loads(teams.stdout)] == ["research"]
    asked = usherd("ask", f"@{token}", "/v1/chat/completions", "gpt-4o", "--server", clinic.address)
    assert asked.returncode == 0, asked.stdout


def test_teams_that_an_earlier_look_has_left_are_deleted(clinic: Clinic, tmp_path: Path) -> None:
    left = tmp_path / "left.yaml"
    left.write_text("teams: [{id: usherd-doctor-0}]\n")
    assert usherd("directory", "apply", left, "--server", clinic.address).returncode == 0
    _examined("--server", clinic.address, "--config", clinic.config, code=0)
    teams = usherd("directory", "list", "team", "--server", clinic.address, "--json")
    assert [each["id"] for each in json.loads(teams.stdout)] == ["research"]


def test_without_a_configuration_it_says_what_it_could_not_see(clinic: Clinic) -> None:
    found = _examined("--server", clinic.address, "--no-live", code=0)
    assert {about: each["state"] for about, each in found.items()} == {"health": "good", "pages": "unknown"}


def test_pages_that_are_not_there_and_tables_of_another_usherd_are_told(clinic: Clinic) -> None:
    with closing(sqlite3.connect(clinic.config.parent / "d.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'older'")
    wanted = ("--server", clinic.address, "--config", clinic.config, "--pages", "http://127.0.0.1:1", "--no-live")
    found = _examined(*wanted, code=1)
    assert (found["pages"]["state"], found["store"]["state"]) == ("bad", "bad")
    assert "usherd db upgrade" in found["store"]["text"]


def test_a_token_that_is_refused_already_cannot_be_tried(clinic: Clinic, tmp_path: Path) -> None:
    token = tmp_path / "token.txt"
    token.write_text(token_of(PEOPLE["rip"], clinic.signer))
    found = _examined("--server", clinic.address, "--token-file", token, "--no-live", code=0)
    assert found["revocation"]["state"] == "unknown"


def test_a_server_without_a_directory_is_no_patient_for_news(tmp_path: Path) -> None:
    with company(tmp_path) as (_, config), server(config) as (_, address):
        found = _examined("--server", address, "--config", config, code=0)
    assert (found["news"]["state"], found["store"]["state"]) == ("unknown", "unknown")


def test_nobody_there_ends_with_2() -> None:
    found = _examined("--server", "127.0.0.1:1", code=2)
    assert found["address"]["text"] == "nobody answers at 127.0.0.1:1"


def test_a_configuration_that_does_not_load_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "usherd.yaml").write_text("issuers: 1")
    ran = usherd("doctor", "--config", tmp_path / "usherd.yaml")
    assert ran.returncode == 2
    assert "issuers" in ran.stderr


def test_what_is_shown_is_plain_where_it_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show([Finding("clock", State.BAD, "the server's is \x1b[31m9 s ahead")])
    assert capsys.readouterr().out == "bad     clock         the server's is \\x1b[31m9 s ahead\n"
