"""Names of models: which texts can be one, what an alias means, and what a list of models covers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from usherd.bounded import Memo
from usherd.globs import fits_any
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


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model after its aliases are resolved, with what the catalogue says of it."""

    name: str
    groups: frozenset[str] = frozenset()
    provider_name: str = ""
    """`provider/name` as wildcards of a provider see it. Empty when the catalogue names no provider."""


class Catalogue:
    """What the gateway offers, by name and by alias."""

    def __init__(self, models: Iterable[CatalogueModel]) -> None:
        self._models: dict[str, KnownModel] = {}
        self._aliases: dict[str, str] = {}
        self._by_provider_name: dict[str, str] = {}
        groups: set[str] = set()
        for model in models:
            provider_name = f"{model.provider}/{model.name}" if model.provider else ""
            self._models[model.name] = KnownModel(model.name, frozenset(model.groups), provider_name)
            self._aliases.update(dict.fromkeys(model.aliases, model.name))
            if provider_name:
                self._by_provider_name[provider_name] = model.name
            groups.update(model.groups)
        self._groups = frozenset(groups)
        self._lists: Memo[tuple[str, ...], ModelSet] = Memo(4096)

    def names(self) -> list[str]:
        """Every name and alias, sorted by code points."""
        return sorted({*self._models, *self._aliases})

    def resolve(self, model: str, team_aliases: Mapping[str, str]) -> KnownModel:
        """The model that a name means: a team's own alias first, then the catalogue's, each followed once."""
        model = self._meant(team_aliases.get(model, model))
        return self._models.get(model) or KnownModel(model)

    def names_on_the_way(self, model: str, team_aliases: Mapping[str, str]) -> tuple[KnownModel, ...]:
        """Everything that a denial may mean: the name asked, what a team's alias makes of it, and the model itself.

        Here, and for no grant, `provider/name` is another name of the catalogue's model.
        """
        between = team_aliases.get(model, model)
        resolved = self.resolve(self._by_provider_name.get(between, between), {})
        return KnownModel(model), KnownModel(between), resolved

    def _meant(self, model: str) -> str:
        # A model of the catalogue is never shadowed by an alias of the same name.
        return model if model in self._models else self._aliases.get(model, model)

    def listed(self, entries: tuple[str, ...]) -> ModelSet:
        """What a list of models covers. The same list gives the same object."""
        known = self._lists.get(entries)
        if known is None:
            known = self._compile(entries)
            self._lists.put(entries, known)
        return known

    def denied(self, entries: tuple[str, ...]) -> ModelSet:
        """What a deny list covers: what the list means, and each entry to the letter."""
        listed = self._compile(entries)
        models = (self._by_provider_name.get(entry, entry) for entry in entries)
        return replace(listed, names=listed.names.union(entries, models))

    def _compile(self, entries: tuple[str, ...]) -> ModelSet:
        names: set[str] = set()
        groups: set[str] = set()
        patterns: list[str] = []
        everything = False
        for entry in entries:
            if entry in ("*", "all-proxy-models"):
                everything = True
            elif entry.startswith(GROUP_PREFIX):
                groups.add(entry.removeprefix(GROUP_PREFIX))
            elif "*" in entry:
                patterns.append(entry)
            elif entry in RESERVED:
                continue
            elif entry in self._groups and entry not in self._models and entry not in self._aliases:
                # LiteLLM's directories name a group without a prefix. A model of that name would win.
                groups.add(entry)
            else:
                # A list that names an alias means its model: the alias itself is never what is called.
                names.add(self._meant(entry))
        return ModelSet(frozenset(names), frozenset(groups), tuple(patterns), everything)


@dataclass(frozen=True, slots=True, eq=False)
class ModelSet:
    """What one list of models covers."""

    names: frozenset[str]
    groups: frozenset[str]
    patterns: tuple[str, ...]
    everything: bool

    def __bool__(self) -> bool:
        """Whether it covers anything at all."""
        return bool(self.everything or self.names or self.groups or self.patterns)

    def covers(self, model: KnownModel) -> bool:
        """Whether the model is in the list by name, by access group or by a wildcard."""
        return (
            self.everything
            or model.name in self.names
            or not self.groups.isdisjoint(model.groups)
            or fits_any(model.name, self.patterns)
            or (bool(model.provider_name) and fits_any(model.provider_name, self.patterns))
        )
