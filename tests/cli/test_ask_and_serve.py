"""`usherd serve` answers what `usherd ask` asks, and ends in order."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import PATIENCE, company, server, usherd, usherd_here
from tools.certificates import Authority
from usherd.cli.dev_issuer import Signer
from usherd.cli.dev_people import PEOPLE, token_of

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Signer, str, Path]]:
    with company(tmp_path_factory.mktemp("company")) as (signer, config), server(config) as (_, address):
        yield signer, address, config


def test_an_allowance_is_exit_code_0(running: tuple[Signer, str, Path]) -> None:
    signer, address, _ = running

    done = usherd("ask", "-", CHAT, "gpt-4o", "--server", address, typed=token_of(PEOPLE["alice"], signer))

    assert done.returncode == 0
    assert done.stdout.startswith("ALLOW  ALLOWED")
    assert done.stderr == ""


def test_a_denial_is_exit_code_1(running: tuple[Signer, str, Path]) -> None:
    signer, address, _ = running

    done = usherd("ask", "-", CHAT, "gpt-4o", "--server", address, typed=token_of(PEOPLE["mallory"], signer))

    assert done.returncode == 1
    assert done.stdout.startswith("DENY  NOT_ENTITLED")


def test_no_decision_is_exit_code_2_and_no_denial() -> None:
    done = usherd("ask", "-", CHAT, "--server", "127.0.0.1:1", "--timeout", "1", "--json", typed="x")

    assert done.returncode == 2
    assert json.loads(done.stdout)["code"] == "UNAVAILABLE"
    assert "effect" not in json.loads(done.stdout)
    assert "nobody answers at 127.0.0.1:1; expected a server there" in done.stderr


def test_a_server_and_a_configuration_give_the_same_answer(running: tuple[Signer, str, Path]) -> None:
    signer, address, config = running
    token = token_of(PEOPLE["alice"], signer)
    question = ("ask", "-", CHAT, "o3", "--method", "POST", "--explain", "--json")

    there = json.loads(usherd(*question, typed=token, env={"USHERD_SERVER": address}).stdout)
    here = json.loads(usherd(*question, "--config", config, typed=token).stdout)

    told_apart = ("decision_id", "revision", "valid_until")
    assert {key: value for key, value in there.items() if key not in told_apart} == {
        key: value for key, value in here.items() if key not in told_apart
    }
    assert there["reason"] == "MODEL_NOT_GRANTED"
    assert [check["check"] for check in there["explanation"]["checks"] if check["outcome"] == "DENIED"] == ["models"]


def test_a_token_comes_from_a_file_the_environment_or_the_arguments_with_a_warning(
    running: tuple[Signer, str, Path], tmp_path: Path
) -> None:
    signer, address, _ = running
    token = token_of(PEOPLE["ada"], signer)
    (tmp_path / "token").write_text(token + "\n")

    by_file = usherd("ask", f"@{tmp_path / 'token'}", "/key/generate", "--server", address)
    by_environment = usherd("ask", "/key/generate", "--server", address, env={"USHERD_TOKEN": token})
    by_argument = usherd("ask", token, "/key/generate", "--server", address)

    assert [done.returncode for done in (by_file, by_environment, by_argument)] == [0, 0, 0]
    assert (by_file.stderr, by_environment.stderr) == ("", "")
    assert "can be seen by every user" in by_argument.stderr
    assert token not in by_argument.stdout + by_argument.stderr


def test_every_option_reaches_the_question(running: tuple[Signer, str, Path]) -> None:
    signer, address, _ = running
    token = token_of(PEOPLE["alice"], signer)

    fallback = usherd("ask", "-", CHAT, "gpt-4o", "--fallback", "o3", "--server", address, typed=token)
    team = usherd("ask", "-", CHAT, "gpt-4o", "--team", "other", "--server", address, typed=token)
    alias = usherd("ask", "-", CHAT, "gpt-4o", "--team-alias", "Research", "--server", address, typed=token)
    end_user = usherd("ask", "-", CHAT, "gpt-4o", "--end-user", "a\tb", "--server", address, typed=token)
    organization = usherd("ask", "-", CHAT, "gpt-4o", "--organization", "x", "--server", address, typed=token)

    reasons = [done.stdout.split()[1] for done in (fallback, team, alias, end_user, organization)]
    assert reasons == ["MODEL_NOT_GRANTED", "TEAM_NOT_ALLOWED", "ALLOWED", "END_USER_INVALID", "ORGANIZATION_MISMATCH"]


def test_a_change_of_guardrails_reaches_the_question(tmp_path: Path) -> None:
    with company(tmp_path) as (signer, config):
        directory = tmp_path / "directory.yaml"
        forbidden = "alias: Research, metadata: {guardrails: {modify_guardrails: false}},"
        directory.write_text(directory.read_text().replace("alias: Research,", forbidden))
        token = token_of(PEOPLE["alice"], signer)
        with server(config) as (_, address):
            plain = usherd("ask", "-", CHAT, "gpt-4o", "--server", address, typed=token)
            there = usherd("ask", "-", CHAT, "gpt-4o", "--modifies-guardrails", "--server", address, typed=token)
        here = usherd("ask", "-", CHAT, "gpt-4o", "--modifies-guardrails", "--config", config, typed=token)

    reasons = [done.stdout.split()[1] for done in (plain, there, here)]
    assert reasons == ["ALLOWED", "GUARDRAILS_NOT_MODIFIABLE", "GUARDRAILS_NOT_MODIFIABLE"]


WRONG_USAGE = {
    "no arguments": (),
    "too many arguments": ("x.y.z", "/a", "b", "c"),
    "a route without a token": ("/v1/models",),
    "two wishes for a team": ("-", "/v1/models", "--team", "a", "--team-alias", "b"),
    "a server and a configuration": ("-", "/v1/models", "--server", "a:1", "--config", "x"),
    "a token file that is not there": ("@/does/not/exist", "/v1/models"),
    "an address that is none": ("-", "/v1/models", "--server", "nowhere"),
}


@pytest.mark.parametrize("arguments", WRONG_USAGE.values(), ids=WRONG_USAGE.keys())
def test_wrong_usage_is_exit_code_2_and_plain(arguments: tuple[str, ...]) -> None:
    done = usherd_here("ask", *arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("optimised", [(), ("-O",)], ids=["plain", "-O"])
def test_a_signal_drains_and_the_exit_code_is_0(tmp_path: Path, optimised: tuple[str, ...]) -> None:
    with company(tmp_path) as (signer, config), server(config, python=optimised) as (process, address):
        asked = usherd("ask", "-", CHAT, "gpt-4o", "--server", address, typed=token_of(PEOPLE["alice"], signer))
        denied = usherd("ask", "-", CHAT, "gpt-4o", "--server", address, typed=token_of(PEOPLE["eve"], signer))
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE)

    log = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    assert (asked.returncode, denied.returncode, code) == (0, 1, 0)
    assert [line["event"] for line in log if line["logger"] == "usherd.app"][-3:] == ["serving", "draining", "stopped"]


def test_a_second_server_on_the_same_port_does_not_start(running: tuple[Signer, str, Path], tmp_path: Path) -> None:
    _, address, config = running

    done = usherd("serve", "--config", config, "--address", address)

    assert done.returncode == 2
    assert "server.address: cannot listen: it is taken" in done.stderr
    assert "Traceback" not in done.stderr
    assert "key_set_loaded" not in done.stdout + done.stderr  # nothing was begun for a server that cannot be


def test_a_server_beyond_this_machine_without_tls_does_not_start(tmp_path: Path) -> None:
    with company(tmp_path, address="0.0.0.0:0") as (_, config):
        done = usherd("serve", "--config", config)

    assert done.returncode == 2
    assert "server.address: only a loopback address may be served without TLS; expected server.tls" in done.stderr


def test_a_failed_handshake_writes_nothing_but_json(tmp_path: Path) -> None:
    cert, key = Authority("ours").issue("localhost")
    (tmp_path / "cert.pem").write_bytes(cert)
    (tmp_path / "key.pem").write_bytes(key)
    with company(tmp_path) as (_, config):
        text = config.read_text("utf-8")
        config.write_text(text.replace("server: {", "server: {tls: {cert: cert.pem, key: key.pem}, "), "utf-8")
        with server(config) as (process, address):
            host, _, port = address.rpartition(":")
            with socket.create_connection((host, int(port)), PATIENCE) as stranger:
                stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
                while stranger.recv(1024):
                    pass
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)

    log = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    assert log[-1]["event"] == "stopped"


def test_text_that_is_no_unicode_is_denied_by_a_server_as_by_a_configuration(
    running: tuple[Signer, str, Path],
) -> None:
    signer, address, config = running
    token = token_of(PEOPLE["alice"], signer)
    questions = (("ask", "-", CHAT, "gpt\udcff"), ("ask", "-", "/v1\udcff", "gpt-4o"), ("ask", "\udcff", CHAT))

    there = [usherd(*question, "--server", address, typed=token) for question in questions]
    here = [usherd(*question, "--config", config, typed=token) for question in questions]

    assert [done.returncode for done in there + here] == [1] * 6
    assert [done.stdout.split()[:2] for done in there] == [done.stdout.split()[:2] for done in here]


def test_a_dead_issuer_is_a_fault_and_not_a_denial(tmp_path: Path) -> None:
    with company(tmp_path) as (signer, config):
        token = token_of(PEOPLE["alice"], signer)

    done = usherd("ask", "-", CHAT, "gpt-4o", "--config", config, "--json", typed=token)

    assert done.returncode == 2
    assert json.loads(done.stdout)["fault"] == "KEYS_UNAVAILABLE"
    assert token not in done.stderr


def test_a_token_never_appears_in_the_log(tmp_path: Path) -> None:
    with company(tmp_path) as (signer, config), server(config) as (process, address):
        tokens = [token_of(person, signer) for person in PEOPLE.values()]
        for token in tokens[:3]:
            usherd("ask", "-", CHAT, "gpt-4o", "--server", address, typed=token)
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)

    log = (tmp_path / "server.log").read_text()
    assert [token for token in tokens if token in log or token.split(".")[1] in log] == []
