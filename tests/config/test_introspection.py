"""What the file says of issuers that are asked about their tokens, and of what replicas share."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from config_files import ISSUER, problems, settings
from usherd.config.json_schema import json_schema
from usherd.config.settings import IntrospectionSettings, Settings, SharedCacheSettings
from usherd.config.shown import HIDDEN, as_yaml, changes, shown
from usherd.policy import IntrospectionRules

SECRET = "hunter2-" + "s" * 32
ENVIRONMENT = {"SECRET": SECRET, "KEY": "k" * 32, "CACHE": "rediss://:hunter2@cache.example:6380/1", "SHORT": "k" * 31}
SHARED = "cache: {identity_provider: 'env:CACHE', identity_provider_key: 'env:KEY'}\n"
_SECRET = 'client_secret: "env:SECRET"'


def asked(name: str, more: str = "") -> str:
    """An issuer that is asked about its tokens."""
    text = f"""\
        - name: {name}
          issuer: https://{name}.example
          audiences: [api://gateway]
          keys: {{introspection: {{url: "https://{name}.example/introspect", client_id: u, {_SECRET}{more}}}}}
        """
    return textwrap.indent(textwrap.dedent(text), "  ")


def loaded(folder: Path, *issuers: str, more: str = "") -> Settings:
    return settings(folder, "issuers:\n" + "".join(issuers) + more, environment=ENVIRONMENT)


def found(folder: Path, *issuers: str, more: str = "") -> list[str]:
    return problems(folder, "issuers:\n" + "".join(issuers) + more, environment=ENVIRONMENT)


def test_an_issuer_can_be_asked_instead_of_having_keys(tmp_path: Path) -> None:
    made = loaded(tmp_path, asked("idp"))

    assert made.keys[0].introspection == IntrospectionSettings(
        url="https://idp.example/introspect",
        client_id="u",
        client_secret=SECRET.encode(),
        client_auth="basic",
        timeout=1.0,
        cache_for=30.0,
        cache_inactive_for=5.0,
    )
    assert made.policy.issuers[0].introspection == IntrospectionRules()


@pytest.mark.parametrize(
    ("written", "prefixes"), [("true", ("",)), ("gho_", ("gho_",)), ("[gho_, ghp_]", ("gho_", "ghp_"))]
)
def test_opaque_tokens_are_all_or_those_that_begin_so(tmp_path: Path, written: str, prefixes: tuple[str, ...]) -> None:
    rules = loaded(tmp_path, asked("idp", f", opaque: {written}")).policy.issuers[0].introspection

    assert rules is not None
    assert rules.opaque_prefixes == prefixes


@pytest.mark.parametrize(
    ("one", "other"),
    [("true", "true"), ("true", "gho_"), ("gho_", "true"), ("[a, gho_]", "gho_x"), ("gho_x", "[gho_]")],
)
def test_no_two_issuers_take_the_same_opaque_tokens(tmp_path: Path, one: str, other: str) -> None:
    told = found(tmp_path, asked("idp", f", opaque: {one}"), asked("other", f", opaque: {other}"))

    assert told == [
        "usherd.yaml:9: issuers[1].keys.introspection.opaque: issuers[0] could take the same opaque tokens; expected"
        " prefixes that tell them apart"
    ]


def test_issuers_that_are_told_apart_load(tmp_path: Path) -> None:
    assert found(tmp_path, asked("a", ", opaque: gho_"), asked("b", ", opaque: [ghp_, x]"), asked("c")) == []


def test_what_only_keys_have_is_refused(tmp_path: Path) -> None:
    told = found(tmp_path, asked("idp").rstrip(" ") + "    algorithms: [RS256]\n")

    assert told == [
        "usherd.yaml:6: issuers[0].algorithms: means nothing for introspection, which has no keys; expected no such key"
    ]


def test_an_issuer_that_is_asked_has_a_name(tmp_path: Path) -> None:
    text = asked("idp").replace("https://idp.example\n", '"*"\n')
    more = "insecure: {token.require_issuer: false}\n"

    assert found(tmp_path, text, more=more) == [
        "usherd.yaml:3: issuers[0].issuer: '*' takes tokens of every issuer, and one alone would be asked; expected the"
        " exact `iss`"
    ]


def test_claims_that_may_be_missing_are_warned_of(tmp_path: Path) -> None:
    warnings = loaded(tmp_path, asked("idp", ", may_lack: [aud, exp]")).policy.warnings

    assert [warning.partition(":")[0] for warning in warnings] == ["issuers[0].keys.introspection.may_lack"] * 2
    assert loaded(tmp_path, asked("idp")).policy.warnings == ()


def test_what_is_told_of_a_policy_does_not_tell_its_client_secret(tmp_path: Path) -> None:
    """Whoever knows the file and a digest could try secrets: nothing says how good this one is."""
    told = {
        (policy.digest, policy.issuers[0].digest)
        for secret in ("one", "other")
        if (policy := settings(tmp_path, "issuers:\n" + asked("idp"), environment={"SECRET": secret}).policy)
    }

    assert len(told) == 1


def test_whoever_is_asked_otherwise_is_another_issuer(tmp_path: Path) -> None:
    texts = [asked("idp"), asked("idp", ", cache_for: 1s"), asked("idp").replace("client_id: ", "client_id: other-")]

    assert len({loaded(tmp_path, text).policy.issuers[0].digest for text in texts}) == 3


def test_no_secret_is_shown(tmp_path: Path) -> None:
    made = loaded(tmp_path, asked("idp"), more=SHARED)
    text = as_yaml(shown(made))

    assert "hunter2" not in text + repr(made)
    assert ENVIRONMENT["KEY"] not in text + repr(made)
    assert text.count(HIDDEN) == 3


def test_another_secret_is_a_change_that_is_not_shown(tmp_path: Path) -> None:
    before = loaded(tmp_path, asked("idp"))
    after = settings(tmp_path, "issuers:\n" + asked("idp"), environment={"SECRET": "other"})

    assert [(each.key, each.removed, each.added) for each in changes(before, after)] == [
        ("keys.idp.introspection.client_secret", (HIDDEN,), (HIDDEN,))
    ]


def test_what_replicas_share_may_have_its_password_in_the_environment(tmp_path: Path) -> None:
    made = settings(tmp_path, ISSUER + SHARED, environment=ENVIRONMENT)

    assert made.shared_cache == SharedCacheSettings(url=ENVIRONMENT["CACHE"], key=b"k" * 32)
    assert made.policy.warnings == ()


@pytest.mark.parametrize(("host", "warned"), [("cache.example", 1), ("127.0.0.1", 0), ("[::1]", 0), ("localhost", 0)])
def test_a_cache_without_tls_is_warned_of_beyond_this_machine(tmp_path: Path, host: str, warned: int) -> None:
    made = settings(tmp_path, ISSUER + SHARED, environment=ENVIRONMENT | {"CACHE": f"redis://{host}:6379"})

    assert len(made.policy.warnings) == warned


@pytest.mark.parametrize("url", ["https://hunter2@cache.example", "redis://hunter2:x@", "redis://[hunter2", "hunter2"])
def test_a_wrong_address_is_not_repeated(tmp_path: Path, url: str) -> None:
    told = problems(tmp_path, ISSUER + SHARED, environment=ENVIRONMENT | {"CACHE": url})

    assert len(told) == 1
    assert told[0].startswith("usherd.yaml:6: cache.identity_provider: ")
    assert "hunter2" not in told[0]


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    told = problems(tmp_path, ISSUER + SHARED.replace("env:KEY", "env:SHORT"), environment=ENVIRONMENT)

    assert told == [
        "usherd.yaml:6: cache.identity_provider_key: is too short; expected at least 32 bytes: whoever sees what is"
        " shared could find a short one by trying"
    ]


def test_the_schema_knows_them() -> None:
    schema = json_schema()

    assert schema["$defs"]["Keys"]["properties"]["introspection"]["$ref"] == "#/$defs/Introspection"
    assert schema["$defs"]["Introspection"]["required"] == ["url", "client_id", "client_secret"]
    assert schema["$defs"]["Cache"]["properties"]["identity_provider"]["default"] == "memory"
