"""The reference has every key as it is, says when it takes effect, and takes new keys without a change of its own."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field

from config_files import ISSUER, settings
from usherd import reloads
from usherd.config.fields import CachedTokens, Drain, Money, Section, Text, TokenSize
from usherd.config.forms import default_text, form_of
from usherd.config.json_schema import json_schema
from usherd.config.problems import ConfigError
from usherd.config.reference import ONLY_AT_START, Key, parts, takes_a_start
from usherd.config.schema_options import value_text
from usherd.config.shown import changes
from usherd.options import OPTIONS

PAGES = Path(__file__).parents[2] / "docs" / "reference"
CONFIGURATION, DIRECTORY = ((PAGES / name).read_text("utf-8") for name in ("configuration.md", "directory.md"))


def paths(schema: Mapping[str, Any], value: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Every key of a JSON schema by its path, found without the models."""
    for each in (value, *value.get("anyOf", ())):
        if "$ref" in each:
            yield from paths(schema, schema["$defs"][each["$ref"].rpartition("/")[2]], path)
        elif "items" in each:
            yield from paths(schema, each["items"], f"{path}[]")
        elif isinstance(each.get("additionalProperties"), dict):
            yield from paths(schema, each["additionalProperties"], f"{path}.NAME")
        for key, inner in each.get("properties", {}).items():
            where = f"{path}.{key}" if path else key
            yield where
            yield from paths(schema, inner, where)


@pytest.mark.parametrize(("page", "directory"), [(CONFIGURATION, False), (DIRECTORY, True)])
def test_every_key_of_the_schema_is_on_the_page(page: str, directory: bool) -> None:
    schema = json_schema(directory=directory)
    listed = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    options = {
        f"{place}.{name}" for info in OPTIONS for name in _written(info.name) for place in ("access", "insecure")
    }

    # One rule may stand there without the list around it, which the page says once.
    found = {path.replace("[]", "") for path in paths(schema, schema)}
    assert found - {path.replace("[]", "") for path in listed} - options == set()
    assert len(listed) == len(set(listed)) > 30


def _written(option: str) -> set[str]:
    return {option, option.removeprefix("access.")}


def test_every_option_is_listed_in_its_order_with_its_values_kind_and_meaning() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (\S+) \| (\S+) \| (guard|reading) \| (.*) \|$", CONFIGURATION, re.MULTILINE)

    assert rows == [
        (
            info.name,
            value_text(info.strict),
            value_text(info.litellm),
            "guard" if info.guard else "reading",
            info.meaning,
        )
        for info in OPTIONS
    ]


@pytest.mark.parametrize(
    "row",
    [
        "| `issuers[].keys.refresh.every` | duration, 10s to 1d | `10m` | From one refresh to the next, at most. |",
        "| `issuers[].name` | text | required | What the rest of the file calls it. |",
        "| `token.max_size` | size, 512B to 64KiB | `8KiB` | The longest token, as it is sent. |",
        "| `issuers[].claims.email` | text or null | `email` | The user's e-mail address. |",
        "| `server.reflection` | auto, on or off | `auto` | gRPC reflection; auto: on loopback only. **start** |",
    ],
)
def test_forms_bounds_and_defaults_are_in_an_operators_words(row: str) -> None:
    assert row in CONFIGURATION.splitlines()


def test_every_meaning_is_said() -> None:
    said = [(key.path, key.meaning) for kind in (False, True) for part in parts(directory=kind) for key in part.keys]

    assert [path for path, meaning in said if not meaning] == []
    assert [part.path for kind in (False, True) for part in parts(directory=kind) if not part.meaning] == []


class Below(Section):
    """What one of them has."""

    wait: Drain = Field(default=1.5, description="How long.")
    spend: Money = Field(default=2_500_000, description="How much.")


class New(Section):
    """Keys of every kind, as a later version may have them."""

    many: list[Below] = Field(default_factory=list, description="Several.")
    named: dict[Text, Below] = Field(default_factory=dict, description="Several by name.")
    count: CachedTokens = Field(default=7, description="How many.")
    size: TokenSize = Field(default=1024, description="How large.")
    others: dict[str, Any] | None = Field(default=None, description="Anything.")
    ratio: float = Field(default=0.5, ge=0, le=1, description="A share.")
    least: int = Field(default=3, ge=2, description="From two on.")


