r"""Names a place within a token's claims, and reads what is there.

a.b        the member `b` of the member `a`
a\.b       the member `a.b`; `\\` is a backslash, `\[` a bracket
a.b[0]     the first element of the list `a.b`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

MAX_LENGTH = 256
"""Characters of a path as written."""
MAX_STEPS = 20
"""Steps of a path: claims are not nested deeper."""


class Absent(Enum):
    """The type of ABSENT."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""There is nothing at that place: not even null, which counts as nothing."""

_STEP = re.compile(r"((?:[^\\.\[\]]|\\[\\.\[\]])+)((?:\[[0-9]{1,4}\])*)(\.|\Z)")
_ESCAPED = re.compile(r"\\(.)")
_SPECIAL = re.compile(r"[\\.\[\]]")


class ClaimPathError(ValueError):
    """The text is no claim path. The message quotes it: paths are configuration, not claims."""


def parse(text: str) -> tuple[str | int, ...]:
    """The steps of a path: member names, and list indexes from 0. Raises ClaimPathError."""
    if not 1 <= len(text) <= MAX_LENGTH:
        raise ClaimPathError(f"a claim path has 1 to {MAX_LENGTH} characters")
    steps: list[str | int] = []
    position = 0
    while True:
        found = _STEP.match(text, position)
        if found is None:
            raise ClaimPathError(
                f"{text!r} is no claim path at character {position + 1}: expected a name, then [index] or a dot;"
                r" write \. \[ \] \\ for these characters in a name"
            )
        steps.append(_ESCAPED.sub(r"\1", found[1]))
        steps += [int(index) for index in re.findall("[0-9]+", found[2])]
        position = found.end()
        if not found[3]:
            break
    if len(steps) > MAX_STEPS:
        raise ClaimPathError(f"{text!r} has more than {MAX_STEPS} steps")
    return tuple(steps)


def written(path: tuple[str | int, ...]) -> str:
    """The text of a path, which `parse` makes these steps of."""
    steps = (f"[{step}]" if isinstance(step, int) else "." + _SPECIAL.sub(r"\\\g<0>", step) for step in path)
    return "".join(steps).removeprefix(".")


_OBJECTS = (dict, MappingProxyType)
"""What a JSON object is here: to ask for any Mapping costs several times as much, for each step of each claim."""


def read(claims: Mapping[str, object], path: tuple[str | int, ...]) -> object:
    """The value at that place, or ABSENT. A value of another type on the way, an index past the end: ABSENT.

    Never raises.
    """
    value: object = claims
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, _OBJECTS) else None
        else:
            value = value[step] if isinstance(value, list) and 0 <= step < len(value) else None
        if value is None:
            return ABSENT
    return value
