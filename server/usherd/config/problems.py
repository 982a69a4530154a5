"""Says what is wrong with a configuration, where, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""The way from the top of a file to a value: keys, and list indexes from 0."""

_MAX_SHOWN = 60
"""Characters of a value that are repeated in a message."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong."""

    file: str
    line: int
    """From 1; 0 when the problem has no line."""
    key: str
    """`issuers[0].audiences`; empty for the file as a whole."""
    text: str
    """What is wrong, what was expected. It never holds a secret."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}"


class ConfigError(Exception):
    """The configuration does not load. It holds every problem that was found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


class Unusable(ValueError):
    """A value is not what its place needs; the text says why, in plain words."""


def key_text(path: Sequence[str | int]) -> str:
    """A key path as people write it."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{shown_key(step)}" if text else shown_key(step)
    return text


def shown_key(key: str) -> str:
    """A key as it stands in a path: quoted where it would read as something else."""
    return key if key and key.isprintable() and not any(c in key for c in ".[] :") else quoted(key)


def quoted(value: str) -> str:
    """A value in a message: escaped, and cut where it is long."""
    return repr(value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + "...")


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the nearest known name, or nothing.

    A word that several names have in common, as `file` in `jwks_file` and `pem_file`, means none of them more than the
    others, however long they are.
    """
    names = list(known)
    near = difflib.get_close_matches(wrong.lower(), {name.lower(): name for name in names}, n=1, cutoff=0.6)
    if not near:
        return ""
    nearest = next(name for name in sorted(names) if name.lower() == near[0])
    alike = [name for name in names if wrong.lower() in name.lower().split("_")]
    return f"; did you mean {one_of(alike) if nearest in alike else nearest}?"


def one_of(names: Iterable[str]) -> str:
    """`a, b or c`, sorted as given."""
    listed = list(names)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}" if listed else "none"


def kind_of_value(value: object) -> str:
    """What a value is, without the value: it may be a secret in the wrong place."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a mapping"
