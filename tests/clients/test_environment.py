"""Settings by environment variables: what they mean, and that all that is wrong is said at once, without a value."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tools.daemon import MODEL, ROUTE, daemon
from usher_client import DecisionCache, environment
from usher_client.environment import SettingsError, read_settings
from usher_client.http import Reading

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = r"USHERD_[A-Z_]+"
HERE = {"USHERD_TARGET": "localhost:50051"}
FAR = {"USHERD_TARGET": "dns:///usherd.example:443"}


def wrong(**environment: str) -> list[str]:
    with pytest.raises(SettingsError) as error:
        read_settings(environment)
    return str(error.value).splitlines()


def test_a_target_is_enough() -> None:
    settings = read_settings(HERE)

    assert settings.target == "localhost:50051"
    assert (settings.deadline, settings.cache, settings.reading) == (1.0, None, Reading())
    assert settings.bearer is None


def test_plaintext_stays_on_this_machine_unless_it_is_asked_for() -> None:
    assert read_settings(HERE).credentials is None
    assert read_settings({"USHERD_TARGET": "unix:/run/usherd.sock"}).credentials is None
    assert read_settings(FAR).credentials is not None
    assert read_settings(FAR | {"USHERD_PLAINTEXT": "true"}).credentials is None
    assert read_settings(FAR | {"USHERD_PLAINTEXT": "false"}).credentials is not None


def test_certificates_make_it_tls_on_this_machine_too(tmp_path: Path) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.write_text("-----BEGIN CERTIFICATE-----\n")

    assert read_settings(HERE | {"USHERD_CA_FILE": str(authorities)}).credentials is not None
    assert wrong(**FAR, USHERD_CA_FILE=str(authorities), USHERD_PLAINTEXT="true") == [
        "USHERD_PLAINTEXT: expected no certificates beside it"
    ]
    assert wrong(**FAR, USHERD_CERT_FILE=str(authorities)) == [
        "USHERD_CERT_FILE, USHERD_KEY_FILE: expected both or none"
    ]


def test_a_credential_in_a_file_is_the_one_of_now(tmp_path: Path) -> None:
    file = tmp_path / "credential"
    file.write_text("first\n")
    bearer = read_settings(HERE | {"USHERD_CREDENTIAL_FILE": str(file)}).bearer
    assert callable(bearer)

    assert bearer() == "first"
    file.write_text("second")
    assert bearer() == "second"
    assert read_settings(HERE | {"USHERD_CREDENTIAL": "the-one"}).bearer == "the-one"


@pytest.mark.parametrize(
    ("text", "cache"),
    [("on", DecisionCache()), ("off", None), ("1", DecisionCache(max_entries=1)), ("10000", DecisionCache())],
)
def test_the_cache_is_a_choice(text: str, cache: DecisionCache | None) -> None:
    assert read_settings(HERE | {"USHERD_CACHE": text}).cache == cache


def test_what_a_request_carries_where() -> None:
    settings = read_settings(
        HERE
        | {
            "USHERD_HEADER": "X-LiteLLM-API-Key",
            "USHERD_ORIGINS": "https://ui.example, https://admin.example",
            "USHERD_TEAM_HEADER": "x-litellm-team-id",
            "USHERD_MAX_BODY": "1000",
            "USHERD_DEADLINE": "0.5",
        }
    )

    assert settings.deadline == 0.5
    assert settings.reading == Reading(
        header="x-litellm-api-key",
        origins=("https://ui.example", "https://admin.example"),
        team_header="x-litellm-team-id",
        max_body=1000,
    )


def test_an_empty_variable_is_none() -> None:
    assert read_settings(HERE | {"USHERD_DEADLINE": "", "USHERD_CA_FILE": ""}) == read_settings(HERE)
    assert wrong(USHERD_TARGET="") == wrong()


def test_everything_that_is_wrong_is_said_at_once_and_no_value_is_repeated(tmp_path: Path) -> None:
    not_text = tmp_path / "canary"
    not_text.write_bytes(b"\xff")

    said = wrong(
        USHERD_PLAINTEXT="canary",
        USHERD_CA_FILE=str(tmp_path / "canary-too"),
        USHERD_KEY_FILE=str(not_text),
        USHERD_CREDENTIAL="canary canary",
        USHERD_CREDENTIAL_FILE=str(not_text),
        USHERD_DEADLINE="canary",
        USHERD_CACHE="0",
        USHERD_HEADER="a canary",
        USHERD_ORIGINS="https://ui.example,canary",
        USHERD_TEAM_HEADER="a canary",
        USHERD_TEAM_ALIAS_HEADER="a canary",
        USHERD_MAX_BODY="-1",
    )

    assert said == [
        "USHERD_TARGET: required: where usherd listens, such as localhost:50051",
        "USHERD_PLAINTEXT: expected true or false",
        "USHERD_CA_FILE: cannot be read",
        "USHERD_KEY_FILE: expected a file in PEM form",
        "USHERD_CERT_FILE, USHERD_KEY_FILE: expected both or none",
        "USHERD_CREDENTIAL, USHERD_CREDENTIAL_FILE: expected at most one of them",
        "USHERD_CREDENTIAL_FILE: cannot be read",
        "USHERD_CREDENTIAL: expected ASCII letters, digits and -._~+/, = at the end only",
        "USHERD_DEADLINE: expected seconds, more than 0 and at most 60",
        "USHERD_CACHE: expected on, off, or a number from 1 to 10000",
        "USHERD_HEADER: expected the name of a header",
        "USHERD_ORIGINS: expected a sequence of origins, such as https://ui.example without a path",
        "USHERD_TEAM_HEADER: expected the name of a header",
        "USHERD_TEAM_ALIAS_HEADER: expected the name of a header",
        "USHERD_MAX_BODY: expected a whole number",
    ]


@pytest.mark.parametrize("target", ["local host", "localhost:50051\n", "x" * 2000])
def test_a_target_has_no_white_space_and_an_end(target: str) -> None:
    assert wrong(USHERD_TARGET=target) == [
        "USHERD_TARGET: expected a target such as localhost:50051, without white space"
    ]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (
            "http://localhost:50051",
            "one of gRPC, such as localhost:50051 or unix:/run/usherd.sock, and no URL of HTTP",
        ),
        ("localhost", "a port behind the host, such as localhost:50051"),
    ],
)
def test_a_target_that_nobody_could_answer_at_is_told_at_the_start(target: str, expected: str) -> None:
    assert wrong(USHERD_TARGET=target) == [f"USHERD_TARGET: expected {expected}"]


def test_every_variable_is_written_down_where_it_is_read_and_in_the_guide() -> None:
    source = inspect.getsource(environment)
    told = set(re.findall(VARIABLE, environment.__doc__ or ""))
    guide = (ROOT / "docs" / "litellm.md").read_text("utf-8").splitlines()
    rows = "".join(line for line in guide if line.startswith("| `USHERD_"))

    assert set(re.findall(f'"({VARIABLE})"', source)) == told
    assert set(re.findall(VARIABLE, rows)) == told


async def test_a_client_is_opened_with_all_of_them(tmp_path: Path) -> None:
    async with daemon(tmp_path) as usherd:
        settings = read_settings({"USHERD_TARGET": usherd.target, "USHERD_DEADLINE": "30"})
        async with settings.open_client() as client:
            decision = await client.authorize(usherd.tokens["allow"], ROUTE, MODEL, deadline=settings.deadline)

    assert decision.allowed
