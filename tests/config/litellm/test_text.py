"""What is written can be read again, by usherd and by people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from litellm_files import KEYS, imported, litellm, read
from usherd.config.document import parse_document
from usherd.config.litellm.emit import WIDTH, to_yaml
from usherd.config.litellm.files import text_of

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
ODD = (
    *("yes", "on", "NULL", "~", "", " ", "1", "1e5", ".5", "0x1f", "2026-01-01", "10m", "<<", "="),
    *("a: b", "- a", "#", "a #b", "*a", "&a", "!a", "?", "\u2028", "\x85", "\ufeff"),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(ODD)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5))
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    assert read(to_yaml(document, {}, "head")) == document


def test_a_merge_key_in_quotes_is_a_name_like_others() -> None:
    document = {"<<": {"a": 1}}

    assert read(to_yaml(document, {}, "head")) == document
    assert parse_document(b'"<<": {a: 1}', "x.yaml", Path(), merge_keys=True).value == document


@given(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), TEXTS)
def test_a_comment_changes_nothing(document: dict[str, Any], comment: str) -> None:
    places: dict[tuple[str | int, ...], str] = {(key,): comment for key in document}
    places |= {(key, 0): comment for key in document} | {(key, 0, name): comment for key in document for name in "ab"}

    assert read(to_yaml(document, places, comment)) == document


def test_a_file_is_laid_out_for_people() -> None:
    document = {
        "name": "x",
        "empty": {},
        "list": ["a", "b c", 1, True, None],
        "long": ["x" * 60, "y" * 60],
        "rules": [{"one": 1, "two": {"three": []}}, {"four": ["a"]}],
    }
    comments: dict[tuple[str | int, ...], str] = {
        ("name",): "The name.",
        ("rules", 0): "The first rule.",
        ("rules", 1, "four"): "Four.",
    }

    assert to_yaml(document, comments, "Head\n\nline") == (
        "# Head\n#\n# line\n\n"
        "# The name.\nname: x\n"
        "empty: {}\n"
        'list: [a, "b c", 1, true, null]\n'
        f"long:\n  - {'x' * 60}\n  - {'y' * 60}\n"
        "rules:\n"
        "  # The first rule.\n  - one: 1\n    two:\n      three: []\n"
        "  # Four.\n  - four: [a]\n"
    )


def test_no_line_is_longer_than_a_screen_unless_one_value_is() -> None:
    text = text_of(imported(litellm({"user_id_jwt_field": "sub"})), Path("config.yaml"), "latest")

    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.BaseLoader])
def test_other_readers_of_yaml_read_the_same_texts(loader: type) -> None:
    document = {"yes": ["no", "on", "null", "1", "2026-01-01", "1_000", "0o7", "=", "ü"]}

    assert yaml.load(to_yaml(document, {}, "head"), loader) == document


SECRETS = litellm(
    None,
    master_key="sk-very-secret-0123456789abcdef0123456789",
    database_url="postgresql://user:very-secret@db/x",
) | {
    "model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m", "api_key": "sk-very-secret"}}],
    "environment_variables": {"OPENAI_API_KEY": "sk-very-secret", "LITELLM_MASTER_KEY": "sk-very-secret" + "0" * 32},
}


def test_no_secret_is_in_the_file_or_in_a_note() -> None:
    found = imported(SECRETS, KEYS | {"OTHER": "very-secret"})

    assert "very-secret" not in text_of(found, Path("config.yaml"), "latest") + repr(found)
