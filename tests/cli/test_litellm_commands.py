"""LiteLLM's configuration stands in the place of usherd's, or becomes one, with the same answers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import PATIENCE, environment, usherd, usherd_here
from usherd.cli.dev_issuer import Signer, published
from usherd.cli.dev_people import AUDIENCE, PEOPLE, token_of

CHAT = "/v1/chat/completions"
CONFIG = """\
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY}
general_settings:
  enable_jwt_auth: true
  litellm_jwtauth:
    user_id_jwt_field: sub
    team_ids_jwt_field: groups
    enforce_team_based_model_access: true
    admin_allowed_routes: [management_routes]
"""
DIRECTORY = """\
teams: [{id: research, models: [gpt-4o]}]
users: [{id: alice, teams: [research]}]
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[tuple[Signer, dict[str, str]]]:
    """A running issuer, and LiteLLM's environment for it."""
    with published() as signer:
        yield signer, {"JWT_PUBLIC_KEY_URL": f"{signer.issuer}/jwks.json", "JWT_AUDIENCE": AUDIENCE}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """LiteLLM's configuration, and a directory."""
    config, directory = tmp_path / "config.yaml", tmp_path / "directory.yaml"
    config.write_text(CONFIG)
    directory.write_text(DIRECTORY)
    return config, directory


def test_a_question_is_answered_by_litellms_configuration(
    issuer: tuple[Signer, dict[str, str]], files: tuple[Path, Path]
) -> None:
    signer, env = issuer
    config, directory = files
    here = ("--litellm-config", config, "--directory", directory)
    token = token_of(PEOPLE["alice"], signer)

    allowed = usherd("ask", "-", CHAT, "gpt-4o", *here, typed=token, env=env)
    other_model = usherd("ask", "-", CHAT, "o3", *here, typed=token, env=env)
    no_team = usherd("ask", "-", CHAT, "gpt-4o", *here, typed=token_of(PEOPLE["reader"], signer), env=env)
    admin = usherd("ask", "-", "/key/generate", *here, typed=token_of(PEOPLE["ada"], signer), env=env)

    reasons = [done.stdout.split()[1] for done in (allowed, other_model, no_team, admin)]
    assert reasons == ["ALLOWED", "MODEL_NOT_GRANTED", "TEAM_REQUIRED", "ALLOWED"]
    assert allowed.stderr == ""


def test_the_version_says_how_the_configuration_is_read(
    issuer: tuple[Signer, dict[str, str]], files: tuple[Path, Path]
) -> None:
    signer, env = issuer
    config, directory = files
    question = ("ask", "-", CHAT, "gpt-4o", "--litellm-config", config, "--directory", directory)
    token = token_of(PEOPLE["alice"], signer)

    latest = usherd(*question, typed=token, env=env)
    reference = usherd(*question, "--litellm-version", "1.63", typed=token, env=env)

    # The first to take tokens signed with elliptic curves is a later one.
    assert [done.stdout.split()[1] for done in (latest, reference)] == ["ALLOWED", "ALGORITHM_NOT_ALLOWED"]


def test_an_imported_file_answers_as_the_configuration_that_it_is_from(
    issuer: tuple[Signer, dict[str, str]], files: tuple[Path, Path], tmp_path: Path
) -> None:
    signer, env = issuer
    config, directory = files
    out = tmp_path / "usherd.yaml"
    token = token_of(PEOPLE["alice"], signer)

    done = usherd("config", "import-litellm", config, "--out", out, env=env)
    out.write_text(out.read_text() + "directory: {seed: directory.yaml}\n")
    theirs = usherd("ask", "-", CHAT, "gpt-4o", "--litellm-config", config, "--directory", directory, "--json",
                    typed=token, env=env)  # fmt: skip
    ours = usherd("ask", "-", CHAT, "gpt-4o", "--config", out, "--json", typed=token)

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(ours.stdout)["principal"] == json.loads(theirs.stdout)["principal"]
    assert usherd_here("config", "check", out).returncode == 0


