"""Checks that route and model patterns are ones that some route or model can fit."""

from __future__ import annotations

import re

from usherd.config.problems import Unusable, quoted
from usherd.permit.models import GROUP_PREFIX, MAX_MODEL_BYTES, RESERVED, well_formed_model
from usherd.permit.route_form import MAX_METHOD_LETTERS, MAX_ROUTE_BYTES

MAX_PLACEHOLDERS = 8

_METHOD = re.compile(rf"([A-Z]{{1,{MAX_METHOD_LETTERS}}}) (?=/)")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()+,=:@-]*")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:path)?\}")

LISTED_WORDS = frozenset({"all-proxy-models", "no-default-models"})
"""Reserved names with a meaning in a list of models: everything, and nothing."""


def check_route_pattern(text: str) -> str:
    """A pattern that a canonical route can fit: a path, with `{x}` for one segment or a part of it, `{x:path}` for one
    or more segments, and `/*` at its end for one or more segments more; a method and a space may stand in front.

    Raises Unusable.
    """
    method = _METHOD.match(text)
    path = text[method.end() :] if method else text
    if not path.startswith("/"):
        raise Unusable(f"{quoted(text)} is no route; expected a path that begins with /, or the name of a route group")
    if len(path) > MAX_ROUTE_BYTES:
        raise Unusable(f"{quoted(text)} is longer than a route can be; expected at most {MAX_ROUTE_BYTES} characters")
    if path == "/":
        return text
    segments = path[1:].split("/")
    if segments[-1] == "*":
        segments.pop()
    for segment in segments:
        _check_segment(segment, text)
    _check_placeholders(path, text)
    return text


def _check_segment(segment: str, text: str) -> None:
    if segment in ("", ".", ".."):
        raise Unusable(
            f"{quoted(text)} fits no route: routes have no empty, `.` or `..` segments and no trailing slash"
        )
    rest = _PLACEHOLDER.sub("", segment, count=1)
    if "{" in rest or "}" in rest:
        raise Unusable(f"{quoted(text)} is no template; expected at most one placeholder a segment, as {{id}}")
    if "*" in rest:
        raise Unusable(f"{quoted(text)} has a * that is not its last segment; expected /* at the end, or {{id}}")
    if _LITERAL.fullmatch(rest) is None:
        raise Unusable(f"{quoted(text)} has a character that no canonical route has (such as ?, %, ; or a space)")


def _check_placeholders(path: str, text: str) -> None:
    found = _PLACEHOLDER.findall(path)
    names = [name for name, _ in found]
    if len(names) > MAX_PLACEHOLDERS or len(set(names)) != len(names):
        raise Unusable(f"{quoted(text)}: expected at most {MAX_PLACEHOLDERS} placeholders, each name once")
    # Two parts of any length would make matching cost the square of a route's length.
    if sum(bool(is_path) for _, is_path in found) + path.endswith("/*") > 1:
        raise Unusable(f"{quoted(text)} has two parts of any length; expected one {{x:path}} or one trailing /*")


def check_model_entry(text: str) -> str:
    """An entry of a list of models: a name, a name with `*`, `access-group/NAME`, or a reserved word of lists.

    Raises Unusable.
    """
    if text in LISTED_WORDS:
        return text
    if text in RESERVED:
        raise Unusable(f"{quoted(text)} means nothing here")
    if text.startswith(GROUP_PREFIX):
        check_name(text.removeprefix(GROUP_PREFIX))
    elif not text or len(text.encode()) > MAX_MODEL_BYTES or not well_formed_model(text.replace("*", "x")):
        raise Unusable(f"{quoted(text)} fits no model; expected a model name, where * stands for any characters")
    return text


def check_bytes(text: str, most: int) -> str:
    """A text of at most so many bytes, empty or not. Raises Unusable."""
    if len(text) > most or len(text.encode("utf-8", "surrogatepass")) > most:
        raise Unusable(f"{quoted(text)} is too long; expected at most {most} bytes")
    return text


def check_literal_route(text: str) -> str:
    """A text that a route may be compared with. Raises Unusable."""
    return check_bytes(text, MAX_ROUTE_BYTES)


def check_any_model(text: str) -> str:
    """A text that a model's name may be compared with. Raises Unusable."""
    return check_bytes(text, MAX_MODEL_BYTES)


def check_model_pattern(text: str) -> str:
    """The name of a model, or a pattern for many, as `openai/*`. Raises Unusable."""
    if "*" not in text or text == "*":
        return check_model_name(text)
    if not well_formed_model(text.replace("*", "x")):
        raise Unusable(f"{quoted(text)} fits no model; expected a model name, where * stands for any characters")
    return text


def check_model_name(text: str) -> str:
    """A name that a model can be asked for by. Raises Unusable."""
    if text in RESERVED:
        raise Unusable(f"{quoted(text)} is a reserved word; expected another name")
    if not well_formed_model(text):
        raise Unusable(
            f"{quoted(text)} is no model name; expected up to {MAX_MODEL_BYTES} bytes without space, * ? [ ] or comma"
        )
    return text


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


def check_name(text: str) -> str:
    """A name that the configuration itself gives: to an issuer, a role, a group. Raises Unusable."""
    if _NAME.fullmatch(text) is None:
        raise Unusable(f"{quoted(text)} is no name; expected 1 to 64 of the letters a-z, A-Z, 0-9, _ . @ -")
    return text
