"""Expands the names of route groups: those of LiteLLM, which come as data, and the configuration's own."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from usherd.config.patterns import check_route_pattern
from usherd.config.problems import Unusable, did_you_mean, quoted

MAX_DEPTH = 8
"""Groups within groups."""
MAX_ROUTES = 10_000
"""Routes of one expanded list."""
VERSIONS = ("latest", "reference")
WORKING_METHODS = ("POST", "PUT", "PATCH")
"""The methods of pass-through routes that ask a provider for work; the others read, or delete."""


def _data(name: str) -> Any:
    return json.loads(resources.files("usherd.config").joinpath(name).read_text("utf-8"))


@functools.cache
def built_in(version: str) -> Mapping[str, tuple[str, ...]]:
    """The groups of one LiteLLM version, as route patterns, each once, in their order.

    The data are LiteLLM's and are taken deliberately: routes are matched without their query, so `/realtime?{model}`
    is `/realtime`; a canonical route has no trailing slash, so `/mcp/` is `/mcp`; a name without a slash (the group
    `openai_route_names` has only such) is the name of a function, not a route, and is left out.
    """
    groups: dict[str, tuple[str, ...]] = {}
    for name, entries in _data("route_groups.json")[version].items():
        routes = (re.sub(r"(?<=.)/\Z", "", entry.partition("?")[0]) for entry in entries if entry.startswith("/"))
        if expanded := tuple(dict.fromkeys(routes)):
            groups[name] = expanded
    return groups


@functools.cache
def built_in_texts(version: str) -> Mapping[str, tuple[str, ...]]:
    """The groups of one LiteLLM version as they are there, to be compared text by text."""
    return {name: tuple(dict.fromkeys(entries)) for name, entries in _data("route_groups.json")[version].items()}


@functools.cache
def model_routes() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(routes that need a model, templates of routes that name one), as patterns.

    Needed: wherever the provider's API takes a `model` and work is done with it, in the body or, for realtime, in the
    query. Not needed: reading or cancelling what exists (`/v1/responses/{id}`, runs, files, batches: a batch names
    its models line by line in a file that only the gateway sees), moderations (the API has a default model), search.
    What a pass-through prefix carries is the provider's to decide and grows without notice, so all that may do work
    there needs a model: every POST, PUT and PATCH, uploads too.

    Templates read the model before any verb, as verbs are added without notice as well. Prefixes of few segments
    stand beside `{prefix:path}`, which finds the last place that fits: a URL with two such places names two models.
    A deployment or engine behind a prefix is one segment; where more is read as well, both readings must be granted.
    A URL that names the model satisfies the need; that model must then be granted, whatever the body says.
    """
    routes = _data("model_routes.json")
    # Traces and vectors: no model works behind these prefixes.
    without = frozenset(routes["pass_through_without_model"])
    prefixes = {
        prefix
        for version in VERSIONS
        for prefix in built_in(version)["mapped_pass_through_routes"]
        if prefix not in without
    }
    behind = tuple(f"{method} {prefix}/*" for method in WORKING_METHODS for prefix in sorted(prefixes))
    return (*routes["model_required"], *behind), tuple(routes["model_templates"])


class RouteGroups:
    """The groups that lists of routes may name.

    Where routes are `literal`, every entry that names no group is a text to compare routes with. So is the name of a
    group itself, as in the reference, and groups within groups are not looked into: their names are texts, too.
    """

    def __init__(self, version: str, own: Mapping[str, Iterable[str]], *, literal: bool = False) -> None:
        self._literal = literal
        self._groups: dict[str, tuple[str, ...]] = {**(built_in_texts(version) if literal else built_in(version))}
        self._built_in = frozenset(self._groups)
        self._groups.update((name, tuple(entries)) for name, entries in own.items())

    @property
    def names(self) -> frozenset[str]:
        """The names of all groups."""
        return frozenset(self._groups)

    def is_built_in(self, name: str) -> bool:
        """Whether a group of that name comes with usherd."""
        return name in self._built_in

    def expand(self, entries: Iterable[str]) -> tuple[str, ...]:
        """The route patterns of a list, groups replaced by what is in them, each once. Raises Unusable."""
        found: dict[str, None] = {}
        if self._literal:
            for entry in entries:
                found.update(dict.fromkeys((entry, *self._groups.get(entry, ()))))
        else:
            self._expand(entries, found, ())
        return tuple(found)

    def _expand(self, entries: Iterable[str], found: dict[str, None], inside: tuple[str, ...]) -> None:
        if len(inside) > MAX_DEPTH:
            raise Unusable(f"groups are nested too deeply; expected at most {MAX_DEPTH} levels")
        for entry in entries:
            if "/" in entry or " " in entry:
                found[check_route_pattern(entry)] = None
            elif entry in inside:
                raise Unusable(f"the group {entry} contains itself")
            elif entry in self._groups:
                self._expand(self._groups[entry], found, (*inside, entry))
            else:
                hint = did_you_mean(entry, self._groups) or "; expected a path or the name of a route group"
                raise Unusable(f"{quoted(entry)} is no route and no known route group{hint}")
            if len(found) > MAX_ROUTES:
                raise Unusable(f"has too many routes; expected at most {MAX_ROUTES}")
