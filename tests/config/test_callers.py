"""Callers in a file: what they mean once loaded, and that their secrets are nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from config_files import ISSUER, problems, settings
from usherd.callers import RPCS, CallerRule, credential_digest
from usherd.config.shown import as_yaml, changes, shown

CREDENTIAL = "f1e2d3c4b5a6978812345678abcdef90"
TLS = "server: {tls: {cert: c.pem, key: k.pem, client_ca: ca.pem}}\n"


def _folder(folder: Path) -> Path:
    for name in ("c.pem", "k.pem", "ca.pem"):
        (folder / name).write_text("any")
    return folder


def test_a_caller_is_loaded_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("e" * 24 + "01234567\n")
    text = """
    callers:
      - name: edge
        spiffe: spiffe://mesh/ns/edge/*
        san: {dns: ["*.Example.com"], uri: [urn:edge], ip: 10.0.0.0/8, email: "*@example.com"}
        fingerprint: FINGERPRINT
        rpcs: [AuthorizationService/*, usher.v1.AuthorizationService/Check, grpc.health.v1.Health/Watch]
      - {name: script, credential: [file:old, env:NEW], rpcs: [AuthorizationService/Check], explain: true}
    """.replace("FINGERPRINT", ":".join(["AB"] * 32))
    rules = settings(
        _folder(tmp_path), ISSUER + TLS + text.replace("\n    ", "\n"), environment={"NEW": CREDENTIAL}
    ).callers

    assert rules == (
        CallerRule(
            name="edge",
            spiffe=("spiffe://mesh/ns/edge/*",),
            uris=("urn:edge",),
            dns=("*.Example.com",),
            ips=("10.0.0.0/8",),
            emails=("*@example.com",),
            fingerprints=frozenset({"ab" * 32}),
            rpcs=frozenset(
                f"/usher.v1.AuthorizationService/{each}"
                for each in ("Authorize", "BatchCheck", "Check", "ListModels", "Subscribe")
            )
            | {"/grpc.health.v1.Health/Watch"},
        ),
        CallerRule(
            name="script",
            credentials=(credential_digest("e" * 24 + "01234567"), credential_digest(CREDENTIAL)),
            rpcs=frozenset({"/usher.v1.AuthorizationService/Check"}),
            explain=True,
        ),
    )


def test_without_callers_there_are_none(tmp_path: Path) -> None:
    found = settings(tmp_path, ISSUER)

    assert (found.callers, found.server.health) == ((), "open")


CALLER = "callers: [{name: edge, credential: env:NEW, rpcs: [AuthorizationService/*]}]\n"


def test_a_credential_is_shown_nowhere_and_a_change_of_it_is(tmp_path: Path) -> None:
    old, new = (
        settings(tmp_path, ISSUER + CALLER, environment={"NEW": each}) for each in (CREDENTIAL, "0" + CREDENTIAL)
    )
    digest = credential_digest(CREDENTIAL)

    text = as_yaml(shown(old)) + repr(old) + repr(changes(old, new))
    assert "(hidden)" in text
    assert [each.key for each in changes(old, new)] == ["callers.edge.credentials"]
    assert not any(secret in text for secret in (CREDENTIAL, digest.hex(), repr(digest)))


SHORT = "is too short or too regular; expected at least 32 random characters, as those of openssl rand -hex 32"
UNSENDABLE = (
    "cannot be sent as a bearer credential; expected letters, digits and -._~+/ in ASCII, = at the end only, and at"
    " most 4096 of them"
)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (CREDENTIAL[:31], SHORT),
        ("a" * 64, SHORT),
        ("abc" * 20, SHORT),
        (f"Bearer {CREDENTIAL}", UNSENDABLE),
        (CREDENTIAL + "\n\n", UNSENDABLE),
        (CREDENTIAL + "é", UNSENDABLE),
        (CREDENTIAL + "=x", UNSENDABLE),
        (CREDENTIAL * 129, UNSENDABLE),
    ],
)
def test_a_credential_that_is_weak_or_cannot_be_sent_does_not_load(tmp_path: Path, value: str, says: str) -> None:
    found = problems(tmp_path, ISSUER + CALLER, environment={"NEW": value})

    assert found == [f"usherd.yaml:6: callers[0].credential[0]: {says}"]
    assert value not in "".join(found)


def test_a_credential_is_one_callers_and_stands_once(tmp_path: Path) -> None:
    text = (
        "callers:\n  - {name: a, credential: [env:ONE, env:TWO], rpcs: [AuthorizationService/*]}\n"
        "  - {name: b, credential: [env:THREE], rpcs: [AuthorizationService/*]}\n"
    )
    found = problems(tmp_path, ISSUER + text, environment=dict.fromkeys(("ONE", "TWO", "THREE"), CREDENTIAL))

    assert found == [
        "usherd.yaml:7: callers[0].credential[1]: is a credential of a, too; expected each once",
        "usherd.yaml:8: callers[1].credential[0]: is a credential of a, too; expected each once",
    ]


def test_credentials_over_a_network_without_tls_are_warned_of(tmp_path: Path) -> None:
    text = ISSUER + CALLER + "insecure: {plaintext: true}\n"

    warnings = settings(tmp_path, text, environment={"NEW": CREDENTIAL}).policy.warnings
    assert "insecure.plaintext: callers' credentials may cross the network unencrypted" in warnings


def test_every_rpc_by_every_name_can_be_a_right(tmp_path: Path) -> None:
    for service, methods in RPCS.items():
        for method in methods:
            for name in {service, service.removeprefix("usher.v1.")}:
                text = f"callers: [{{name: a, credential: env:NEW, rpcs: {name}/{method}}}]\n"
                found = settings(tmp_path, ISSUER + text, environment={"NEW": CREDENTIAL})
                assert found.callers[0].rpcs == {f"/{service}/{method}"}


def test_the_file_of_the_page_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    text = page.partition("## Who may call")[2].partition("```yaml\n")[2].partition("```")[0]
    for name in ("cert.pem", "key.pem", "clients.pem"):
        (tmp_path / name).write_text("any")

    found = settings(tmp_path, ISSUER + text, environment={"SCRIPT_CREDENTIAL": CREDENTIAL})
    assert [(each.name, each.explain) for each in found.callers] == [("edge", False), ("script", True)]
