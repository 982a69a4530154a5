"""`usherd config reference` shows every key, or one, as the page has it."""

from __future__ import annotations

import pytest

from commands import usherd_here
from usherd.config.reference import parts
from usherd.options import OPTIONS


def test_without_a_key_all_keys_and_options_are_listed() -> None:
    shown = usherd_here("config", "reference").stdout.splitlines()

    assert [line.split()[0] for line in shown] == [
        *(key.path for part in parts() for key in part.keys),
        *(info.name for info in OPTIONS),
    ]


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        (
            "issuers[0].keys.refresh.removed_grace",
            ["  form     duration, 0s to 30d", "  default  3d", "  effect   when the file is read again"],
        ),
        ("removed_grace", ["issuers[].keys.refresh.removed_grace"]),
        ("server.drain", ["  effect   at the next start"]),
        ("issuers.issuer", ["  default  none: it is required"]),
        ("claims.overage", ["  strict   deny", "  litellm  ignore", "  kind     guard, laxer under litellm"]),
        ("insecure.access.unentitled", ["access.unentitled"]),
        ("unentitled", ["access.unentitled"]),
        ("issuers.claims", ["issuers[].claims"]),
    ],
)
def test_a_key_is_found_by_its_path_its_end_or_its_name(key: str, lines: list[str]) -> None:
    done = usherd_here("config", "reference", key)

    assert done.returncode == 0
    assert set(lines) <= set(done.stdout.splitlines())


def test_a_key_of_the_directory_is_asked_for_by_name() -> None:
    done = usherd_here("config", "reference", "--directory", "teams.models")

    assert done.stdout.splitlines()[0] == "teams[].models"
    assert usherd_here("config", "reference", "teams.models").returncode == 2


def test_a_key_that_is_not_there_is_exit_code_2_with_what_was_probably_meant() -> None:
    done = usherd_here("config", "reference", "remove_grace")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "usherd: there is no key remove_grace; did you mean removed_grace?\n"
