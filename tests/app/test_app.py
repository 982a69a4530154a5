"""The composition root opens every room in its order, and a house in one process answers as a server does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config_files import ISSUER, settings
from keyring import key_pair
from usherd.app import check, tell_keys
from usherd.cli.dev_issuer import Signer
from usherd.cli.dev_people import AUDIENCE, DIRECTORY_TEXT, PEOPLE, config_text, token_of
from usherd.config.settings import Settings
from usherd.domain import Question
from usherd.errors import KeysUnavailable
from usherd.house import id_maker, opened
from usherd.reasons import Reason
from usherd.rpc.address import AddressUnusable
from usherd.rpc.health import Readiness
from usherd.stores.key_sets import GivenKeysUnusable

CHAT = "/v1/chat/completions"


def _company(folder: Path, signer: Signer) -> Settings:
    (folder / "keys.json").write_text(json.dumps({"keys": [signer.public_jwk()]}))
    text = config_text(signer.issuer).replace("discovery: true", "jwks_file: keys.json")
    return settings(folder, text, directory=DIRECTORY_TEXT)


async def test_a_house_answers_by_its_configuration(tmp_path: Path) -> None:
    signer = Signer.new("https://idp.example")
    question = Question(token=token_of(PEOPLE["alice"], signer), route=CHAT, model="gpt-4o")

    async with opened(_company(tmp_path, signer)) as house:
        decision = await house.authorizer.authorize(question)
        verified = await house.verifier.verify(question.token, patience=0)

    assert decision.verdict.reason is Reason.ALLOWED
    assert decision.verdict.principal is not None
    assert decision.verdict.principal.team_id == "research"
    assert verified.issuer == "dev"


async def test_keys_out_of_reach_are_a_fault_of_their_issuer_only(tmp_path: Path) -> None:
    signer = Signer.new("https://idp.example")
    other = Signer.new("http://127.0.0.1:9")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [signer.public_jwk()]}))
    text = config_text(signer.issuer).replace("discovery: true", "jwks_file: keys.json")
    dead = f"{{name: dead, issuer: {other.issuer}, audiences: [{AUDIENCE}], keys: {{jwks_url: {other.issuer}/keys}}}}"
    text = text.replace("roles:", f"  - {dead}\nroles:", 1)
    text = text.replace("- name: reader", "- name: reader\n    issuer: dev").replace(
        "admin: {", "admin: {issuer: dev, "
    )
    directory = DIRECTORY_TEXT.replace("id: research,", "id: research, issuer: dev,")
    directory = directory.replace("{id: alice,", "{id: alice, identities: [{issuer: dev, subject: alice}],")
    directory = directory.replace("{id: bob,", "{id: bob, identities: [{issuer: dev, subject: bob}],")
    made = settings(tmp_path, text, directory=directory)
    readiness = Readiness()

    async with opened(made) as house:
        readiness.policy_loaded(["dev", "dead"])
        readiness.directory(fresh=True)
        tell_keys(house, made, readiness)
        question = Question(token=token_of(PEOPLE["alice"], signer), route=CHAT, model="gpt-4o")
        living = await house.authorizer.authorize(question)
        with pytest.raises(KeysUnavailable):
            await house.authorizer.authorize(question._replace(token=token_of(PEOPLE["alice"], other)))

    assert living.verdict.reason is Reason.ALLOWED
    assert readiness.ready


def test_given_keys_are_checked_without_a_house(tmp_path: Path) -> None:
    text = ISSUER.replace("discovery: true", "jwks: {keys: []}")

    with pytest.raises(GivenKeysUnusable, match="issuer idp: keys: no_usable_key"):
        check(settings(tmp_path, text))


def test_an_address_beyond_this_machine_is_refused_without_tls(tmp_path: Path) -> None:
    text = ISSUER.replace("discovery: true", "jwks_url: https://idp.example/keys") + "server: {address: 0.0.0.0:1}\n"

    with pytest.raises(AddressUnusable, match="without TLS"):
        check(settings(tmp_path, text))


TWO_SIGNALS = """
import asyncio, sys
from usherd.stopping import stop_signals

async def main():
    stopped = stop_signals()
    print("ready", flush=True)
    await stopped.wait()
    print("draining", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_first_signal_drains_and_a_second_one_kills(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", TWO_SIGNALS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        process.send_signal(number)
        said.append(process.stdout.readline())
        process.send_signal(number)
        code = process.wait(60)

    assert said == ["ready\n", "draining\n"]
    assert code == -number


RSA_KEYS = {
    "RS256 unless the algorithms are named": ("", {"RS256"}),
    "those that are named": ("    algorithms: [PS256, ES256]\n", {"PS256"}),
}


@pytest.mark.parametrize(("line", "expected"), RSA_KEYS.values(), ids=RSA_KEYS.keys())
async def test_an_rsa_key_that_names_no_algorithm_verifies(tmp_path: Path, line: str, expected: set[str]) -> None:
    jwk = {name: value for name, value in key_pair("RSA").jwk().items() if name in ("kty", "kid", "n", "e")}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk]}))
    made = settings(tmp_path, ISSUER.replace("discovery: true", "jwks_file: keys.json") + line)

    async with opened(made) as house:
        key = house.keys.find("idp", None)

    assert key is not None
    assert key.algorithms == expected


def test_ids_are_26_characters_and_differ_within_and_between_lives() -> None:
    one, other = id_maker(), id_maker()

    ids = {make() for make in (one, other) for _ in range(1000)}

    assert len(ids) == 2000
    assert {len(each) for each in ids} == {26}
    assert all(each.isascii() and each.isalnum() for each in ids)
