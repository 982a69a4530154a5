"""Says of every key of a file what may stand there: read off the models, so that none is missing and none is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic.fields import FieldInfo

from usherd.config.fields import Section
from usherd.config.forms import default_text, form_of
from usherd.config.json_schema import json_schema
from usherd.config.schema import File
from usherd.config.schema_directory import DirectoryFile
from usherd.config.schema_options import SHORT_PREFIX
from usherd.options import BY_NAME

ONLY_AT_START = (
    "server",
    "telemetry",
    "envoy",
    "insecure.plaintext",
    "insecure.remote_metrics",
    "directory.url",
    "directory.max_staleness",
    "cache.entities",
)
"""Keys, with all below them, that take effect when the server starts. All others do when the file is read again."""
AT_ONCE = frozenset({"server.explanations", "server.health"})
"""Keys below those that take effect when the file is read again all the same. A test holds both to what reloads do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key that a mapping may have."""

    path: str
    """From the top of the file, as `issuers[].keys.refresh.every`; `[]` is each member of a list, `NAME` a name."""
    form: str
    """What may stand there, in an operator's words, with the bounds."""
    default: str
    """What counts where the key is left out; empty where that is nothing, or is said by the meaning."""
    required: bool
    at_start: bool
    """Whether it takes effect only when the server starts."""
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One mapping of a file, and the keys that it may have."""

    path: str
    """Empty: the file itself."""
    meaning: str
    keys: tuple[Key, ...]
    """Without the options of `options.py`, which are told once for `access` and `insecure` together."""


def parts(*, directory: bool = False) -> list[Part]:
    """The mappings of a configuration or of a directory file, each before those within it."""
    schema = json_schema(directory=directory)
    return list(_parts(DirectoryFile if directory else File, "", schema))


def _parts(kind: type[Section], path: str, root: Mapping[str, Any]) -> Iterator[Part]:
    mapping = root if path == "" else root["$defs"][kind.__name__]
    keys, within = [], []
    for name, field in kind.model_fields.items():
        key = field.alias or name
        if _is_option(key, kind):
            continue
        value = mapping["properties"][key]
        where = f"{path}.{key}" if path else key
        inner = _section_in(field.annotation)
        said = value.get("description") or (_said_of(inner) if inner else "")
        keys.append(_key(where, value, field, said))
        if inner is not None:
            within.append((inner, where + _each(value)))
    yield Part(path=path, meaning=_said_of(kind), keys=tuple(keys))
    for inner, where in within:
        yield from _parts(inner, where, root)


def _key(path: str, value: Mapping[str, Any], field: FieldInfo, meaning: str) -> Key:
    default = field.get_default(call_default_factory=True)
    return Key(
        path=path,
        form=form_of(value),
        default="" if field.is_required() else default_text(default, value),
        required=field.is_required(),
        at_start=takes_a_start(path),
        meaning=meaning,
    )


def takes_a_start(path: str) -> bool:
    """Whether a key takes effect only when the server starts."""
    below = any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in ONLY_AT_START)
    return below and path not in AT_ONCE


def _is_option(key: str, kind: type[Section]) -> bool:
    return kind.__name__ in ("Access", "Insecure") and (key in BY_NAME or SHORT_PREFIX + key in BY_NAME)


def _section_in(annotation: Any) -> type[Section] | None:
    """The mapping that a key holds, or each member of its list, or each value by name."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, Section) else None
    return next((found for each in get_args(annotation) if (found := _section_in(each))), None)


def _said_of(kind: type[Section]) -> str:
    return re.sub(r"\s+", " ", kind.__doc__ or "").strip()


def _each(value: Mapping[str, Any]) -> str:
    if value.get("type") == "array" or any(each.get("type") == "array" for each in value.get("anyOf", ())):
        return "[]"
    return ".NAME" if isinstance(value.get("additionalProperties"), dict) else ""