FORMS = {
    "many": ("list of mappings", "[]"),
    "named": ("mapping of names to mappings", "{}"),
    "count": ("whole number, 1 to 10000000", "7"),
    "size": ("size, 512B to 64KiB", "1KiB"),
    "others": ("mapping or null", ""),
    "ratio": ("number, 0 to 1", "0.5"),
    "least": ("whole number, 2 or more", "3"),
}


@pytest.mark.parametrize("key", FORMS)
def test_a_key_that_is_added_later_has_its_words_already(key: str) -> None:
    value = New.model_json_schema()["properties"][key]
    default = New.model_fields[key].get_default(call_default_factory=True)

    assert (form_of(value), default_text(default, value)) == FORMS[key]


def test_money_and_times_have_their_units() -> None:
    values = Below.model_json_schema()["properties"]

    assert default_text(1.5, values["wait"]) == "1500ms"
    assert default_text(2_500_000, values["spend"]) == "2.5"


def other(key: Key) -> object:
    """Another value than the default, where the form says what there is; None elsewhere."""
    form, _, bounds = key.form.partition(", ")
    if form == "true or false":
        return key.default != "true"
    if form in ("duration", "size"):
        return bounds.partition(" to ")[0]
    if form == "whole number":
        least = bounds.partition(" to ")[0]
        return int(least) + (least == key.default)
    if " or " in key.form and key.default in (words := re.split(r", | or ", key.form)):
        return next(word for word in words if word != key.default)
    return {"text": "127.0.0.1:1"}.get(form) if key.path == "server.address" else None


SIMPLE = [key for part in parts() if "[]" not in part.path and "NAME" not in part.path for key in part.keys]
CHANGES = [(key, other(key)) for key in SIMPLE if other(key) is not None]


def test_most_simple_keys_are_tried() -> None:
    tried = {key.path for key, _ in CHANGES}

    assert len(tried) > 25
    assert {"server.drain", "server.reflection", "server.limits.deadline", "telemetry.level"} <= tried
    assert {"cache.ttl", "insecure.plaintext", "insecure.loopback_http", "teams.required", "hooks.pure"} <= tried


BESIDE: dict[str, Any] = {
    "telemetry.decision_log.stdout": {},
    "telemetry.decision_log.": {"telemetry": {"decision_log": {"file": "decisions.jsonl"}}},
    "telemetry.traces.": {"telemetry": {"traces": {"endpoint": "http://localhost:4317"}}},
    "directory.max_staleness": {"directory": {"url": "sqlite:///directory.db"}},
    "cache.entities": {"directory": {"url": "sqlite:///directory.db"}},
    "insecure.remote_metrics": {"telemetry": {"metrics": "127.0.0.1:9464"}},
}
"""What must be there for keys that mean something only beside others."""


@pytest.mark.parametrize(("key", "value"), CHANGES, ids=[key.path for key, _ in CHANGES])
def test_the_reference_says_when_a_key_takes_effect(key: Key, value: object, tmp_path: Path) -> None:
    beside = next((each for path, each in BESIDE.items() if key.path.startswith(path)), {})
    document = yaml.safe_load(ISSUER) | copy.deepcopy(beside)
    before = yaml.safe_dump(document)
    place = document
    *way, last = key.path.split(".")
    for step in way:
        place = place.setdefault(step, {})
    place[last] = value

    try:
        changed = changes(settings(tmp_path, before), settings(tmp_path, yaml.safe_dump(document)))
    except ConfigError:
        changed = []  # some values need others beside them

    assert {reloads.takes_a_start(each.key) for each in changed} <= {key.at_start}
    assert changed or not key.at_start


def test_a_key_below_one_that_takes_a_start_takes_one_too() -> None:
    assert all(takes_a_start(path) for path in (*ONLY_AT_START, "server.limits.deadline", "telemetry.sinks[].url"))
    assert not any(
        takes_a_start(path) for path in ("servers", "insecure.plaintext_http", "cache.ttl", "server.health", "")
    )
