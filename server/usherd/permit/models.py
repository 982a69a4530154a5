"""Names of models: which texts can be one, what an alias means, and what the catalogue says of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from usherd.globs import fits
from usherd.policy import CatalogueModel

MAX_MODEL_BYTES = 256
MAX_FALLBACKS = 16
RESERVED = frozenset({"all-proxy-models", "all-team-models", "no-default-models"})
"""Words with a meaning in lists: never a model that can be asked for."""
GROUP_PREFIX = "access-group/"

_NEVER_IN_A_NAME = frozenset("*?[],")


def well_formed_model(model: str) -> bool:
    """Whether a text can be a model that is asked for: 1 to 256 bytes, printable, no space, wildcard or comma."""
    return (
        0 < len(model) <= MAX_MODEL_BYTES
        and model.isprintable()
        and " " not in model
        and _NEVER_IN_A_NAME.isdisjoint(model)
        and model not in RESERVED
        and len(model.encode()) <= MAX_MODEL_BYTES
    )


def bounded_model(model: str) -> bool:
    """Whether a text is short enough to be compared, whatever is in it but NUL: all that the reference asks for."""
    return (
        len(model) <= MAX_MODEL_BYTES and "\0" not in model and len(model.encode("utf-8", "replace")) <= MAX_MODEL_BYTES
    )


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model after its aliases are resolved, with what the catalogue says of it."""

    name: str
    groups: frozenset[str] = frozenset()
    provider_name: str = ""
    """`provider/name` as wildcards of a provider see it. Empty when the catalogue names no provider."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An entry of the catalogue that stands for all models which its name fits."""

    pattern: str
    provider: str
    groups: frozenset[str]


class Catalogue:
    """What the gateway offers, by name, by alias and by pattern."""

    def __init__(self, models: Iterable[CatalogueModel], aliases: Mapping[str, str] | None = None) -> None:
        """`aliases` are names that mean another model, besides those that the models have themselves."""
        self._models: dict[str, KnownModel] = {}
        self._own_aliases: dict[str, str] = {}
        self._by_provider_name: dict[str, str] = {}
        patterns: list[_Pattern] = []
        groups: set[str] = set()
        for model in models:
            groups.update(model.groups)
            if "*" in model.name:
                patterns.append(_Pattern(model.name, model.provider, frozenset(model.groups)))
                continue
            provider_name = f"{model.provider}/{model.name}" if model.provider else ""
            self._models[model.name] = KnownModel(model.name, frozenset(model.groups), provider_name)
            self._own_aliases.update(dict.fromkeys(model.aliases, model.name))
            if provider_name:
                self._by_provider_name[provider_name] = model.name
        self._aliases = {**self._own_aliases, **(aliases or {})}
        self._before_models = dict(aliases or {})
        # The longest pattern says most about a model; of equal ones the first by code points.
        self._patterns = sorted(patterns, key=lambda each: (-len(each.pattern), each.pattern))
        # Each once: of many patterns few have different providers, and a name is looked up for each of these.
        self._pattern_providers = tuple(dict.fromkeys(f"{each.provider}/" for each in self._patterns if each.provider))
        self.groups = frozenset(groups)

    def names(self) -> list[str]:
        """Every name and alias, sorted by code points. Patterns name no model that could be listed."""
        return sorted({*self._models, *self._aliases})

    def has(self, name: str) -> bool:
        """Whether it is the name of a model, or an alias."""
        return name in self._models or name in self._aliases

    def literal(self, model: str) -> KnownModel:
        """The model of that very name: no alias is followed."""
        return self._models.get(model) or self._by_pattern(model)

    def resolve(self, model: str, team_aliases: Mapping[str, str]) -> KnownModel:
        """The model that a name means: a team's own alias first, then the catalogue's, each followed once."""
        return self.literal(self.meant(team_aliases.get(model, model)))

    def mapped(self, model: str) -> KnownModel:
        """The model as the reference holds it against lists of users: aliases go before the models of those names."""
        return self.literal(self._before_models.get(model, model))

    def names_on_the_way(self, model: str, team_aliases: Mapping[str, str]) -> tuple[KnownModel, ...]:
        """Everything that a denial may mean, each once: the name asked, what a team's alias makes of it, the model that
        would be called, and the model that either of these two is by its provider's name.

        Here, and for no grant, `provider/name` is another name of the catalogue's model.
        """
        between = team_aliases.get(model, model)
        called = self.meant(between)
        models = [called, self.of_provider_name(called)]
        if between != called:
            models.append(self.meant(self.of_provider_name(between)))
        known = map(self.literal, dict.fromkeys(models))
        return tuple(dict.fromkeys((KnownModel(model), KnownModel(between), *known)))

    def of_provider_name(self, name: str) -> str:
        """The catalogue's model that `provider/name` is, by an entry or pattern of it; other names as they are."""
        if (known := self._by_provider_name.get(name)) is not None:
            return known
        for prefix in self._pattern_providers:
            model = name.removeprefix(prefix)
            if model != name and self.literal(model).provider_name == name:
                return model
        return name

    def meant(self, model: str) -> str:
        """The name after the catalogue's aliases. A model of the catalogue is never shadowed by an alias."""
        return model if model in self._models else self._aliases.get(model, model)

    def _by_pattern(self, model: str) -> KnownModel:
        for each in self._patterns:
            if fits(model, each.pattern):
                return KnownModel(model, each.groups, f"{each.provider}/{model}" if each.provider else "")
        return KnownModel(model)
