"""Models that a store keeps beside those of the configuration, which wins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from config_files import ISSUER, problems, settings
from usherd.config.catalogue import MAX_KEPT_MODELS, Catalogued, Cause, with_kept_models
from usherd.config.settings import Settings
from usherd.policy import CatalogueModel
from usherd.store import ModelRow

FILE = """\
models:
  - {name: gpt-4o, aliases: [big], groups: [fast]}
  - {name: openai/*, provider: openai, groups: [costly]}
model_aliases: {small: tiny}
"""


def made(folder: Path, more: str = FILE) -> Settings:
    return settings(folder, ISSUER + more)


def causes(found: Catalogued) -> list[tuple[str, str, Cause]]:
    return [tuple(each) for each in found.left_aside]  # type: ignore[misc]


def test_models_of_the_store_come_beside_those_of_the_file(tmp_path: Path) -> None:
    found = made(tmp_path)
    rows = [ModelRow(name="o3", provider="p", groups=("g",), aliases=("o",), revision="7"), ModelRow(name="tiny")]

    catalogued = with_kept_models(found, rows)

    added = (CatalogueModel(name="o3", provider="p", groups=("g",), aliases=("o",)), CatalogueModel(name="tiny"))
    assert catalogued.settings.policy.models == (*found.policy.models, *added)
    assert (catalogued.kept, catalogued.left_aside) == (2, ())


def test_without_any_the_configuration_is_as_it_was(tmp_path: Path) -> None:
    found = made(tmp_path)

    assert with_kept_models(found, []).settings == found


@pytest.mark.parametrize(
    ("row", "left_aside"),
    [
        (ModelRow(name="gpt-4o", groups=("free",)), ("gpt-4o", "", Cause.CONFIGURED)),
        (ModelRow(name="big"), ("big", "", Cause.CONFIGURED)),
        (ModelRow(name="small"), ("small", "", Cause.CONFIGURED)),
        # A pattern of the file says already which groups these are in.
        (ModelRow(name="openai/o3", groups=("free",)), ("openai/o3", "", Cause.CONFIGURED)),
        (ModelRow(name="openai/o*", groups=("free",)), ("openai/o*", "", Cause.CONFIGURED)),
        (ModelRow(name="*/o3", groups=("free",)), ("*/o3", "", Cause.CONFIGURED)),
        (ModelRow(name="op*", groups=("free",)), ("op*", "", Cause.CONFIGURED)),
        (ModelRow(name="all-proxy-models"), ("all-proxy-models", "", Cause.MALFORMED)),
        (ModelRow(name="no name"), ("no name", "", Cause.MALFORMED)),
        (ModelRow(name="x" * 257), ("x" * 257, "", Cause.MALFORMED)),
    ],
)
def test_what_the_configuration_has_and_what_nobody_can_ask_for_is_left_aside(
    tmp_path: Path, row: ModelRow, left_aside: tuple[str, str, Cause]
) -> None:
    found = made(tmp_path)

    catalogued = with_kept_models(found, [row])

    assert (catalogued.settings, catalogued.kept) == (found, 0)
    assert causes(catalogued) == [left_aside]


@pytest.mark.parametrize(
    ("alias", "cause"),
    [
        ("gpt-4o", Cause.CONFIGURED),
        ("big", Cause.CONFIGURED),
        ("small", Cause.CONFIGURED),
        ("openai/o3", Cause.CONFIGURED),
        ("tiny", Cause.TARGET),
        ("no-default-models", Cause.MALFORMED),
        ("a*", Cause.MALFORMED),
        ("o3", Cause.KEPT),
        ("o", Cause.KEPT),
    ],
)
def test_an_alias_that_means_something_already_is_left_aside_and_the_model_stays(
    tmp_path: Path, alias: str, cause: Cause
) -> None:
    rows = [ModelRow(name="o3", aliases=("o",)), ModelRow(name="own", aliases=(alias, "mine"))]

    catalogued = with_kept_models(made(tmp_path), rows)

    assert catalogued.settings.policy.models[-1] == CatalogueModel(name="own", aliases=("mine",))
    assert causes(catalogued) == [("own", alias, cause)]


def test_a_pattern_has_no_aliases_and_others_than_the_files_are_taken(tmp_path: Path) -> None:
    catalogued = with_kept_models(made(tmp_path), [ModelRow(name="azure/*", aliases=("az",), groups=("g",))])

    assert catalogued.settings.policy.models[-1] == CatalogueModel(name="azure/*", groups=("g",))
    assert causes(catalogued) == [("azure/*", "az", Cause.MALFORMED)]


def test_the_digest_is_of_configuration_and_models_alone(tmp_path: Path) -> None:
    found = made(tmp_path)
    rows = [ModelRow(name="o3", revision="7"), ModelRow(name="o4", groups=("g",))]
    again = [replace(rows[1], revision="9"), replace(rows[0], revision="8")]

    digests = [with_kept_models(found, each).settings.policy.digest for each in (rows, again, rows[:1], [])]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert digests[3] == found.policy.digest


def test_a_candidate_policy_knows_the_models_too(tmp_path: Path) -> None:
    found = made(tmp_path, FILE + "access: {shadow: litellm}\n")

    shadow = with_kept_models(found, [ModelRow(name="o3")]).settings.shadow

    assert shadow is not None
    assert found.shadow is not None
    assert shadow.models[-1] == CatalogueModel(name="o3")
    assert shadow.digest != found.shadow.digest


def test_of_too_many_the_first_by_name_are_taken_and_it_is_told(tmp_path: Path) -> None:
    rows = [ModelRow(name=f"m{number:05d}") for number in range(MAX_KEPT_MODELS + 1)]

    catalogued = with_kept_models(made(tmp_path), rows[::-1])

    assert catalogued.kept == MAX_KEPT_MODELS
    assert catalogued.settings.policy.models[-1].name == f"m{MAX_KEPT_MODELS - 1:05d}"
    assert causes(catalogued) == [(f"m{MAX_KEPT_MODELS:05d}", "", Cause.TOO_MANY)]


GROUP = "roles: [{name: r, when: {roles: [r]}, grants: {models: [access-group/fast], routes: [/v1/models]}}]\n"


def test_a_group_may_be_one_of_the_databases_where_there_is_one_and_is_told(tmp_path: Path) -> None:
    kept = 'directory: {url: "sqlite:///usher.db"}\n'

    assert any("access group" in each for each in problems(tmp_path, ISSUER + GROUP))
    warnings = [each for each in made(tmp_path, GROUP + kept).policy.warnings if "access group" in each]
    assert len(warnings) == 1
    assert warnings[0].endswith("unless the database has it")
