"""The catalogue of models, and the names that mean another model."""

from __future__ import annotations

from usherd.config.findings import Found, twice
from usherd.config.problems import KeyPath, quoted
from usherd.config.schema import File


def check(file: File) -> Found:
    """Everything that is wrong with the catalogue. In the reference's, a name may mean anything."""
    yield from twice(("models",), [model.name for model in file.models], "name", "the name")
    if file.preset == "strict":
        yield from _own_aliases(file)
        yield from _other_aliases(file)


def _own_aliases(file: File) -> Found:
    names = {model.name for model in file.models}
    owners: dict[str, str] = {}
    for index, model in enumerate(file.models):
        if "*" in model.name and model.aliases:
            yield ("models", index, "aliases"), f"{quoted(model.name)} is many models; expected no aliases for it"
        for place, alias in enumerate(model.aliases):
            path: KeyPath = ("models", index, "aliases", place)
            if alias in names:
                yield path, f"{quoted(alias)} is the name of a model, which an alias must not hide; expected another"
            elif alias in owners:
                yield path, f"{quoted(alias)} is an alias of {quoted(owners[alias])} already; expected each once"
            owners.setdefault(alias, model.name)


def _other_aliases(file: File) -> Found:
    names = {model.name for model in file.models}
    owners = {alias: model.name for model in file.models for alias in model.aliases}
    for alias, target in file.model_aliases.items():
        path: KeyPath = ("model_aliases", alias)
        if alias in names:
            yield path, f"{quoted(alias)} is the name of a model, which an alias must not hide; expected another"
        elif alias in owners:
            yield path, f"{quoted(alias)} is an alias of {quoted(owners[alias])} already; expected each once"
        if target in file.model_aliases or target in owners:
            yield path, f"{quoted(target)} is an alias itself, and aliases are followed once; expected a model's name"
