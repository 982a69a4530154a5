"""Gives values a digest that is the same wherever and whenever the same values are loaded."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path

from usherd.config.read_files import about_to_read

_MAX_FILE = 8 * 1024 * 1024
"""Bytes: more than any file of keys may have where it is used."""


def digest(value: object) -> str:
    """SHA-256 over the canonical form of a value, as hex. Secrets take part in it, but cannot be read from it."""
    return hashlib.sha256(_text(_canonical(value)).encode()).hexdigest()


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _canonical(value: object) -> object:
    """The value as JSON with its types: sets in a fixed order, mappings by key, files by their content."""
    if is_dataclass(value) and not isinstance(value, type):
        members = {each.name: _canonical(getattr(value, each.name)) for each in fields(value)}
        return {"is": type(value).__name__, "of": members}
    if isinstance(value, Mapping):
        return {"is": "mapping", "of": {str(key): _canonical(item) for key, item in value.items()}}
    if isinstance(value, set | frozenset):
        return {"is": "set", "of": sorted((_canonical(item) for item in value), key=_text)}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, Enum):
        return {"is": type(value).__name__, "of": value.name}
    if isinstance(value, bytes):
        # A plain hash would be one that somebody may have seen elsewhere.
        return {"is": "secret", "of": hmac.new(value, b"usherd digest", hashlib.sha256).hexdigest()}
    if isinstance(value, Path):
        about_to_read(value)
        with value.open("rb") as file:
            return {"is": "file", "of": hashlib.sha256(file.read(_MAX_FILE)).hexdigest()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"no canonical form: {type(value).__name__}")
