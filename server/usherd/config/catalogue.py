"""Adds the models that a store keeps to a policy. The configuration wins wherever both say something of a name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from usherd.config.digest import digest
from usherd.config.patterns import check_any_model, check_model_name, check_model_pattern
from usherd.config.problems import Unusable
from usherd.config.settings import Settings
from usherd.globs import fits_any
from usherd.policy import CatalogueModel, Policy
from usherd.store import ModelRow

MAX_KEPT_MODELS = 10_000
"""Models of a store that take part in answers: the first of them by name (code points)."""


class Cause(StrEnum):
    """Why something that a store has takes no part in answers."""

    CONFIGURED = "configured"
    """The configuration says what the name is: that of a model, an alias, or one that a pattern there fits."""
    KEPT = "kept"
    """Another model of the store has the name, or has had the alias before, in the order of names."""
    TARGET = "target"
    """The configuration's `model_aliases` name it as the model that is meant: it is no alias of yet another one."""
    MALFORMED = "malformed"
    """No request can ask for it, under this policy."""
    TOO_MANY = "too_many"
    """There are more models in the store than a policy takes; none after this one is looked at."""


class LeftAside(NamedTuple):
    """Something that the store has, and no answer knows of."""

    model: str
    alias: str
    """Empty: it is the whole model."""
    cause: Cause


class Catalogued(NamedTuple):
    """A configuration with the models of a store."""

    settings: Settings
    kept: int
    """Models of the store that are in it."""
    left_aside: tuple[LeftAside, ...]
    """By the live policy; a candidate may leave aside others."""


def with_kept_models(settings: Settings, rows: Sequence[ModelRow]) -> Catalogued:
    """The configuration with these models too, sorted by name, in its policy and in the candidate's.

    Where some are in force, the policy's digest is another: the same one wherever configuration and models are the
    same. Without any, it is the configuration's own.
    """
    policy, left_aside = _joined(settings.policy, rows)
    shadow = None if settings.shadow is None else _joined(settings.shadow, rows)[0]
    kept = len(policy.models) - len(settings.policy.models)
    return Catalogued(replace(settings, policy=policy, shadow=shadow), kept, left_aside)


def _joined(policy: Policy, rows: Sequence[ModelRow]) -> tuple[Policy, tuple[LeftAside, ...]]:
    models, left_aside = _chosen(policy, rows)
    if not models:
        return policy, left_aside
    joined = replace(policy, models=(*policy.models, *models))
    return replace(joined, digest=digest((policy.digest, _digest(models)))), left_aside


def _digest(models: Sequence[CatalogueModel]) -> str:
    """Model by model: to write many of them at once would keep all others waiting."""
    found = hashlib.sha256()
    for model in models:
        text = json.dumps([model.name, model.provider, model.groups, model.aliases])
        found.update(text.encode() + b"\n")
    return found.hexdigest()


class _Configured:
    """What a configuration says of names."""

    def __init__(self, policy: Policy) -> None:
        self._any_text = policy.preset == "litellm"
        self._names = {model.name for model in policy.models} | set(policy.model_aliases)
        self._names.update(alias for model in policy.models for alias in model.aliases)
        self._patterns = [model.name for model in policy.models if "*" in model.name]
        self._targets = frozenset(policy.model_aliases.values())

    def against_name(self, name: str) -> Cause | None:
        """Why a store's model cannot have that name; None: it can."""
        if not self._usable(name, pattern=True):
            return Cause.MALFORMED
        if "*" in name:
            taken = name in self._names or any(_meet(name, each) for each in self._patterns)
        else:
            taken = self._has(name)
        return Cause.CONFIGURED if taken else None

    def against_alias(self, alias: str, owner: str) -> Cause | None:
        """Why a store's model cannot have that alias; None: it can."""
        if "*" in owner or not self._usable(alias, pattern=False):
            return Cause.MALFORMED
        if self._has(alias):
            return Cause.CONFIGURED
        return Cause.TARGET if alias in self._targets else None

    def _has(self, name: str) -> bool:
        return name in self._names or fits_any(name, self._patterns)

    def _usable(self, text: str, *, pattern: bool) -> bool:
        check = check_any_model if self._any_text else check_model_pattern if pattern else check_model_name
        try:
            return bool(check(text))
        except Unusable:
            return False


def _chosen(policy: Policy, rows: Sequence[ModelRow]) -> tuple[tuple[CatalogueModel, ...], tuple[LeftAside, ...]]:
    configured, left_aside = _Configured(policy), list[LeftAside]()
    taken: list[ModelRow] = []
    for row in sorted(rows, key=lambda row: row.name)[:MAX_KEPT_MODELS]:
        if (cause := configured.against_name(row.name)) is None:
            taken.append(row)
        else:
            left_aside.append(LeftAside(row.name, "", cause))
    known = {row.name for row in taken}
    models = []
    for row in taken:
        aliases = []
        for alias in row.aliases:
            why = Cause.KEPT if alias in known else configured.against_alias(alias, row.name)
            if why is None:
                known.add(alias)
                aliases.append(alias)
            else:
                left_aside.append(LeftAside(row.name, alias, why))
        models.append(CatalogueModel(name=row.name, provider=row.provider, groups=row.groups, aliases=tuple(aliases)))
    left_aside += [LeftAside(name, "", Cause.TOO_MANY) for name in _first_beyond(rows)]
    return tuple(models), tuple(left_aside)


def _first_beyond(rows: Sequence[ModelRow]) -> Iterable[str]:
    return sorted(row.name for row in rows)[MAX_KEPT_MODELS : MAX_KEPT_MODELS + 1]


def _meet(one: str, other: str) -> bool:
    """Whether some text fits both of two patterns that have a `*`: then their beginnings and their ends agree."""
    heads, tails = (one.split("*")[0], other.split("*")[0]), (one.split("*")[-1], other.split("*")[-1])
    shorter, longer = sorted(heads, key=len)
    end, longer_end = sorted(tails, key=len)
    return longer.startswith(shorter) and longer_end.endswith(end)
