"""The page about moving over names what is refused and set, all of it and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from litellm_files import imported, litellm
from usherd.config.litellm import REFERENCE
from usherd.config.litellm.known_keys import (
    RESTRICTING,
    RESTRICTING_JWTAUTH,
    RESTRICTING_LITELLM,
    RESTRICTING_TEAM_PARAMS,
)
from usherd.config.schema_options import value_text
from usherd.options import BY_NAME

PAGE = (Path(__file__).parents[3] / "docs" / "litellm.md").read_text("utf-8")


def _row(section: str) -> set[str]:
    (row,) = re.findall(rf"^\| `{section}` \| (.*) \|$", PAGE, re.MULTILINE)
    return {name.partition(":")[0] for name in re.findall(r"`([a-z0-9_: ]+)`", row)}


def test_every_key_that_is_refused_is_listed() -> None:
    assert _row("general_settings") == set(RESTRICTING)
    assert _row("litellm_jwtauth") == set(RESTRICTING_JWTAUTH)
    assert _row("litellm_settings") == {*RESTRICTING_LITELLM, *RESTRICTING_TEAM_PARAMS, "default_team_params"}


def test_every_option_that_an_import_for_the_newest_version_sets_is_listed_with_its_value() -> None:
    listed = re.findall(r"^\| `([a-z_]+\.?[a-z_]+)` \| ([a-z]+) \|$", PAGE, re.MULTILINE)
    newest, reference = (imported(litellm(), version=version).document["access"] for version in ("latest", REFERENCE))

    assert listed == [(name, value_text(value)) for name, value in newest.items() if name not in reference]
    assert {name for name, _ in listed} <= set(BY_NAME)
