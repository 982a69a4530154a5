"""The shadow is the policy that a file would be under another preset, or another file for the same issuers."""

from __future__ import annotations

from pathlib import Path

import pytest

from config_files import ISSUER, TWO_ISSUERS, problems, settings
from usherd.options import LITELLM, STRICT, with_values

LITELLM_FILE = "preset: litellm\n" + ISSUER


def test_there_is_no_shadow_unless_one_is_named(tmp_path: Path) -> None:
    assert settings(tmp_path, ISSUER).shadow is None
    assert settings(tmp_path, ISSUER + "access: {shadow: null}").shadow is None


def test_the_shadow_of_litellm_is_what_strict_would_be(tmp_path: Path) -> None:
    rest = "role_permissions: [{role: team, routes: [openai_routes]}]\n"
    made = settings(tmp_path, LITELLM_FILE + rest + "access: {shadow: strict}\n")
    strict = settings(tmp_path, ISSUER + rest).policy

    assert made.policy.options == LITELLM
    assert made.shadow is not None
    assert made.shadow.options == STRICT
    assert made.shadow.preset == "strict"
    assert made.shadow.internal_roles == strict.internal_roles
    assert made.shadow.users == strict.users
    assert made.shadow.issuers[0].token == strict.issuers[0].token
    assert made.shadow.digest != made.policy.digest


def test_the_shadow_of_strict_may_be_litellm(tmp_path: Path) -> None:
    made = settings(tmp_path, ISSUER + "access: {shadow: litellm}\n")

    assert made.policy.options == STRICT
    assert made.policy.warnings == ()
    assert made.shadow is not None
    assert made.shadow.options == LITELLM


def test_a_strict_shadow_closes_what_insecure_opens_and_keeps_readings(tmp_path: Path) -> None:
    text = ISSUER + "access: {shadow: strict, user.unknown: refused}\ninsecure: {access.unentitled: allow}\n"

    made = settings(tmp_path, text)

    assert made.policy.options.unentitled == "allow"
    assert made.shadow is not None
    assert made.shadow.options == with_values(STRICT, {"user.unknown": "refused"})


def test_what_litellm_closed_stays_closed_and_what_it_repeats_opens_nothing(tmp_path: Path) -> None:
    text = LITELLM_FILE + "access: {shadow: strict, access.unentitled: allow, user.blocked: enforced}\n"

    made = settings(tmp_path, text)

    assert made.shadow is not None
    assert made.shadow.options == STRICT


NEEDED = {
    "every issuer": ("issuer: https://idp.example", "issuer: '*'", "", {"token.require_issuer": False}),
    "no audience": ("    audiences: [api://gateway]\n", "", "", {"token.require_audience": False}),
    "no lifetime": ("", "", "token: {max_lifetime: none}\n", {"token.require_expiry": False}),
    "everybody is written": (
        "",
        "",
        "users: {provision: {when: {always: true}}}\n",
        {"user.provision": "before"},
    ),
    "two permissions": (
        "",
        "",
        "role_permissions: [{role: team}, {role: team}]\n",
        {"access.role_precedence": "first"},
    ),
    "other texts": ("", "", "users: {routes: ['no route']}\n", {"route.match": "literal"}),
}


@pytest.mark.parametrize(("old", "new", "rest", "kept"), NEEDED.values(), ids=NEEDED)
def test_a_strict_shadow_keeps_what_the_file_cannot_do_without(
    tmp_path: Path, old: str, new: str, rest: str, kept: dict[str, bool | str]
) -> None:
    issuer = ISSUER.replace("discovery: true", "jwks_url: https://idp.example/keys")
    text = "preset: litellm\n" + (issuer.replace(old, new) if old else issuer) + rest + "access: {shadow: strict}\n"

    made = settings(tmp_path, text)

    assert made.shadow is not None
    assert made.shadow.options == with_values(STRICT, kept)


def test_the_shadow_may_be_another_file_for_the_same_issuers(tmp_path: Path) -> None:
    (tmp_path / "next.yaml").write_text(ISSUER + "users: {routes: [/v1/models]}\n")

    made = settings(tmp_path, ISSUER + "access: {shadow: next.yaml}\n")

    assert made.shadow is not None
    assert made.shadow.users.routes == ("/v1/models",)
    assert made.policy.users.routes == ()


def test_a_shadow_for_other_issuers_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "next.yaml").write_text(TWO_ISSUERS)

    found = problems(tmp_path, ISSUER + "access: {shadow: next.yaml}\n")

    assert found == [
        "usherd.yaml:6: access.shadow: has the issuers idp and other; expected those of this file, idp",
    ]


def test_the_mistakes_of_a_shadow_are_told_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "next.yaml").write_text(ISSUER + "users: {routes: [nowhere]}\n")

    found = problems(tmp_path, ISSUER + "access: {shadow: next.yaml}\n")

    assert len(found) == 1
    assert found[0].startswith("next.yaml:6: users.routes[0]: 'nowhere' is no route")


def test_a_shadow_has_none_of_its_own(tmp_path: Path) -> None:
    found = problems(tmp_path, ISSUER + "access: {shadow: usherd.yaml}\n")

    assert found == ["usherd.yaml:6: access.shadow: a shadow has no shadow of its own; expected no such key"]