def test_an_imported_file_goes_to_standard_output_with_comments_and_without_secrets(
    issuer: tuple[Signer, dict[str, str]], files: tuple[Path, Path]
) -> None:
    _, env = issuer
    config, _ = files
    config.write_text(CONFIG + "  master_key: sk-secret-0123456789abcdef0123456789\n")

    done = usherd_here("config", "import-litellm", config, env=env | {"OPENAI_API_KEY": "sk-secret"})

    assert done.returncode == 0
    assert "(access.unentitled)." in done.stdout
    assert "preset: litellm\n" in done.stdout
    assert "general_settings.master_key: a secret is not copied" in done.stderr
    assert "sk-secret" not in done.stdout + done.stderr


def test_a_file_that_is_there_is_not_written_over(
    issuer: tuple[Signer, dict[str, str]], files: tuple[Path, Path], tmp_path: Path
) -> None:
    _, env = issuer
    out = tmp_path / "usherd.yaml"
    out.write_text("mine")

    done = usherd_here("config", "import-litellm", files[0], "--out", out, env=env)

    assert done.returncode == 2
    assert done.stderr.endswith("usherd.yaml: cannot be written: File exists\n")
    assert out.read_text() == "mine"


def test_what_usherd_cannot_mean_is_refused_with_its_line_and_can_be_ignored_by_name(
    issuer: tuple[Signer, dict[str, str]], files: tuple[Path, Path]
) -> None:
    _, env = issuer
    config, _ = files
    config.write_text(CONFIG + "  allowed_ips: [10.0.0.1]\n")

    refused = usherd_here("config", "import-litellm", config, env=env)
    ignored = usherd_here("config", "import-litellm", config, "--ignore", "allowed_ips", env=env)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "config.yaml:11: general_settings.allowed_ips: only some addresses may call" in refused.stderr
    assert ignored.returncode == 0
    assert "general_settings.allowed_ips: left out, as --ignore says" in ignored.stderr


def test_litellms_configuration_is_served(
    issuer: tuple[Signer, dict[str, str]], files: tuple[Path, Path], tmp_path: Path
) -> None:
    signer, env = issuer
    config, directory = files
    address = f"unix:{tmp_path / 'usherd.sock'}"
    arguments = ["serve", "--litellm-config", config, "--directory", directory, "--address", address]

    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "usherd", *map(str, arguments)],
            env=environment(env),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("usherd serves on unix:")
        done = usherd("ask", "-", CHAT, "gpt-4o", "--server", address, typed=token_of(PEOPLE["alice"], signer))
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE)
    finally:
        process.kill()
        process.communicate()

    assert done.stdout.startswith("ALLOW  ALLOWED")
    assert code == 0


WRONG_USAGE = {
    "neither configuration": ("serve",),
    "both configurations": ("serve", "--config", "a", "--litellm-config", "b"),
    "a directory beside usherd's own configuration": ("serve", "--config", "a", "--directory", "b"),
    "a key to ignore without LiteLLM's configuration": ("ask", "-", "/x", "--ignore", "a"),
    "a server beside a configuration": ("ask", "-", "/x", "--litellm-config", "a", "--server", "b:1"),
    "a version that nobody reads": ("config", "import-litellm", "a", "--litellm-version", "2"),
    "a file that is not there": ("config", "import-litellm", "/does/not/exist"),
}


@pytest.mark.parametrize("arguments", WRONG_USAGE.values(), ids=WRONG_USAGE.keys())
def test_wrong_usage_is_exit_code_2_and_plain(arguments: tuple[str, ...]) -> None:
    done = usherd_here(*arguments, typed="x")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_directory_that_does_not_load_is_told(
    issuer: tuple[Signer, dict[str, str]], files: tuple[Path, Path]
) -> None:
    _, env = issuer
    config, directory = files
    directory.write_text("teams: [{id: research, modells: []}]\n")

    done = usherd("ask", "-", CHAT, "--litellm-config", config, "--directory", directory, typed="x", env=env)

    assert done.returncode == 2
    assert "directory.yaml:1: teams[0].modells: unknown key; did you mean models?" in done.stderr
