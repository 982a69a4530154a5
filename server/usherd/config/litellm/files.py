"""Reads a configuration of LiteLLM from its file, with the files that it includes, and imports it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from usherd.config.document import Document, read_document
from usherd.config.findings import there
from usherd.config.litellm.emit import to_yaml
from usherd.config.litellm.versions import Version
from usherd.config.litellm.whole import Imported, import_litellm
from usherd.config.load import load_document
from usherd.config.problems import ConfigError, KeyPath
from usherd.config.settings import Settings

INCLUDE = "include"


def import_file(path: Path, environment: Mapping[str, str], *, version: Version, ignore: Collection[str]) -> Imported:
    """The configuration that means the same as a file of LiteLLM's. Raises ConfigError."""
    source = read_litellm(path)
    value = source.value
    if not isinstance(value, Mapping):
        raise ConfigError([source.problem((), "is no configuration; expected a mapping of keys to values")])
    return import_litellm(value, environment, version=version, ignore=ignore, folder=source.folder, source=source)


def settings_of(
    imported: Imported, path: Path, environment: Mapping[str, str], *, people: Document | None = None
) -> Settings:
    """The settings of an imported configuration. Raises ConfigError with places of usherd's own file, not LiteLLM's."""
    document = Document(f"{path} (imported)", path.parent, dict(imported.document), {})
    return load_document(document, environment, people=people)


def text_of(imported: Imported, path: Path, version: Version) -> str:
    """The file that usherd loads, for people to read and to go on with."""
    header = _HEADER.format(name=path.name, version=version)
    notes = [f"Note: {note}." for note in imported.notes]
    return to_yaml(imported.document, imported.comments, "\n\n".join([header, *notes]))


_HEADER = """\
Imported from LiteLLM's {name}, read as LiteLLM {version} reads it. Under `preset: litellm` it answers as LiteLLM does.

Try it: usherd ask @token.txt /v1/chat/completions MODEL --config THIS_FILE --explain

To see what `preset: strict` would change before you switch, write `shadow: strict` under access: each difference is \
counted and logged, and the answer stays LiteLLM's. The comments below say where strict differs, and by which option; \
usherd config check lists everything that is open.

Users, teams and organizations are in LiteLLM's database, not in its file: list them in a directory file, and name it \
in directory.seed."""


def read_litellm(path: Path) -> Document:
    """The file with its includes: a list in an included file adds to the one before it, anything else replaces it.

    Raises ConfigError.
    """
    document = read_document(path, merge_keys=True)
    if not isinstance(document.value, dict) or INCLUDE not in document.value:
        return document
    named = document.value[INCLUDE]
    # What no name of a file can have (a zero byte) or should have would not even fail as a file that is not there.
    if not isinstance(named, list) or not all(isinstance(name, str) and name.isprintable() for name in named):
        raise ConfigError([document.problem((INCLUDE,), "is no list of files; expected one, as [models.yaml]")])
    value: dict[str, Any] = {key: item for key, item in document.value.items() if key != INCLUDE}
    lines: dict[KeyPath, int] = dict(document.lines)
    lost = [each for index, name in enumerate(named) for each in there((INCLUDE, index), document.folder / name)]
    if lost:
        raise ConfigError([document.problem(place, text) for place, text in lost])
    for name in named:
        other = read_document(document.folder / name, merge_keys=True).value
        for key, item in other.items() if isinstance(other, dict) else ():
            before = value.get(key)
            value[key] = [*before, *item] if isinstance(before, list) and isinstance(item, list) else item
            # Lines of another file would mislead.
            lines = {place: line for place, line in lines.items() if place[:1] != (key,)}
    return replace(document, value=value, lines=lines)
