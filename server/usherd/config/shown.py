"""Says what a configuration means, key by key: every default filled in, every group expanded, no secret in it."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from usherd.config.settings import HookSettings, KeySettings, Settings
from usherd.options import OPTIONS, Options
from usherd.policy import ClaimPath, ClaimPaths

HIDDEN = "(hidden)"
"""In the place of a secret."""

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
"""What YAML and JSON can hold."""

_NAMES = ("name", "id", "role", "scope", "issuer")
"""Fields that tell the members of a list apart, the first that all of them have."""
_NOT_SHOWN = frozenset({"digest", "warnings", "revision"})
"""What is made of the rest."""
_NOT_SHOWN_OF = frozenset({(HookSettings, "call"), (KeySettings, "options")})
"""What is there once more."""
_BY_CLAIM = frozenset({"when", "required_claims", "service_when", "answer_claims"})
"""Tuples of a claim and what is wanted of it."""


def shown(settings: Settings, hide: Callable[[object], str] = lambda secret: HIDDEN) -> dict[str, Plain]:
    """All of it. `hide` makes what stands in the place of a secret."""
    plain = _Plainer(hide)
    policy = plain.fields_of(settings.policy)
    # The options first: a preset is what most of the rest is read by.
    first: dict[str, Plain] = {name: policy.pop(name) for name in ("preset", "options")}
    rest = plain.fields_of(settings)
    return first | {"policy": policy} | {name: value for name, value in rest.items() if name != "policy"}


def as_yaml(value: Mapping[str, Plain]) -> str:
    """The same as YAML, in the order that it has."""
    return yaml.safe_dump(dict(value), sort_keys=False, default_flow_style=False, width=120)


@dataclass(frozen=True, slots=True)
class Change:
    """One key that means something else, was not there before, or is no longer there."""

    key: str
    """The way to it, such as `policy.roles.reader.grants.models`."""
    removed: tuple[Plain, ...]
    """What is no longer there: of a list those members, else the old value."""
    added: tuple[Plain, ...]


def changes(old: Settings, new: Settings) -> list[Change]:
    """What differs in meaning, in the order of the keys. Two files that mean the same have no changes.

    Secrets are compared, and not shown.
    """
    key = secrets.token_bytes(32)

    def hide(secret: object) -> str:
        # Another secret must be another value; nobody can compute it back, and it is cut off again below.
        return HIDDEN + hashlib.blake2b(repr(secret).encode(), key=key).hexdigest()

    old_shown, new_shown = shown(old, hide), shown(new, hide)
    before, after = dict(_flat((), old_shown)), dict(_flat((), new_shown))
    found = []
    for way in dict.fromkeys((*before, *after)):
        one, other = before.get(way, _ABSENT), after.get(way, _ABSENT)
        if one != other:
            found += _of_one(".".join(way), one, other)
    return found + _turned(old_shown["policy"], new_shown["policy"], ("policy",))


def _turned(old: Plain, new: Plain, way: tuple[str, ...]) -> list[Change]:
    """What has names in another order, besides those that come and go: of some rules the first counts."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return []
    found = [each for name in old if name in new for each in _turned(old[name], new[name], (*way, name))]
    olds, news = [name for name in old if name in new], [name for name in new if name in old]
    if olds != news:
        found.append(Change(f"{'.'.join(way)}{_ORDER}", tuple(olds), tuple(news)))
    return found


_ORDER = " (order)"
_ABSENT: list[Plain] = []
"""Nothing is there: the same as an empty list, which says nothing either."""


def _of_one(key: str, one: Plain, other: Plain) -> list[Change]:
    """What differs at one key, and the order of those who stay: it may be one of precedence."""
    olds, news = _members(one), _members(other)
    removed, added = [each for each in olds if each not in news], [each for each in news if each not in olds]
    stay = ([each for each in olds if each in news], [each for each in news if each in olds])
    if not removed and not added:
        return [_change(key, *stay)]
    found = [_change(key, removed, added)]
    return found if stay[0] == stay[1] else [*found, _change(key + _ORDER, *stay)]


def _change(key: str, removed: list[Plain], added: list[Plain]) -> Change:
    return Change(key, tuple(map(_without_digest, removed)), tuple(map(_without_digest, added)))


def _members(value: Plain) -> list[Plain]:
    return value if isinstance(value, list) else [value]


def _without_digest(value: Plain) -> Plain:
    return HIDDEN if isinstance(value, str) and value.startswith(HIDDEN) else value


def _flat(way: tuple[str, ...], value: Plain) -> Iterator[tuple[tuple[str, ...], Plain]]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _flat((*way, name), each)
    else:
        yield way, [] if value == {} else value


@dataclass(frozen=True, slots=True)
class _Plainer:
    hide: Callable[[object], str]

    def of(self, value: object) -> Plain:
        """The value in YAML's terms. Raises TypeError for what has none, so that nothing is left out unnoticed."""
        if isinstance(value, Enum):
            return value.name.lower()
        if value == math.inf:
            return "infinite"
        if value is None or isinstance(value, (str, bool, int, float)):
            return value
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, Options):
            return {info.name: getattr(value, info.attribute) for info in OPTIONS}
        if isinstance(value, ClaimPaths):
            return {each.name: _paths(getattr(value, each.name)) for each in fields(value)}
        if is_dataclass(value) and not isinstance(value, type):
            return self.fields_of(value)
        if isinstance(value, Mapping):
            return {str(name): self.of(each) for name, each in value.items()}
        if isinstance(value, frozenset):
            return sorted((self.of(each) for each in value), key=repr)
        if isinstance(value, (list, tuple)):
            return self._many(value)
        raise TypeError(f"no plain form for {type(value).__name__}")

    def fields_of(self, value: Any) -> dict[str, Plain]:
        """The fields of a dataclass by name, but for those that repeat others."""
        found: dict[str, Plain] = {}
        for each in fields(value):
            inner = getattr(value, each.name)
            if each.name in _NOT_SHOWN or (type(value), each.name) in _NOT_SHOWN_OF:
                continue
            if each.name in _BY_CLAIM and inner is not None:
                found[each.name] = {_written(claim): self.of(values[-1]) for claim, *values in inner}
            else:
                found[each.name] = self.of(inner) if each.repr or not inner else self.hide(inner)
        return found

    def _many(self, values: list[object] | tuple[object, ...]) -> Plain:
        for name in _NAMES:
            if values and all(is_dataclass(each) and hasattr(each, name) for each in values):
                keys = [getattr(each, name) for each in values]
                if len(set(keys)) == len(keys):
                    members = zip(keys, map(self.fields_of, values), strict=True)
                    return {
                        key: {field: each for field, each in member.items() if field != name} for key, member in members
                    }
        return [self.of(each) for each in values]


def _paths(value: Any) -> Plain:
    """A claim path, or several, as the configuration writes them."""
    if value is None:
        return None
    return [_written(each) for each in value] if all(isinstance(each, tuple) for each in value) else _written(value)


def _written(value: str | ClaimPath) -> str:
    if isinstance(value, str):
        return value
    written = ""
    for step in value:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            escaped = "".join(f"\\{c}" if c in r"\.[]" else c for c in step)
            written += f".{escaped}" if written else escaped
    return written
