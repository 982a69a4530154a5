"""Reads the few fields of a body that a question is about, whatever form the body has."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Final

from usher_client.http.forms import NotAForm, multipart_fields, urlencoded_fields
from usher_client.http.json_members import members
from usher_client.http.names import meant
from usher_client.http.not_json import NotJson
from usher_client.http.reading import Headers, agreed, values_of

_NAMES: Final = frozenset(
    {"model", "stream", "fallbacks", "user", "litellm_metadata", "metadata", "guardrails", "organization_id"}
)
_OF_OBJECTS: Final = {"metadata": frozenset({"user_id", "guardrails"}), "litellm_metadata": frozenset({"user"})}
_TAKEN_AS_IT_IS: Final = frozenset({"fallbacks", "organization_id"})
"""What is none only where it is null: whatever else is no text (or list of fallbacks) is there and cannot be read."""
_UTF8: Final = re.compile(r";[ \t]*charset=(\"?)(?:utf-?8|us-ascii)\1[ \t]*(?:;|$)", re.IGNORECASE)
_MAX_VALUE: Final = 64 * 1024
"""Characters of fallbacks: nobody has as many."""


SOMETHING: Final = object()
"""Stands for a value of which it only matters that it is no text and not empty, null, false or 0."""


TWICE: Final = object()
"""Stands for what is named twice: of two readers, one takes the first and the other the last."""


def body_fields(headers: Headers, body: bytes, query: bytes = b"") -> Mapping[str, object]:
    """The fields that a question may be about; none of a body that cannot be read with certainty.

    The fields of the query are read with those of a form: many readers give both as one.
    """
    media_type = _media_type(headers)
    kind = media_type.partition(";")[0].strip(" \t").lower()
    try:
        if not body or not _plain(headers) or not _in_utf8(media_type):
            return {}
        if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
            return _json_fields(body, _NAMES)
        if kind == "application/x-www-form-urlencoded":
            return _single(urlencoded_fields(query, _NAMES), urlencoded_fields(body, _NAMES))
        if kind == "multipart/form-data":
            return _single(urlencoded_fields(query, _NAMES), multipart_fields(body, media_type, _NAMES))
    except (NotJson, NotAForm):
        pass  # it names nothing
    return {}


def inside(value: object, name: str) -> object:
    """What an object has of that name; TWICE where it is not certain which object it is."""
    if isinstance(value, Mapping):
        return value.get(name)
    return TWICE if value is TWICE else None


def _media_type(headers: Headers) -> str:
    return agreed(values_of(headers, "content-type"), "unknown") or "application/json"


def _plain(headers: Headers) -> bool:
    return all(each.lower() in ("", "identity") for each in values_of(headers, "content-encoding"))


def _in_utf8(media_type: str) -> bool:
    """Whether nothing says that it is in another charset: who goes by that reads other text in the same bytes."""
    said = media_type.lower().count("charset")
    return said == 0 or (said == 1 and _UTF8.search(media_type) is not None)


def _single(*forms: Mapping[str, list[str]]) -> dict[str, object]:
    named: dict[str, list[str]] = {}
    for form in forms:
        for name, values in form.items():
            named.setdefault(name, []).extend(values)
    return {name: values[0] if len(values) == 1 else TWICE for name, values in named.items()}


def _json_fields(body: bytes, names: Collection[str]) -> dict[str, object]:
    found = members(body, names)
    return {name: _value(name, texts[0]) if len(texts) == 1 else TWICE for name, texts in found.items()}


def _value(name: str, text: str) -> object:
    if name in _TAKEN_AS_IT_IS and text[0] not in '"[' and text != "null":
        return SOMETHING
    if text[0] == "{" and name in _OF_OBJECTS:
        return _json_fields(text.encode(), _OF_OBJECTS[name])
    if text[0] not in "{[":
        return _scalar(text)
    if name == "fallbacks" and len(text) <= _MAX_VALUE:
        return json.loads(text, object_pairs_hook=_names_of_models, parse_int=_no_text, parse_float=_no_text)
    return SOMETHING if name in _TAKEN_AS_IT_IS or text[1:-1].strip(" \t\n\r") else None


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


def _names_of_models(pairs: list[tuple[str, object]]) -> dict[str, object]:
    models = [(name, value) for name, value in pairs if meant(name, ("model",)) is not None]
    return dict(models) if len(models) == 1 else {}
