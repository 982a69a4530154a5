"""Lists of routes and of models, wherever they stand: each entry must be one that something can fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from usherd.config.findings import Found, known, tried
from usherd.config.patterns import LISTED_WORDS
from usherd.config.problems import KeyPath
from usherd.config.route_groups import RouteGroups
from usherd.config.schema import File
from usherd.permit.models import GROUP_PREFIX


class Every(frozenset[str]):
    """All names: where more may be known elsewhere, none is missing."""

    def __contains__(self, item: object) -> bool:
        return True


_Lists = Iterator[tuple[KeyPath, Sequence[str]]]


def check(file: File, groups: RouteGroups) -> Found:
    """Everything that is wrong in the lists of a file."""
    yield from routes(file, groups)
    for name in file.routes.groups:
        if groups.is_built_in(name):
            yield ("routes", "groups", name), f"{name} is a group of its own already; expected another name"
    names = access_groups(file)
    for path, entries in _model_lists(file):
        yield from models_of(path, entries, names)


def routes(file: File, groups: RouteGroups) -> Found:
    """Entries of lists of routes that are neither routes nor groups of routes."""
    for path, entries in _route_lists(file):
        yield from routes_of(path, entries, groups)


def _route_lists(file: File) -> _Lists:
    for name, entries in file.routes.groups.items():
        yield ("routes", "groups", name), entries
    yield ("routes", "public"), file.routes.public
    yield ("routes", "allowed"), file.routes.allowed or ()
    yield ("routes", "admin_only"), file.routes.admin_only
    yield ("users", "routes"), file.users.routes
    yield ("teams", "routes"), file.teams.routes
    for index, rule in enumerate(file.admin):
        yield ("admin", index, "routes"), rule.routes
    for index, role in enumerate(file.roles):
        yield ("roles", index, "grants", "routes"), role.grants.routes
        yield ("roles", index, "deny", "routes"), role.deny.routes
    for index, permission in enumerate(file.role_permissions):
        yield ("role_permissions", index, "routes"), permission.routes or ()
    for index, mapping in enumerate(file.scopes.mappings):
        yield ("scopes", "mappings", index, "routes"), mapping.routes or ()


def _model_lists(file: File) -> _Lists:
    for index, role in enumerate(file.roles):
        yield ("roles", index, "grants", "models"), role.grants.models
        yield ("roles", index, "deny", "models"), role.deny.models
    for index, permission in enumerate(file.role_permissions):
        yield ("role_permissions", index, "models"), permission.models or ()
    for index, mapping in enumerate(file.scopes.mappings):
        yield ("scopes", "mappings", index, "models"), mapping.models
    for key, provision in (("users", file.users.provision), ("teams", file.teams.provision)):
        if provision is not None:
            yield (key, "provision", "defaults", "models"), provision.defaults.models or ()


def routes_of(path: KeyPath, entries: Sequence[str], groups: RouteGroups) -> Found:
    """Entries that are neither routes nor groups of routes."""
    for index, entry in enumerate(entries):
        yield from tried((*path, index), lambda entry=entry: groups.expand([entry]))  # type: ignore[misc]


def access_groups(file: File) -> Collection[str] | None:
    """The access groups that lists of models may name; None: any text is a model, and so is what names no group.

    A database that keeps the directory may keep models of any group.
    """
    if file.preset == "litellm":
        return None
    return Every() if file.directory.url is not None else _groups(file)


def _groups(file: File) -> Collection[str]:
    return {group for model in file.models for group in model.groups}


def groups_elsewhere(file: File) -> Found:
    """Access groups that the lists of a file name, and that only models of the database can be in."""
    if file.preset != "litellm" and file.directory.url is not None:
        for path, entries in _model_lists(file):
            yield from models_of(path, entries, _groups(file), only_groups=True)


def models_of(
    path: KeyPath, entries: Sequence[str], access_groups: Collection[str] | None, *, only_groups: bool = False
) -> Found:
    """Entries that name an access group which no model is in, and, unless `only_groups`, what else cannot be."""
    if access_groups is None:
        return
    for index, entry in enumerate(entries):
        if entry.startswith(GROUP_PREFIX):
            name = entry.removeprefix(GROUP_PREFIX)
            yield from known((*path, index), name, access_groups, "access group of a model in models")
        elif not only_groups and entry in LISTED_WORDS and len(entries) > 1 and entry == "no-default-models":
            yield (*path, index), "'no-default-models' means none; expected it alone"
