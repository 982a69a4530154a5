"""Changes YAML by its structure: the values are changed, and written anew as JSON, which is YAML, or in blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzz.mutators import Mutate, mutate_bytes, mutate_value
from usherd.config.document import parse_document
from usherd.config.problems import ConfigError

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def yaml_mutator(values: Sequence[Any], names: Sequence[str]) -> Mutate:
    """A mutator of YAML texts; `values` are values that mean something to the reader, `names` keys that do."""

    def mutate(data: bytes, random: Random) -> bytes:
        if random.random() < 0.08:
            return mutate_bytes(data, random)
        value = read(data)
        if value is None:
            return mutate_bytes(data, random)
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            value = mutate_value(value, random, values, names)
        return written(value, blocks=random.random() < 0.05)

    return mutate


def read(data: bytes) -> Any:
    """The value of a text; None: it is no YAML, or is empty."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        pass
    try:
        return parse_document(data, "seed", Path()).value
    except ConfigError:
        return None


def written(value: Any, *, blocks: bool = False) -> bytes:
    """A text with that value."""
    if blocks:
        try:
            return yaml.dump(value, Dumper=_Dumper, sort_keys=False).encode("utf-8", "replace")  # type: ignore[no-any-return]
        except (yaml.YAMLError, RecursionError, UnicodeError):
            pass
    # A line for each top-level key, so that lines mean something.
    if isinstance(value, dict):
        inner = ",\n".join(f"{json.dumps(str(key))}: {json.dumps(item)}" for key, item in value.items())
        return f"{{{inner}}}".encode()
    return json.dumps(value).encode()
