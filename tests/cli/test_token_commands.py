"""`usherd token inspect` shows what a token says, and never claims more than was verified."""

from __future__ import annotations

import json
from pathlib import Path

from commands import company, usherd
from keyring import claims, compact, key_pair
from usherd.cli.dev_people import PEOPLE, token_of


def test_a_token_is_not_verified_without_a_configuration() -> None:
    token = key_pair("RSA").token(claims(sub="alice"))

    shown = usherd("token", "inspect", "-", typed=token)
    told = usherd("token", "inspect", "-", "--json", typed=token)

    assert shown.returncode == 0
    assert shown.stdout.startswith("NOT VERIFIED")
    assert '"alice"' in shown.stdout
    assert token.rpartition(".")[2] not in shown.stdout + told.stdout
    assert json.loads(told.stdout)["verified"] is False


def test_a_token_is_verified_under_a_configuration_that_knows_it(tmp_path: Path) -> None:
    with company(tmp_path) as (signer, config):
        genuine = usherd("token", "inspect", "-", "--config", config, typed=token_of(PEOPLE["alice"], signer))
        forged = usherd("token", "inspect", "-", "--config", config, typed=token_of(PEOPLE["eve"], signer))
        expired = usherd("token", "inspect", "-", "--config", config, "--json", typed=token_of(PEOPLE["rip"], signer))
    unknown = usherd("token", "inspect", "-", "--config", config, typed=token_of(PEOPLE["alice"], signer))

    assert [done.returncode for done in (genuine, forged, expired, unknown)] == [0, 1, 1, 2]
    assert genuine.stdout.startswith("VERIFIED  a genuine token of the issuer dev")
    assert forged.stdout.startswith("NOT VERIFIED  SIGNATURE_INVALID")
    assert json.loads(expired.stdout)["why"] == "TOKEN_EXPIRED"
    assert unknown.stdout.startswith("NOT VERIFIED  KEYS_UNAVAILABLE")


def test_what_the_configuration_has_instead_is_shown(tmp_path: Path) -> None:
    with company(tmp_path) as (signer, config):
        other = usherd("token", "inspect", "-", "--config", config, typed=token_of(PEOPLE["olivia"], signer))
        stranger = usherd("token", "inspect", "-", "--config", config, typed=key_pair("RSA").token(claims(iss="x")))
        forged = usherd("token", "inspect", "-", "--config", config, typed=token_of(PEOPLE["eve"], signer))

    assert other.stdout.endswith('the configuration has\n  aud  "api://ai-gateway"\n')
    assert stranger.stdout.endswith(f'the configuration has\n  iss  "{signer.issuer}"\n')
    assert "the configuration has" not in forged.stdout


def test_what_has_not_the_form_of_a_token_is_exit_code_1() -> None:
    done = usherd("token", "inspect", "-", typed="no.token")

    assert done.returncode == 1
    assert done.stdout.startswith("NOT VERIFIED  TOKEN_MALFORMED")


def test_control_characters_of_a_claim_do_not_reach_the_terminal() -> None:
    header = b'{"alg":"RS256","kid":"\\u001b[2J"}'
    token = compact(header, b'{"sub":"\\u001b[31mroot\\u202e","iat":1}', lambda data: b"x" * 256)

    shown = usherd("token", "inspect", "-", typed=token)
    told = usherd("token", "inspect", "-", "--json", typed=token)

    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout + told.stdout
    assert "\u202e" not in shown.stdout + told.stdout
    assert "root" in shown.stdout


def test_an_opaque_token_is_what_its_issuer_says_of_it(tmp_path: Path) -> None:
    asked = {"url": "http://127.0.0.1:1/introspect", "client_id": "u", "client_secret": "env:SECRET", "opaque": True}
    issuer = {
        "name": "idp",
        "issuer": "https://idp.example",
        "audiences": ["gateway"],
        "keys": {"introspection": asked},
    }
    config = tmp_path / "usherd.yaml"
    config.write_text(json.dumps({"issuers": [issuer], "insecure": {"loopback_http": True}}))

    env = {"SECRET": "hunter2"}
    unknown = usherd("token", "inspect", "-", "--config", config, typed="opaque", env=env)
    malformed = usherd("token", "inspect", "-", "--config", config, typed="a.b.c", env=env)

    assert (unknown.returncode, malformed.returncode) == (2, 1)
    assert unknown.stdout.startswith("NOT VERIFIED  INTROSPECTION_UNAVAILABLE")
    assert malformed.stdout.startswith("NOT VERIFIED  TOKEN_MALFORMED")
