"""Writes a configuration as YAML, with a comment at each place that has one."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from usherd.config.problems import KeyPath

WIDTH = 110
"""Columns of a line with a list, and of comments."""
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*|[0-9]+(?:ms|s|m|h|d)")
"""Texts that no syntax of YAML is in, and durations."""
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""Texts that are something else to one version of YAML or another."""


def to_yaml(document: Mapping[str, Any], comments: Mapping[KeyPath, str], header: str) -> str:
    """The document as text. Reading it gives the document again."""
    return "\n".join([*_comment(header, 0), "", *_mapping(document, (), comments, 0)]) + "\n"


def _mapping(value: Mapping[str, Any], path: KeyPath, comments: Mapping[KeyPath, str], depth: int) -> Iterator[str]:
    for key, item in value.items():
        where = (*path, key)
        if where in comments:
            yield from _comment(comments[where], depth)
        yield from _entry(f"{_text(key)}:", item, where, comments, depth)


def _entry(head: str, value: Any, path: KeyPath, comments: Mapping[KeyPath, str], depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(value, Mapping) and value:
        yield f"{pad}{head}"
        yield from _mapping(value, path, comments, depth + 1)
    elif isinstance(value, list) and value and not _fits(value, len(pad) + len(head)):
        yield f"{pad}{head}"
        yield from _items(value, path, comments, depth + 1)
    else:
        yield f"{pad}{head} {_inline(value)}"


def _items(values: list[Any], path: KeyPath, comments: Mapping[KeyPath, str], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for index, item in enumerate(values):
        where = (*path, index)
        if where in comments:
            yield from _comment(comments[where], depth)
        if isinstance(item, Mapping) and item:
            # The first key stands behind the dash, with the comment that it may have before both.
            lines = list(_mapping(item, where, comments, depth + 1))
            at = next(number for number, line in enumerate(lines) if not line.lstrip().startswith("# "))
            yield from (line[2:] for line in lines[:at])
            yield f"{pad}- {lines[at].lstrip()}"
            yield from lines[at + 1 :]
        elif isinstance(item, list) and item and not _fits(item, len(pad) + 2):
            yield f"{pad}-"
            yield from _items(item, where, comments, depth + 1)
        else:
            yield f"{pad}- {_inline(item)}"


def _fits(values: list[Any], before: int) -> bool:
    """Whether a list can stand in one line: one of single values, that is not too long."""
    return not any(isinstance(item, (Mapping, list)) and item for item in values) and (
        before + 1 + len(_inline(values)) <= WIDTH
    )


def _inline(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, Mapping):
        return "{}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else _text(str(value))


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return '"' + "".join(map(_character, value)) + '"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    # Letters of other scripts, too: an escape looks the same in every editor, and is taken for no other letter.
    return character if " " <= character <= "~" else _escaped(character)


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _comment(text: str, depth: int) -> Iterator[str]:
    pad = "  " * depth
    wrapper = textwrap.TextWrapper(WIDTH - len(pad) - 2, break_long_words=False, break_on_hyphens=False)
    for paragraph in text.split("\n"):
        for line in wrapper.wrap(paragraph) or [""]:
            yield f"{pad}# {''.join(c if c.isprintable() else _escaped(c) for c in line)}".rstrip()
