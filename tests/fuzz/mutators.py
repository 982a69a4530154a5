"""Changes inputs: bytes anyhow, JSON values by their structure. The same generator state gives the same change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Mutate = Callable[[bytes, Random], bytes]

NASTY: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**30,
    0.5,
    -0.0,
    1e308,
    "",
    " ",
    "*",
    "\0",
    "\n",
    "é",
    "\U0001f600",
    "x" * 300,
    [],
    {},
    [[]],
    [None],
    {"": None},
)
"""Values that readers tend to forget."""


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """Bytes changed in one to four places, without a thought for what they mean."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randint(0, len(changed))
        match random.randrange(6):
            case 0 if changed:
                changed[place % len(changed)] = random.randrange(256)
            case 1 if changed:
                changed[place % len(changed)] ^= 1 << random.randrange(8)
            case 2:
                changed[place:place] = random.randbytes(random.randint(1, 8))
            case 3:
                del changed[place : place + random.randint(1, 8)]
            case 4:
                start = random.randint(0, len(changed))
                changed[place:place] = changed[start : start + random.randint(1, 32)]
            case _:
                changed[place:place] = random.choice(b'"\\{}[]:,.0-*/\n\x00 ').to_bytes()
    return bytes(changed)


def json_mutator(words: Sequence[Any], names: Sequence[str], *, mostly: float = 0.85) -> Mutate:
    """A mutator of JSON texts. `words` are values that mean something to the reader, `names` keys that do.

    `mostly` is the share of changes that leave the text JSON.
    """
    values = (*words, *words, *NASTY)

    def mutate(data: bytes, random: Random) -> bytes:
        if random.random() < mostly:
            try:
                value = json.loads(data)
            except (ValueError, RecursionError):
                return mutate_bytes(data, random)
            for _ in range(random.choice((1, 1, 2, 3))):
                value = mutate_value(value, random, values, names)
            try:
                return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            except (ValueError, RecursionError):
                return mutate_bytes(data, random)
        return mutate_bytes(data, random)

    return mutate


def mutate_value(value: Any, random: Random, values: Sequence[Any], names: Sequence[str]) -> Any:
    """A JSON value with one change at one place; containers may be changed in place."""
    if isinstance(value, dict) and value and random.random() < 0.7:
        name = random.choice(list(value))
        value[name] = mutate_value(value[name], random, values, names)
        return value
    if isinstance(value, list) and value and random.random() < 0.7:
        place = random.randrange(len(value))
        value[place] = mutate_value(value[place], random, values, names)
        return value
    if isinstance(value, dict):
        return _changed_object(value, random, values, names)
    if isinstance(value, list):
        return _changed_list(value, random, values)
    return _changed_leaf(value, random, values)


def _changed_object(value: dict[str, Any], random: Random, values: Sequence[Any], names: Sequence[str]) -> Any:
    match random.randrange(8):
        case 0 | 1 | 2 | 3:
            value[random.choice(names)] = _one_of(values, random)
        case 4 if value:
            del value[random.choice(list(value))]
        case 5 if value:
            value[random.choice(names)] = value.pop(random.choice(list(value)))
        case 6 if value:
            value[random.choice(names)] = _copy(random.choice(list(value.values())))
        case _:
            return random.choice((_one_of(values, random), [value]))
    return value


def _changed_list(value: list[Any], random: Random, values: Sequence[Any]) -> Any:
    place = random.randint(0, len(value))
    match random.randrange(6):
        case 0 | 1:
            value.insert(place, _one_of(values, random))
        case 2 if value:
            value.insert(place, _copy(value[place % len(value)]))
        case 3 if value:
            del value[place % len(value)]
        case 4:
            return value[place] if place < len(value) else _one_of(values, random)
        case _:
            value.reverse()
    return value


def _changed_leaf(value: Any, random: Random, values: Sequence[Any]) -> Any:
    choice = random.randrange(10)
    if choice < 5:
        return _one_of(values, random)
    if choice == 5:
        return [value]
    if isinstance(value, str):
        return changed_text(value, random)
    if isinstance(value, (int, float)):
        return random.choice(
            (value + 1, value - 1, -value, str(value), value * 10, float(value) if value < 1e300 else 0)
        )
    return _one_of(values, random)


def changed_text(text: str, random: Random) -> str:
    """A text with one change."""
    place = random.randint(0, len(text))
    match random.randrange(6):
        case 0:
            return text[:place] + random.choice("./*\\[]{}:@ \0\nÀ-_x0?%;#,") + text[place:]
        case 1:
            return text[:place] + text[place + 1 :]
        case 2:
            return text[:place]
        case 3:
            return text + text[place:]
        case 4:
            return text.swapcase()
        case _:
            return text[place:] + text[:place]


def _one_of(values: Sequence[Any], random: Random) -> Any:
    # A copy: what is changed later must not change what is drawn later.
    return _copy(random.choice(values))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(each) for name, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, (list, tuple)) else value
