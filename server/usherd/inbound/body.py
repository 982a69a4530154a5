"""Reads what a request's body says of the question: the model, fallbacks, the end user, and what it changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, NoReturn

from usherd.inbound.forms import FormUnreadable, multipart, urlencoded
from usherd.inbound.headers import Headers
from usherd.inbound.names import meant

REFUSED = "\x00"
"""Stands for what cannot be read where nothing at all would be let pass: the core denies it in every field."""

MAX_PARTS = 50_000
"""Members and elements of a body, all levels together: one with more is not read, because that takes too long. A body
of 1 MiB with text in it has a third of that, the commas of the text included."""
MAX_OBJECTS = 20_000
"""Objects among them, which take longer."""
MAX_ESCAPES = 250_000
"""Backslashes in the texts of a body."""

_NAMES = frozenset({"model", "fallbacks", "user", "litellm_metadata", "metadata", "guardrails", "organization_id"})
_OF_METADATA = frozenset({"user_id", "guardrails"})
_OF_LITELLM_METADATA = frozenset({"user"})
_MODEL = frozenset({"model"})
_UTF8 = re.compile(r";[ \t]*charset=(\"?)(?:utf-?8|us-ascii)\1[ \t]*(?:;|$)", re.IGNORECASE)
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


def named_by(headers: Headers, body: bytes, query: str = "") -> Named:
    """What the body names. The content type says how it is read, and without one it is JSON. The query's fields are
    read with those of a form: many readers give both as one."""
    members = _members(headers, body, query) if body else None
    return _NOTHING if members is None else _named(_sure(members, _NAMES))


def _members(headers: Headers, body: bytes, query: str) -> Mapping[str, object] | None:
    kind = headers.only("content-type")
    if kind is None or any(each.lower() != "identity" for each in headers.distinct("content-encoding")):
        return None
    kind = kind or "application/json"
    if not _in_utf8(kind):
        return None
    media = kind.partition(";")[0].strip(" \t").lower()
    if media == "application/json" or (media.startswith("application/") and media.endswith("+json")):
        return _json(body)
    try:
        if media == "application/x-www-form-urlencoded":
            return _object(urlencoded(query.encode()) + urlencoded(body))
        if media == "multipart/form-data":
            return _object(urlencoded(query.encode()) + multipart(body, kind, _NAMES))
    except FormUnreadable:
        pass
    return None


def _in_utf8(kind: str) -> bool:
    """Whether nothing says that it is in another charset: who goes by that reads other text in the same bytes."""
    said = kind.lower().count("charset")
    return said == 0 or (said == 1 and _UTF8.search(kind) is not None)


def _sure(members: Mapping[str, object], names: Collection[str]) -> Mapping[str, object]:
    """The members, with what some readers take for one of these names as that name twice."""
    others = {each: known for each in members if each not in names and (known := meant(each, names)) is not None}
    return {**members, **dict.fromkeys(others.values(), _TWICE)} if others else members


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
    if isinstance(metadata, dict):
        metadata = _sure(metadata, _OF_METADATA)
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
    found = [_sure(each, _MODEL).get("model") if isinstance(each, dict) else each for each in value[:_FALLBACKS]]
    models = tuple(_text(each) for each in found if isinstance(each, str))
    return models if len(models) == len(found) else ("",)


def _end_user(members: Mapping[str, object], metadata: object) -> str:
    of_litellm = members.get("litellm_metadata")
    if isinstance(of_litellm, dict):
        of_litellm = _sure(of_litellm, _OF_LITELLM_METADATA)
    places = (members.get("user"), _member(of_litellm, "user"), _member(metadata, "user_id"))
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
