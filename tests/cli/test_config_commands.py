"""`usherd config` says what `serve` would, and every key that there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import usherd, usherd_here
from config_files import ISSUER
from keyring import key_pair
from tools.certificates import Authority


def test_a_configuration_that_loads_is_exit_code_0(tmp_path: Path) -> None:
    (tmp_path / "usherd.yaml").write_text(ISSUER)

    shown = usherd("config", "check", tmp_path / "usherd.yaml")
    told = usherd_here("config", "check", tmp_path / "usherd.yaml", "--json")

    assert (shown.returncode, told.returncode) == (0, 0)
    assert "is valid" in shown.stdout
    assert json.loads(told.stdout)["valid"] is True
    assert json.loads(told.stdout)["digest"] in shown.stdout


def test_a_configuration_that_does_not_load_is_exit_code_2_with_every_mistake(tmp_path: Path) -> None:
    file = tmp_path / "usherd.yaml"
    file.write_text(ISSUER + "rolls: []\ncache: {ttl: 1}\n")

    shown = usherd_here("config", "check", file)
    told = usherd_here("config", "check", file, "--json")

    assert (shown.returncode, told.returncode) == (2, 2)
    assert shown.stdout == ""
    assert shown.stderr.splitlines()[0] == f"usherd: {file}:6: rolls: unknown key; did you mean roles?"
    assert [problem["line"] for problem in json.loads(told.stdout)["problems"]] == [6, 7]


def test_keys_that_cannot_be_used_are_found_before_the_start(tmp_path: Path) -> None:
    private = {"keys": [key_pair("RSA").jwk(d="AQAB")]}
    file = tmp_path / "usherd.yaml"
    file.write_text(ISSUER.replace("discovery: true", "jwks_file: keys.json"))
    (tmp_path / "keys.json").write_text(json.dumps(private))

    done = usherd_here("config", "check", file)

    assert done.returncode == 2
    assert "issuer idp: keys: no_usable_key" in done.stderr


def _with_tls(folder: Path) -> Path:
    """The path of a configuration with the files of TLS beside it."""
    authority = Authority("ours")
    cert, key = authority.issue("localhost")
    for name, content in {"cert": cert, "key": key, "client_ca": authority.certificate}.items():
        (folder / f"{name}.pem").write_bytes(content)
    file = folder / "usherd.yaml"
    tls = "tls: {cert: cert.pem, key: key.pem, client_ca: client_ca.pem}"
    file.write_text(ISSUER + f"server: {{address: '127.0.0.1:0', {tls}}}\n")
    return file


def test_files_of_tls_that_fit_are_exit_code_0(tmp_path: Path) -> None:
    assert usherd_here("config", "check", _with_tls(tmp_path)).returncode == 0


BROKEN = {
    "key of another certificate": ("key.pem", Authority("other").issue("localhost")[1]),
    "no certificate": ("cert.pem", b"nonsense"),
    "no authority": ("client_ca.pem", b"nonsense"),
    "empty authority": ("client_ca.pem", b""),
    "blank authority": ("client_ca.pem", b"\n"),
}


@pytest.mark.parametrize(("name", "content"), BROKEN.values(), ids=BROKEN.keys())
def test_files_of_tls_are_refused_by_check_as_by_serve(tmp_path: Path, name: str, content: bytes) -> None:
    file = _with_tls(tmp_path)
    (tmp_path / name).write_bytes(content)

    checked = usherd_here("config", "check", file)
    served = usherd("serve", "--config", file)

    assert (checked.returncode, served.returncode) == (2, 2)
    assert ": server.tls" in served.stderr.splitlines()[-1]
    assert served.stderr.splitlines()[-1] == checked.stderr.splitlines()[-1]


def test_what_is_laxer_is_said(tmp_path: Path) -> None:
    file = tmp_path / "usherd.yaml"
    file.write_text(ISSUER + "insecure: {plaintext: true}\n")

    done = usherd_here("config", "check", file)

    assert done.returncode == 0
    assert "insecure.plaintext: tokens may cross the network unencrypted" in done.stderr


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "usherd.yaml"
    file.write_text(ISSUER + '"a\\e[2Jb": 1\n')

    done = usherd_here("config", "check", file)

    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_the_schema_is_json() -> None:
    done = usherd_here("config", "schema")

    assert done.returncode == 0
    assert "issuers" in json.loads(done.stdout)["properties"]
