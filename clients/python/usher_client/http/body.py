"""Reads the few fields of a body that a question is about, whatever form the body has."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from usher_client.http.forms import NotAForm, multipart_fields, urlencoded_fields
from usher_client.http.json_members import members
from usher_client.http.not_json import NotJson
from usher_client.http.reading import Headers, values_of

_NAMES: Final = frozenset(
    {"model", "stream", "fallbacks", "user", "litellm_metadata", "metadata", "guardrails", "organization_id"}
)
_OF_OBJECTS: Final = {"metadata": frozenset({"user_id", "guardrails"}), "litellm_metadata": frozenset({"user"})}
_MAX_VALUE: Final = 64 * 1024
"""Characters of fallbacks: nobody has as many."""


SOMETHING: Final = object()
"""Stands for a value of which it only matters that it is no text and not empty, null, false or 0."""


class _InDoubt(Exception):
    """A value that two readers could read in two ways."""


def body_fields(headers: Headers, body: bytes) -> tuple[Mapping[str, object], bool]:
    """The fields that a question may be about, and whether one besides the model is in doubt.

    A model that is named twice is left out, as everything is of a body that cannot be read.
    """
    media_type = _media_type(headers)
    kind = media_type.partition(";")[0].strip(" \t").lower()
    try:
        if not body or not _plain(headers):
            return {}, False
        if kind in ("", "application/json") or kind.endswith("+json"):
            return _json_fields(body, _NAMES)
        if kind == "application/x-www-form-urlencoded":
            return _single(dict(urlencoded_fields(body, _NAMES)))
        if kind == "multipart/form-data":
            return _single(dict(multipart_fields(body, media_type, _NAMES)))
    except (NotJson, NotAForm):
        pass  # it names nothing
    return {}, False


def _media_type(headers: Headers) -> str:
    types = values_of(headers, "content-type")
    if not types:
        return ""
    return types[0] if types[0] and all(each == types[0] for each in types) else "unknown"


def _plain(headers: Headers) -> bool:
    return all(each.lower() in ("", "identity") for each in values_of(headers, "content-encoding"))


def _single(named: dict[str, list[Any]]) -> tuple[dict[str, Any], bool]:
    in_doubt = any(len(values) > 1 for name, values in named.items() if name != "model")
    return {name: values[0] for name, values in named.items() if len(values) == 1}, in_doubt


def _json_fields(body: bytes, names: Collection[str]) -> tuple[dict[str, object], bool]:
    texts, in_doubt = _single(dict(members(body, names)))
    fields: dict[str, object] = {}
    for name, text in texts.items():
        try:
            fields[name] = _value(name, text)
        except _InDoubt:
            in_doubt = True
    return fields, in_doubt


def _value(name: str, text: str) -> object:
    if text[0] == "{" and name in _OF_OBJECTS:
        inner, in_doubt = _json_fields(text.encode(), _OF_OBJECTS[name])
        if in_doubt:
            raise _InDoubt
        return inner
    if text[0] not in "{[":
        return _scalar(text)
    if name == "fallbacks":
        if len(text) > _MAX_VALUE:
            raise _InDoubt
        return json.loads(text, object_pairs_hook=_object_of_single_names, parse_int=_no_text, parse_float=_no_text)
    return SOMETHING if text[1:-1].strip(" \t\n\r") else None


def _scalar(text: str) -> object:
    match text[0]:
        case '"':
            return json.loads(text)
        case "t":
            return True
        case "f" | "n":
            return None
        case _:
            # A number may be as long as a body; it only matters whether it is 0.
            return SOMETHING if text.lower().partition("e")[0].strip("-0.") else None


def _no_text(_: str) -> None:
    """What a number is where a name is expected."""


def _object_of_single_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _InDoubt
    return found
