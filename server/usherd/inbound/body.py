"""Reads what a request's body says of the question: the model, fallbacks, the end user, and what it changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from usherd.inbound.forms import FormUnreadable, multipart, urlencoded
from usherd.inbound.headers import Headers

REFUSED = "\x00"
"""Stands for what cannot be read where nothing at all would be let pass: the core denies it in every field."""

MAX_PARTS = 50_000
"""Members and elements of a body, all levels together: one with more is not read, because that takes too long. A body
of 1 MiB with text in it has a third of that, the commas of the text included."""
MAX_OBJECTS = 20_000
"""Objects among them, which take longer."""
MAX_ESCAPES = 250_000
"""Backslashes in the texts of a body."""

_FALLBACKS = 17
"""Fallbacks that are read: one more than a question may have, so that it is denied."""


class Named(NamedTuple):
    """What was found. A body that cannot be read with certainty names nothing."""

    model: str | None = None
    fallback_models: tuple[str, ...] = ()
    end_user_id: str = ""
    organization_id: str = ""
    modifies_guardrails: bool = False


_NOTHING = Named()


class _Twice:
    """Stands for a member whose name is there more than once: readers take the first or the last."""


_TWICE = _Twice()


def named_by(headers: Headers, body: bytes) -> Named:
    """What the body names. The content type says how it is read, and without one it is JSON."""
    members = _members(headers, body) if body else None
    return _NOTHING if members is None else _named(members)


def _members(headers: Headers, body: bytes) -> Mapping[str, object] | None:
    kinds, encodings = headers.distinct("content-type"), headers.distinct("content-encoding")
    if len(kinds) > 1 or any(each.lower() != "identity" for each in encodings):
        return None
    kind = kinds[0] if kinds else "application/json"
    media = kind.partition(";")[0].strip(" \t").lower()
    if media == "application/json" or (media.startswith("application/") and media.endswith("+json")):
        return _json(body)
    try:
        if media == "application/x-www-form-urlencoded":
            return _object(urlencoded(body))
        if media == "multipart/form-data":
            return _object(multipart(body, kind))
    except FormUnreadable:
        pass
    return None


def _json(body: bytes) -> Mapping[str, object] | None:
    # Each but the first of a list or an object stands behind a comma; those within texts only make the bound closer.
    objects, escapes = body.count(b"{"), body.count(b"\\")
    parts = body.count(b",") + body.count(b"[") + objects
    if objects > MAX_OBJECTS or parts > MAX_PARTS or escapes > MAX_ESCAPES:
        return None
    try:
        value = _decode(body.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    members: dict[str, object] = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                members[name] = _TWICE
            seen.add(name)
    return members


def _constant(text: str) -> NoReturn:
    raise ValueError


def _number(text: str) -> int:
    """Whether it is 0 is all that anybody wants to know, and what a long one is would take long to find out."""
    return 1 if text.lower().partition("e")[0].strip("-0.") else 0


_decode: Callable[[str], object] = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_constant
).decode


def _named(members: Mapping[str, object]) -> Named:
    model, metadata = members.get("model"), members.get("metadata")
    return Named(
        _text(model) if isinstance(model, str) else None,
        _fallbacks(members.get("fallbacks")),
        _end_user(members, metadata),
        _certain(members.get("organization_id")),
        _changes(members.get("guardrails")) or metadata is _TWICE or _changes(_member(metadata, "guardrails")),
    )


def _fallbacks(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        return ("",)
    found = [each.get("model") if isinstance(each, dict) else each for each in value[:_FALLBACKS]]
    models = tuple(_text(each) for each in found if isinstance(each, str))
    return models if len(models) == len(found) else ("",)


def _end_user(members: Mapping[str, object], metadata: object) -> str:
    places = (members.get("user"), _member(members.get("litellm_metadata"), "user"), _member(metadata, "user_id"))
    for value in places:
        if value is _TWICE:
            return REFUSED
        if isinstance(value, str) and value:
            return _text(value)
    return ""


def _member(value: object, name: str) -> object:
    if isinstance(value, dict):
        return value.get(name)
    return value if value is _TWICE else None


def _certain(value: object) -> str:
    """A text; what is there and is none would be read by others as they like."""
    if value is None:
        return ""
    return _text(value) if isinstance(value, str) else REFUSED


def _changes(value: object) -> bool:
    return value is _TWICE or bool(value)


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half of a pair of surrogates, which JSON can write and UTF-8 cannot.
        return REFUSED
    return value
