"""What a list of models covers: read in full, name by name, or as the reference reads the lists of teams and users."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from usherd.bounded import Memo
from usherd.globs import fits_any
from usherd.permit.models import GROUP_PREFIX, RESERVED, Catalogue, KnownModel

Rules = Literal["full", "exact", "team", "user"]
"""`full`: names, `*` wildcards, access groups, aliases. `exact`: names, to the letter. `team` and `user`: as the
reference reads the lists of teams and users, which differ in their reserved words (seed behaviour, 8.3.1 and 8.3.2)."""

_NO_LITERALS = frozenset("()[]{}+?^$|\\")
"""In the reference, a wildcard entry is a regular expression. With one of these in it, it means something else than it
says, or is an error: it covers nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelSet:
    """What one list of models covers."""

    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    everything: bool = False
    refuses_without_model: bool = False
    """Whether even a request without a model is refused: so the reference does for some lists of users."""

    def __bool__(self) -> bool:
        """Whether it covers anything at all."""
        return bool(self.everything or self.names or self.groups or self.patterns)

    def covers(self, model: KnownModel) -> bool:
        """Whether the model is in the list by name, by access group or by a wildcard."""
        return (
            self.everything
            or model.name in self.names
            or not self.groups.isdisjoint(model.groups)
            or self._fits(model.name)
            or (bool(model.provider_name) and self._fits(model.provider_name))
        )

    def _fits(self, name: str) -> bool:
        # To the reference's regular expressions, `*` stands for no newline, but for one at the end. Elsewhere, a name
        # with a newline in it is no model.
        return "\n" not in name[:-1] and fits_any(name, self.patterns)


EVERYTHING = ModelSet(everything=True)
NOTHING = ModelSet()


class ModelLists:
    """Reads lists of models under one catalogue. The same list gives the same object."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: Memo[tuple[Rules, tuple[str, ...]], ModelSet] = Memo(4096)

    def listed(self, entries: tuple[str, ...], rules: Rules = "full") -> ModelSet:
        """What a list of models covers. An empty one covers nothing, whatever that may mean elsewhere."""
        known = self._known.get((rules, entries))
        if known is None:
            known = self._compile(entries, rules)
            self._known.put((rules, entries), known)
        return known

    def denied(self, entries: tuple[str, ...]) -> ModelSet:
        """What a deny list covers: what the list means, and each entry to the letter; and the models that these are by
        their providers' names."""
        listed = self._full(entries)
        names = listed.names.union(entries)
        return replace(listed, names=names.union(map(self._catalogue.of_provider_name, names)))

    def _compile(self, entries: tuple[str, ...], rules: Rules) -> ModelSet:
        if rules == "full":
            return self._full(entries)
        if rules == "exact":
            return ModelSet(names=frozenset(entries))
        return _as_team(entries) if rules == "team" else _as_user(entries)

    def _full(self, entries: tuple[str, ...]) -> ModelSet:
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
            elif entry in self._catalogue.groups and not self._catalogue.has(entry):
                # LiteLLM's directories name a group without a prefix. A model of that name would win.
                groups.add(entry)
            else:
                # A list that names an alias means its model: the alias itself is never what is called.
                names.add(self._catalogue.meant(entry))
        return ModelSet(frozenset(names), frozenset(groups), tuple(patterns), everything)


def _as_team(entries: tuple[str, ...]) -> ModelSet:
    everything = "*" in entries or "all-proxy-models" in entries
    return ModelSet(frozenset(entries), frozenset(entries), _patterns(entries), everything)


def _as_user(entries: tuple[str, ...]) -> ModelSet:
    if "no-default-models" in entries:
        return ModelSet(refuses_without_model=True)
    # A wildcard and no model to hold against it is an error there, and so a denial.
    without_model = any("*" in entry for entry in entries)
    return ModelSet(frozenset(entries), frozenset(entries), _patterns(entries), "*" in entries, without_model)


def _patterns(entries: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(entry for entry in entries if "*" in entry and _NO_LITERALS.isdisjoint(entry))
