"""Every option is reached by its name, and none is laxer than its preset without being named as insecure."""

from __future__ import annotations

from pathlib import Path

import pytest

from config_files import ISSUER, problems, settings
from usherd.config.opened import OPENED
from usherd.config.schema_options import value_text
from usherd.options import LITELLM, OPTIONS, STRICT, OptionInfo, with_values

GUARDS = [info for info in OPTIONS if info.guard]
READINGS = [info for info in OPTIONS if not info.guard]
LITELLM_FILE = "preset: litellm\n" + ISSUER


def named(infos: list[OptionInfo]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("info", infos, ids=[info.name for info in infos])


def line(section: str, info: OptionInfo, value: bool | str) -> str:
    return f"{section}: {{{info.name}: {value_text(value)}}}\n"


@named(GUARDS)
def test_a_guard_opens_under_insecure_alone_and_is_warned_of(tmp_path: Path, info: OptionInfo) -> None:
    refused = problems(tmp_path, ISSUER + line("access", info, info.litellm))
    policy = settings(tmp_path, ISSUER + line("insecure", info, info.litellm)).policy

    assert len(refused) == 1
    assert f"expected {value_text(info.strict)}, or insecure: {{{info.name}: {value_text(info.litellm)}}}" in refused[0]
    assert policy.options == with_values(STRICT, {info.name: info.litellm})
    assert policy.warnings == (f"insecure.{info.name}: {value_text(info.litellm)}: {OPENED[info.name]}",)


@named(GUARDS)
def test_a_guard_that_the_file_says_is_closed_is_closed(tmp_path: Path, info: OptionInfo) -> None:
    for section in ("access", "insecure"):
        policy = settings(tmp_path, ISSUER + line(section, info, info.strict)).policy

        assert policy.options == STRICT
        assert policy.warnings == ()


@named(GUARDS)
def test_a_guard_that_a_preset_opened_can_be_closed_again(tmp_path: Path, info: OptionInfo) -> None:
    text = LITELLM_FILE + line("access", info, info.strict)

    policy = settings(tmp_path, text).policy

    assert policy.options == with_values(LITELLM, {info.name: info.strict})
    assert len(policy.warnings) == len(GUARDS) - 1
    assert not any(f" {info.name}: " in warning for warning in policy.warnings)


@named(READINGS)
def test_a_reading_takes_either_value_under_either_preset(tmp_path: Path, info: OptionInfo) -> None:
    strict = settings(tmp_path, ISSUER + line("access", info, info.litellm)).policy
    reference = settings(tmp_path, LITELLM_FILE + line("access", info, info.strict)).policy

    assert strict.options == with_values(STRICT, {info.name: info.litellm})
    assert strict.warnings == ()
    assert reference.options == with_values(LITELLM, {info.name: info.strict})


@named(list(OPTIONS))
def test_an_option_refuses_what_is_neither_of_its_values(tmp_path: Path, info: OptionInfo) -> None:
    found = problems(tmp_path, ISSUER + f"access: {{{info.name}: neither}}\n")

    expected = " or ".join(map(value_text, info.values)) if isinstance(info.strict, str) else "true or false"
    assert len(found) == 1
    assert found[0].endswith(f"expected {expected}")


def test_the_words_of_access_need_no_prefix(tmp_path: Path) -> None:
    policy = settings(tmp_path, ISSUER + "access: {mapped_admin: not_admin, role_precedence: first}").policy

    assert policy.options.mapped_admin == "not_admin"
    assert policy.options.role_precedence == "first"


def test_without_a_word_every_option_is_as_the_preset_has_it(tmp_path: Path) -> None:
    strict, reference = settings(tmp_path, ISSUER).policy, settings(tmp_path, LITELLM_FILE).policy

    assert (strict.preset, strict.options, strict.warnings) == ("strict", STRICT, ())
    assert (reference.preset, reference.options) == ("litellm", LITELLM)
    assert strict.digest != reference.digest


def test_a_preset_tells_every_guard_that_it_opens(tmp_path: Path) -> None:
    warnings = settings(tmp_path, LITELLM_FILE).policy.warnings

    assert [warning.split(": ")[1] for warning in warnings] == [info.name for info in GUARDS]
    assert set(OPENED) == {info.name for info in GUARDS}


def test_options_are_part_of_the_digest(tmp_path: Path) -> None:
    digests = {settings(tmp_path, ISSUER + line("access", info, info.litellm)).policy.digest for info in READINGS}

    assert len(digests) == len(READINGS)


def test_the_gates_of_tokens_follow_their_options(tmp_path: Path) -> None:
    text = ISSUER.replace("    audiences: [api://gateway]\n", "") + "token: {max_lifetime: none}\n"
    text += "insecure: {token.require_expiry: false, token.require_audience: false, token.typ: unchecked}\n"

    (issuer,) = settings(tmp_path, text).policy.issuers

    assert issuer.token.audiences is None
    assert issuer.token.max_lifetime is None
    assert not issuer.token.require_expiry
    assert not issuer.token.other_kinds_refused


def test_how_published_keys_are_read_reaches_the_keys(tmp_path: Path) -> None:
    made = settings(tmp_path, ISSUER + "insecure: {keys.duplicate_kid: last}\n")

    assert [keys.options.duplicate_kid for keys in made.keys] == ["last"]


@pytest.mark.parametrize(
    ("text", "enforced"),
    [
        ("", False),
        ("role_permissions: [{role: team}]\n", True),
        ("role_permissions: [{role: team}]\naccess: {enforce_rbac: false}\n", False),
        ("access: {enforce_rbac: true}\n", True),
        ("preset: litellm\nrole_permissions: [{role: team}]\n", False),
        ("preset: litellm\naccess: {enforce_rbac: true, enforce_id: true}\n", True),
    ],
)
def test_permissions_are_enforced_as_soon_as_they_are_written(tmp_path: Path, text: str, enforced: bool) -> None:
    policy = settings(tmp_path, ISSUER + text).policy

    assert policy.internal_roles.enforce is enforced
    assert policy.internal_roles.enforce_id is ("enforce_id" in text)


def test_an_issuer_needs_an_audience_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    found = problems(tmp_path, ISSUER.replace("    audiences: [api://gateway]\n", ""))

    assert found == [
        "usherd.yaml:2: issuers[0].audiences: is missing; expected at least one: tokens for others would be taken, too"
    ]
