"""Reads the fields of HTML forms, and nothing out of one that two readers could read in two ways."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_to_bytes

from usher_client.http.names import meant

MAX_FIELDS: Final = 10_000
MAX_PARTS: Final = 1000
MAX_HEADING: Final = 8192

_BOUNDARY = re.compile(
    r"""; [ \t]* boundary= (?: "([0-9A-Za-z'()+_,./:=?\ -]{1,70})" | ([0-9A-Za-z'+_.-]{1,70}) ) [ \t]* (?= ; | $ )""",
    re.IGNORECASE | re.VERBOSE,
)
_VALUE = rb"(?:\"(?:[^\"\\\r\n]|\\.)*+\"|[^\s\";,]++)"
_DISPOSITION = re.compile(rb"form-data((?:[ \t]*;[ \t]*[a-z]+\*?=" + _VALUE + rb")++)[ \t]*", re.IGNORECASE)
_PARAMETER = re.compile(rb";[ \t]*([a-zA-Z]+\*?)=(" + _VALUE + rb")")
_PLAIN_NAME = re.compile(rb"\"([^\"\\%]*)\"")
_PLAIN_TEXT = re.compile(rb"text/plain(?:[ \t]*;[ \t]*charset=\"?utf-8\"?)?", re.IGNORECASE)


class NotAForm(ValueError):
    """It is cut short, or could be read in two ways."""

    def __init__(self) -> None:
        super().__init__("expected a form")


def urlencoded_fields(body: bytes, names: Collection[str]) -> dict[str, list[str]]:
    """The texts of the fields of these names, in an `application/x-www-form-urlencoded` body; twice where another name
    may be meant for one (`names.meant`). Raises NotAForm."""
    found: dict[str, list[str]] = {}
    if body.count(b"&") >= MAX_FIELDS:
        raise NotAForm
    # With a bracket in front and behind, each character escaped, and of three bytes.
    longest = 9 * (2 + max((len(each) for each in names), default=0))
    for pair in body.split(b"&"):
        key, _, value = pair.partition(b"=")
        name = _plus_decoded(key) if len(key) <= longest else _beginning(key[:longest])
        if (known := meant(name, names)) is not None:
            found.setdefault(known, []).extend([_plus_decoded(value)] * (1 if known == name else 2))
    return found


def multipart_fields(body: bytes, content_type: str, names: Collection[str]) -> dict[str, list[str]]:
    """The texts of the fields of these names, in a `multipart/form-data` body. Raises NotAForm.

    A file of such a name is no text, and makes the name one that cannot be read.
    """
    boundaries = _BOUNDARY.findall(content_type)
    if len(boundaries) != 1 or content_type.lower().count("boundary") != 1:
        raise NotAForm
    delimiter = b"\r\n--" + "".join(boundaries[0]).encode()
    if not body.startswith(delimiter[2:]):
        raise NotAForm
    found: dict[str, list[str]] = {}
    at = len(delimiter) - 2
    for _ in range(MAX_PARTS):
        if body[at : at + 2] == b"--":
            if body[at + 2 :] not in (b"", b"\r\n"):
                raise NotAForm
            return found
        blank, end = body.find(b"\r\n\r\n", at), body.find(delimiter, at)
        # Some readers take a boundary behind a bare line feed for one.
        if body.find(delimiter[2:], at) != end + 2:
            raise NotAForm
        if body[at : at + 2] != b"\r\n" or not at < blank < at + MAX_HEADING or end < blank + 4:
            raise NotAForm
        name, is_text = _heading(body[at + 2 : blank])
        if (known := meant(name, names)) is not None:
            if not is_text:
                raise NotAForm
            found.setdefault(known, []).extend([_decoded(body[blank + 4 : end])] * (1 if known == name else 2))
        at = end + len(delimiter)
    raise NotAForm


def _heading(lines: bytes) -> tuple[str, bool]:
    """The name of a part, and whether it is a text."""
    dispositions, plain = [], True
    for line in lines.split(b"\r\n"):
        name, _, value = line.partition(b":")
        match name.lower():
            case b"content-disposition":
                dispositions.append(value.strip(b" \t"))
            case b"content-type":
                plain = plain and _PLAIN_TEXT.fullmatch(value.strip(b" \t")) is not None
            case _:
                # content-transfer-encoding among them: a text that is encoded once more
                plain = False
    if len(dispositions) != 1:
        raise NotAForm
    form_data = _DISPOSITION.fullmatch(dispositions[0])
    if form_data is None:
        raise NotAForm
    parameters = [(each.lower(), value) for each, value in _PARAMETER.findall(form_data[1])]
    names = [value for each, value in parameters if each == b"name"]
    quoted = _PLAIN_NAME.fullmatch(names[0]) if len(names) == 1 else None
    if quoted is None:
        raise NotAForm
    return _decoded(quoted[1]), plain and len(parameters) == 1


def _plus_decoded(text: bytes) -> str:
    return _decoded(unquote_to_bytes(text.replace(b"+", b" ")))


def _beginning(key: bytes) -> str:
    """What a long name begins with, which may end within a character."""
    return unquote_to_bytes(key.replace(b"+", b" ")).decode(errors="replace")


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        pass  # raised below, without what stood there
    raise NotAForm
