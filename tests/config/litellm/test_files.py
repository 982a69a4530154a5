"""LiteLLM's files are read with what LiteLLM allows in them, and mistakes have their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from litellm_files import KEYS, read
from usherd.config.litellm import LATEST
from usherd.config.litellm.files import import_file, read_litellm, settings_of, text_of
from usherd.config.problems import ConfigError

HEAD = "general_settings:\n  enable_jwt_auth: true\n"


def _problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as found:
        import_file(path, KEYS, version=LATEST, ignore=())
    return [str(problem).replace(f"{path.parent}/", "") for problem in found.value.problems]


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(HEAD + "  litellm_jwtauth:\n    admin_jwt_scope: 5\n  allowed_ips: [10.0.0.1]\n")

    assert [line.partition(": ")[0] for line in _problems(file)] == ["config.yaml:4", "config.yaml:5"]


def test_anchors_and_merge_keys_are_read(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        HEAD + "model_list:\n  - &m {model_name: a, litellm_params: {model: openai/a}}\n  - {<<: *m, model_name: b}\n"
    )

    found = import_file(file, KEYS, version=LATEST, ignore=())

    assert [model["name"] for model in found.document["models"]] == ["a", "b"]


def test_included_files_add_to_lists_and_replace_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "include: [models.yaml, sub/more.yaml]\nmodel_list: [{model_name: a, litellm_params: {}}]\nlitellm_settings:"
        " {max_budget: 1}\n" + HEAD
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "models.yaml").write_text("model_list: [{model_name: b, litellm_params: {}}]\n")
    (tmp_path / "sub" / "more.yaml").write_text("litellm_settings: {max_budget: 2}\n")

    found = import_file(file, KEYS, version=LATEST, ignore=())

    assert [model["name"] for model in found.document["models"]] == ["a", "b"]
    assert found.document["budgets"]["global"]["max"] == 2


INCLUDES = {
    "a file that is not there": (
        "include: [none.yaml]\n",
        "config.yaml:1: include[0]: cannot be read; expected a file, relative to this one",
    ),
    "no list": (
        "include: models.yaml\n",
        "config.yaml:1: include: is no list of files; expected one, as [models.yaml]",
    ),
    "what no file is called": (
        'include: ["a\\0b.yaml"]\n',
        "config.yaml:1: include: is no list of files; expected one, as [models.yaml]",
    ),
    "no configuration": ("[]\n", "config.yaml:1: is no configuration; expected a mapping of keys to values"),
}


@pytest.mark.parametrize(("text", "says"), INCLUDES.values(), ids=INCLUDES.keys())
def test_what_cannot_be_read_is_told(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)

    assert _problems(file) == [says]


def test_a_line_of_an_included_file_is_not_taken_for_one_of_this(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("include: [models.yaml]\nmodel_list: []\n" + HEAD)
    (tmp_path / "models.yaml").write_text("\n\n\nmodel_list: [{}]\n")

    assert read_litellm(file).lines.get(("model_list", 0)) is None
    assert _problems(file) == ["config.yaml:1: model_list[0]: has no model_name; expected the name that requests have"]


def test_the_text_loads_as_the_document_does(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(HEAD + "  litellm_jwtauth: {team_ids_jwt_field: groups}\n")

    found = import_file(file, KEYS, version=LATEST, ignore=())
    text = text_of(found, file, LATEST)

    assert read(text) == found.document
    assert text.startswith("# Imported from LiteLLM's config.yaml, read as LiteLLM latest reads it.")
    assert settings_of(found, file, KEYS).policy.teams.routes != ()


def test_what_usherd_refuses_is_told_by_its_own_key(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(HEAD + "litellm_settings: {max_budget: -1}\n")

    found = import_file(file, KEYS, version=LATEST, ignore=())
    with pytest.raises(ConfigError) as refused:
        settings_of(found, file, KEYS)

    assert "config.yaml (imported):1: budgets.global.max: is no amount of money" in str(refused.value)
