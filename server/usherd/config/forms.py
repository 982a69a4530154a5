"""Puts the form of a value, and its default, into an operator's words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from usherd.config.fields import NO_BOUND, Section
from usherd.config.problems import one_of
from usherd.config.scalars import duration_text, size_text
from usherd.config.schema_options import value_text

_DURATION, _SIZE = "(ms|s|m|h|d)", "(B|KiB|MiB)"
_NO_BOUND_AT_ALL = 2**53
"""A bound that only keeps numbers exact in JSON."""
_TYPES = {"string": "text", "boolean": "true or false", "integer": "whole number", "number": "number"}


def form_of(schema: Mapping[str, Any]) -> str:
    """What may stand there, by the JSON schema of the value, with its bounds."""
    bounds = _bounds(schema)
    return f"{_form(schema)}, {bounds}" if bounds else _form(schema)


def default_text(default: object, schema: Mapping[str, Any]) -> str:
    """A default as the file would write it; empty for none, and for mappings, whose keys have their own."""
    if default is None:
        return "all" if {"const": "all"} in schema.get("anyOf", ()) else ""
    if isinstance(default, Section):
        return ""
    if isinstance(default, (list, tuple)):
        return f"[{', '.join(map(str, default))}]"
    if isinstance(default, dict):
        return f"{{{', '.join(f'{name}: {value}' for name, value in default.items())}}}"
    if isinstance(default, (bool, str)):
        return value_text(default)
    if isinstance(default, (int, float)):
        return _number(default, schema)
    raise TypeError(f"no words for a default of the type {type(default).__name__}")


def _number(default: int | float, schema: Mapping[str, Any]) -> str:
    if _DURATION in schema.get("pattern", ""):
        return duration_text(default)
    if _SIZE in schema.get("pattern", ""):
        return size_text(int(default))
    return str(Decimal(default) / 1_000_000) if _is_money(schema) else str(default)


def _form(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return value_text(schema["const"])
    if "enum" in schema:
        return one_of(map(value_text, schema["enum"]))
    if "$ref" in schema:
        return "mapping"
    if "anyOf" in schema:
        return "US dollars" if _is_money(schema) else _either(schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_several(schema.get('items', {}))}"
    if kind == "object":
        return _mapping(schema)
    if kind == "null":
        return "null"
    return _text(schema) if kind == "string" else _TYPES.get(str(kind), "anything")


def _text(schema: Mapping[str, Any]) -> str:
    pattern = schema.get("pattern", "")
    if _DURATION in pattern:
        return f"duration or {NO_BOUND}" if NO_BOUND in pattern else "duration"
    if _SIZE in pattern:
        return "size"
    if pattern.startswith("^(env:"):
        return "env:NAME or file:path"
    return f"text of the form {pattern}" if pattern else "text"


def _either(options: list[Mapping[str, Any]]) -> str:
    if all("enum" in each or "const" in each for each in options):
        return one_of(value_text(value) for each in options for value in each.get("enum", [each.get("const")]))
    return one_of(dict.fromkeys(map(_form, options)))


def _mapping(schema: Mapping[str, Any]) -> str:
    values = schema.get("additionalProperties")
    return f"mapping of names to {_several(values)}" if isinstance(values, dict) else "mapping"


def _several(schema: Mapping[str, Any]) -> str:
    one = _form(schema)
    return {"text": "texts", "mapping": "mappings"}.get(one, one)


def _is_money(schema: Mapping[str, Any]) -> bool:
    kinds = [each.get("type") for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return kinds == ["number", "string"]


def _bounds(schema: Mapping[str, Any]) -> str:
    if "$comment" in schema:
        return str(schema["$comment"]).removesuffix(f", or {NO_BOUND}")
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None and high >= _NO_BOUND_AT_ALL:
        high = None
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"{low} or more" if low is not None else f"{high} at most" if high is not None else ""
