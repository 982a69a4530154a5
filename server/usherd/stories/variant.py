"""The configuration that one story is told under: the file's, with what the story changes and keys to sign with."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from usherd.config.document import Document
from usherd.config.problems import KeyPath
from usherd.config.schema_stories import SigningKey, Story
from usherd.options import BY_NAME, PRESETS
from usherd.stories.book import OpenBook, part_of
from usherd.stories.signing import ALGORITHMS

GIVEN_KEYS = ("jwks", "jwks_file", "pem_file")
"""Sources of keys that are given in full: they count beside the runner's. Others would have to be fetched."""
_ROW_KEYS = ("organizations", "teams", "users", "end_users")


def variant(
    opened: OpenBook, story: Story, place: KeyPath, options: Mapping[str, object], changed_at: KeyPath
) -> Document:
    """The policy of a story with these options, without keys; `changed_at` is where the options are said."""
    value = opened.policy.value
    if not isinstance(value, dict):
        return opened.policy
    made: dict[str, Any] = copy.deepcopy(value)
    lines = dict(opened.policy.lines)
    same_file = opened.policy.name == opened.name
    changed = _merged(made, story.policy)
    if same_file:
        written = part_of(opened.document, (*place, "policy")).lines if story.policy else {}
        lines |= {path: line for path, line in written.items() if path}
    if story.preset is not None:
        changed["preset"] = story.preset
    for name, option in options.items():
        section = _give(changed, name, option)
        lines[(section, name)] = opened.line((*changed_at, "options", name)) if same_file else 1
    return replace(opened.policy, value=changed, lines=lines)


def people(opened: OpenBook, rows: Mapping[str, Any], removed: Mapping[str, list[str]], place: KeyPath) -> Document:
    """The directory with rows that are added, or take the place of rows of the same id, and without others.

    `place` is where that is said.
    """
    value = opened.people.value
    if not isinstance(value, dict) or not (rows or any(removed.values())):
        return opened.people
    made = {**value}
    for key in (*_ROW_KEYS, *(set(rows) - set(_ROW_KEYS))):
        if not (key in rows or removed.get(key)):
            continue
        old, new = _list(value.get(key)), _list(rows.get(key))
        gone = {_id(row) for row in new} | set(removed.get(key, []))
        made[key] = [row for row in old if _id(row) not in gone] + new
    # Rows have moved: their lines would mislead.
    return Document(opened.name, opened.people.folder, made, {(): opened.line(place)})


def option_of(policy: Mapping[str, Any], name: str) -> object:
    """The value that a configuration gives an option."""
    info = BY_NAME[name]
    for section in ("insecure", "access"):
        given = policy.get(section)
        if isinstance(given, dict):
            for written in (name, name.removeprefix("access.")):
                if written in given:
                    return given[written]
    preset = policy.get("preset", "strict")
    return getattr(PRESETS.get(preset if isinstance(preset, str) else "", PRESETS["strict"]), info.attribute)


def signing_keys(
    policy: Mapping[str, Any], issuer: Mapping[str, Any], given: Mapping[str, list[SigningKey]]
) -> list[SigningKey]:
    """The keys that an issuer signs with: those that the stories name, or one of a type that the policy takes."""
    name = str(issuer.get("name"))
    if name in given:
        return given[name]
    taken = issuer.get("algorithms")
    only_rsa = option_of(policy, "keys.documents") == "reference" or (
        policy.get("preset") == "litellm" and taken is None
    )
    for key_type, algorithms in ALGORITHMS.items():
        if only_rsa and key_type != "RSA":
            continue
        if not isinstance(taken, list) or any(algorithm in taken for algorithm in algorithms):
            return [SigningKey(name=f"stories-{name}", type=key_type)]
    return [SigningKey(name=f"stories-{name}")]


def _give(policy: dict[str, Any], name: str, value: object) -> str:
    """Gives an option its value where the file has to have it, and returns the section."""
    info = BY_NAME[name]
    for section in ("insecure", "access"):
        if isinstance(policy.get(section), dict):
            shorts = (name, name.removeprefix("access.")) if section == "access" else (name,)
            policy[section] = {key: kept for key, kept in policy[section].items() if key not in shorts}
    laxer = info.guard and value != info.strict and policy.get("preset", "strict") == "strict"
    section = "insecure" if laxer else "access"
    policy[section] = {**(policy.get(section) or {}), name: value}
    return section


def _merged(value: Any, changes: Mapping[str, Any]) -> Any:
    """Mappings are merged, lists of named things by their names; null takes a key away; all else is replaced."""
    made = dict(value)
    for key, change in changes.items():
        old = made.get(key)
        if change is None:
            made.pop(key, None)
        elif isinstance(change, dict) and isinstance(old, dict):
            made[key] = _merged(old, change)
        elif key == "issuers" and isinstance(change, list) and isinstance(old, list):
            made[key] = _merged_by_name(old, change)
        else:
            made[key] = change
    return made


def _merged_by_name(old: list[Any], changes: list[Any]) -> list[Any]:
    named = {each.get("name"): each for each in changes if isinstance(each, dict)}
    kept = [_merged(each, named.pop(each.get("name"), {})) if isinstance(each, dict) else each for each in old]
    return kept + list(named.values())


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _id(row: object) -> object:
    return row.get("id") if isinstance(row, dict) else None
