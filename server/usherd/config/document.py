"""Reads YAML into plain values and remembers the line of each: strict, bounded, and without surprises.

Only `true` and `false` are booleans and only `null`, `~` and nothing are null, as in YAML 1.2: `on`, `no` and dates
are texts. Tags, doubled keys, keys that are no texts and more than one document are refused, and so are merge keys
unless a file may have them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from usherd.config.problems import ConfigError, KeyPath, Problem, key_text, quoted, shown_key
from usherd.config.read_files import about_to_read

MAX_BYTES = 8 * 1024 * 1024
MAX_VALUES = 500_000
"""Values of one document, each alias counted as often as it is used."""
FREE_REPEATS, REPEATS_EACH = 10_000, 10
"""Values that aliases may repeat: so many, and so many more for each value that is written out."""
MAX_DEPTH = 32

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: Mapping[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_TEXT_TAG = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Document:
    """One file, as plain values and where they stand."""

    name: str
    """The file as messages call it."""
    folder: Path
    """What paths in the file are relative to."""
    value: object = field(repr=False)
    lines: Mapping[KeyPath, int] = field(repr=False)
    anchored: frozenset[str] = frozenset()
    """Top-level keys whose values have an anchor: they may be there to be repeated elsewhere."""

    def problem(self, path: KeyPath, text: str) -> Problem:
        """A problem at a place, with the line of the place or of the nearest thing around it."""
        around = path = self.place(path)
        while around and around not in self.lines:
            around = around[:-1]
        return Problem(self.name, self.lines.get(around, 1), key_text(path), text)

    def place(self, path: KeyPath) -> KeyPath:
        """The way to a value as the file has it: where one mapping stands for a list of one, there is no index."""
        found: list[str | int] = []
        value = self.value
        for step in path:
            if isinstance(value, dict) and isinstance(step, int):
                continue
            found.append(step)
            if isinstance(value, dict):
                value = value.get(step)
            else:
                value = value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None
        return tuple(found)


class _Refused(Exception):
    def __init__(self, line: int, text: str, key: str = "") -> None:
        super().__init__(text)
        self.line, self.text, self.key = line, text, key


@dataclass(slots=True)
class _Node:
    line: int
    value: object
    """A scalar, a list of nodes, or a dict of (line of the key, node) by key."""
    size: int = 1
    """The node and all within it, what aliases repeat counted each time."""
    anchored: bool = False


def read_document(path: Path, name: str | None = None, *, merge_keys: bool = False) -> Document:
    """The document in a file. Raises ConfigError when it cannot be read or is no plain YAML."""
    name = name or str(path)
    about_to_read(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(name, 0, "", f"cannot be read: {error.strerror or 'unknown error'}")]) from None
    return parse_document(content, name, path.parent, merge_keys=merge_keys)


def parse_document(content: bytes, name: str, folder: Path, *, merge_keys: bool = False) -> Document:
    """The document in some bytes. Raises ConfigError.

    `merge_keys`: whether `<<` takes over the keys of another mapping, or of several, that are not written beside it.
    """
    if len(content) > MAX_BYTES:
        raise ConfigError([Problem(name, 0, "", f"is too large; expected at most {MAX_BYTES // 1024 // 1024} MiB")])
    try:
        text = content.decode("utf-8-sig")
        root = _Reader(yaml.parse(text, Loader=_Parser), merge_keys=merge_keys).document()
        lines: dict[KeyPath, int] = {}
        value = _plain(root, (), lines)
    except UnicodeDecodeError:
        raise ConfigError([Problem(name, 0, "", "is not UTF-8 text")]) from None
    except _Refused as refused:
        raise ConfigError([Problem(name, refused.line, refused.key, refused.text)]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError([Problem(name, line, "", f"is not YAML: {error.problem or 'cannot be parsed'}")]) from None
    except yaml.YAMLError:
        raise ConfigError([Problem(name, 0, "", "is not YAML: it has characters that YAML does not allow")]) from None
    top = root.value if isinstance(root.value, dict) else {}
    return Document(name, folder, value, lines, frozenset(key for key, (_, node) in top.items() if node.anchored))


class _Reader:
    """Makes nodes from parser events, without the recursion and the implicit types of PyYAML's own composer."""

    def __init__(self, events: Iterator[Any], *, merge_keys: bool) -> None:
        self._events = events
        self._merge_keys = merge_keys
        self._anchors: dict[str, _Node] = {}
        self._written = 0
        self._repeated = 0

    def document(self) -> _Node:
        next(self._events)  # start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return _Node(1, None)
        root = self._node(next(self._events), 0)
        next(self._events)  # end of the document
        extra = next(self._events)
        if not isinstance(extra, yaml.StreamEndEvent):
            raise _Refused(extra.start_mark.line + 1, "a second document begins here; expected one")
        return root

    def _node(self, event: Any, depth: int) -> _Node:
        line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise _Refused(line, f"is nested too deeply; expected at most {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _Refused(line, f"the alias {quoted(str(event.anchor))} has no anchor before it")
            return self._repeat(self._anchors[event.anchor], line)
        if event.tag not in (None, "!", _TEXT_TAG):
            raise _Refused(line, "tags are not allowed")
        node = _Node(line, None)
        self._written += 1
        if isinstance(event, yaml.ScalarEvent):
            node.value = _scalar(event.value) if not event.style and event.tag is None else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            node.value = items = [self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
            node.size += sum(item.size for item in items)
        else:
            node.value = members = self._mapping(depth)
            node.size += sum(value.size for _, value in members.values())
        # Known only when complete, so that nothing can contain itself.
        if event.anchor is not None:
            node.anchored = True
            self._anchors[event.anchor] = node
        return node

    def _repeat(self, node: _Node, line: int) -> _Node:
        # Counted here, where it costs nothing: a short text must not take long to find out about.
        self._repeated += node.size
        if self._repeated > FREE_REPEATS + REPEATS_EACH * self._written:
            raise _Refused(
                line,
                f"aliases repeat too many values; expected at most {FREE_REPEATS}, and {REPEATS_EACH} for each value"
                " that is written out",
            )
        return node

    def _mapping(self, depth: int) -> dict[str, tuple[int, _Node]]:
        found: dict[str, tuple[int, _Node]] = {}
        merged: list[dict[str, tuple[int, _Node]]] = []
        for event in self._until(yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            key = self._node(event, depth + 1).value
            if not isinstance(key, str):
                raise _Refused(line, "a key is no text; expected a name, quoted if it looks like a number or boolean")
            # In quotes it is a name like others.
            merges = key == "<<" and not (getattr(event, "style", None) or getattr(event, "tag", None))
            if merges and self._merge_keys:
                merged += self._mappings(line, self._node(next(self._events), depth + 1))
                continue
            if merges:
                raise _Refused(line, "merge keys are not allowed; write the keys out")
            if key in found:
                raise _Refused(line, f"this key is here twice, first in line {found[key][0]}", shown_key(key))
            found[key] = (line, self._node(next(self._events), depth + 1))
        if not merged:
            return found
        every: dict[str, tuple[int, _Node]] = {}
        for mapping in reversed(merged):
            every |= mapping  # of a key that several have, the first counts
        return every | found

    def _mappings(self, line: int, node: _Node) -> list[dict[str, tuple[int, _Node]]]:
        """The mappings that a merge key names."""
        nodes = node.value if isinstance(node.value, list) else [node]
        mappings = [each.value for each in nodes if isinstance(each.value, dict)]
        if len(mappings) < len(nodes):
            raise _Refused(line, "merges what is no mapping; expected a mapping, or a list of them", "<<")
        return mappings

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event


def _scalar(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _plain(node: _Node, path: KeyPath, lines: dict[KeyPath, int], depth: int = 0) -> object:
    # An alias repeats lines and values, so both bounds are checked again here, where aliases have been followed.
    if len(lines) >= MAX_VALUES:
        raise _Refused(node.line, f"has too many values; expected at most {MAX_VALUES}, aliases counted")
    if depth > MAX_DEPTH:
        raise _Refused(node.line, f"is nested too deeply; expected at most {MAX_DEPTH} levels")
    lines.setdefault(path, node.line)
    if isinstance(node.value, list):
        return [_plain(item, (*path, index), lines, depth + 1) for index, item in enumerate(node.value)]
    if isinstance(node.value, dict):
        values: dict[str, object] = {}
        for key, (line, value) in node.value.items():
            lines[(*path, key)] = line
            values[key] = _plain(value, (*path, key), lines, depth + 1)
        return values
    return node.value
