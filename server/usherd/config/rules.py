"""What no single value shows: names that must exist, be unique, or could never match."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from usherd import claim_paths
from usherd.config.chosen import options_of
from usherd.config.patterns import LISTED_WORDS
from usherd.config.problems import KeyPath, Unusable, did_you_mean, one_of, quoted
from usherd.config.route_groups import RouteGroups
from usherd.config.scalars import check_address
from usherd.config.schema import File
from usherd.config.schema_issuers import Issuer
from usherd.config.schema_roles import Admin, Grant, Role
from usherd.permit.models import GROUP_PREFIX

Found = Iterator[tuple[KeyPath, str]]
"""Places, and what is wrong there."""


def check(file: File, folder: Path) -> Found:
    """Everything that is wrong with a file whose single values are right, but for its issuers and its directory."""
    options = options_of(file)
    groups = RouteGroups(file.routes.version, file.routes.groups, literal=options.route_match == "literal")
    issuers = {issuer.name: issuer.may_grant for issuer in file.issuers}
    groups_of_models = access_groups(file)
    yield from _roles(file, issuers.keys())
    yield from _admin(file, issuers.keys())
    yield from _routes(file, groups)
    for path, grant in _grants(file):
        yield from routes_of((*path, "routes"), grant.routes, groups)
        yield from models_of((*path, "models"), grant.models, groups_of_models)
    yield from _models(file)
    yield from _server(file, folder)


def twice(path: KeyPath, names: Sequence[str], key: str, what: str) -> Found:
    """Names that stand more than once in a list of mappings."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            other = f"{path[-1]}[{first[name]}]"
            yield (*path, index, key), f"{quoted(name)} is {what} of {other}, too; expected each once"
        first.setdefault(name, index)


def known(path: KeyPath, name: str, names: Collection[str], what: str) -> Found:
    """A name that nothing has. A large collection of names should be a set."""
    if name not in names:
        few = f"; expected {one_of(sorted(names))}" if 0 < len(names) <= 5 else ""
        yield path, f"{quoted(name)} is no {what}{did_you_mean(name, names) or few}"


def filled(path: KeyPath, value: Sequence[object] | Mapping[str, object] | None, why: str) -> Found:
    """A list or mapping that is there and empty."""
    if value is not None and not value:
        yield path, f"is empty; {why}"


def routes_of(path: KeyPath, entries: Sequence[str], groups: RouteGroups) -> Found:
    """Entries that are neither routes nor groups of routes."""
    for index, entry in enumerate(entries):
        yield from _tried((*path, index), lambda entry=entry: groups.expand([entry]))  # type: ignore[misc]


def access_groups(file: File) -> Collection[str] | None:
    """The access groups that lists of models may name; None: any text is a model, and so is what names no group."""
    return None if file.preset == "litellm" else {group for model in file.models for group in model.groups}


def models_of(path: KeyPath, entries: Sequence[str], access_groups: Collection[str] | None) -> Found:
    """Entries that name an access group which no model is in."""
    if access_groups is None:
        return
    for index, entry in enumerate(entries):
        if entry.startswith(GROUP_PREFIX):
            name = entry.removeprefix(GROUP_PREFIX)
            yield from known((*path, index), name, access_groups, "access group of a model in models")
        elif entry in LISTED_WORDS and len(entries) > 1 and entry == "no-default-models":
            yield (*path, index), "'no-default-models' means none; expected it alone"


def issuer_of(path: KeyPath, name: str | None, issuers: Collection[str]) -> Found:
    """A missing or unknown issuer."""
    if name is not None:
        yield from known((*path, "issuer"), name, issuers, "issuer")
    elif len(issuers) > 1:
        yield path, f"issuer is missing; with more than one issuer, expected one of {one_of(sorted(issuers))}"


def readable(path: KeyPath, file: Path) -> Found:
    """A file that cannot be read, or is empty."""
    try:
        with file.open("rb") as opened:
            empty = not opened.read(1)
    except (OSError, ValueError):
        yield path, "cannot be read; expected a file, relative to this one"
    else:
        if empty:
            yield path, "is empty"


def _tried(path: KeyPath, attempt: Callable[[], object]) -> Found:
    try:
        attempt()
    except Unusable as error:
        yield path, str(error)


def _grants(file: File) -> Iterator[tuple[KeyPath, Grant]]:
    for index, role in enumerate(file.roles):
        yield ("roles", index, "grants"), role.grants
        yield ("roles", index, "deny"), role.deny


def _roles(file: File, issuers: Collection[str]) -> Found:
    yield from twice(("roles",), [role.name for role in file.roles], "name", "the name")
    for index, role in enumerate(file.roles):
        path: KeyPath = ("roles", index)
        yield from issuer_of(path, role.issuer, issuers)
        yield from filled(
            (*path, "when"), role.when, "expected at least one claim: a role that everybody holds is none"
        )
        for claim, values in role.when.items():
            yield from filled((*path, "when", claim), values, "expected at least one value or pattern")
        yield from filled((*path, "for"), role.holders, "expected user, service or both")
        yield from _scopes_of(path, role, file)
        if not any((role.grants.routes, role.grants.models, role.deny.routes, role.deny.models)):
            yield path, "grants nothing and denies nothing; expected routes or models in grants or deny"
        yield from _may_grant_role(path, role, file)


def _scopes_of(path: KeyPath, role: Role, file: File) -> Found:
    """Conditions that no scope meets."""
    for issuer in _owners(role, file):
        scopes = set(map(claim_paths.parse, issuer.claims.scopes))
        for claim, values in role.when.items():
            for place, value in enumerate(values if claim_paths.parse(claim) in scopes else ()):
                if " " in value:
                    yield (
                        (*path, "when", claim, place),
                        f"{quoted(value)} has a space, which no scope has (RFC 6749, section 3.3); expected one scope",
                    )


def _may_grant_role(path: KeyPath, role: Role, file: File) -> Found:
    for issuer in _owners(role, file):
        if issuer.may_grant.roles is not None and role.name not in issuer.may_grant.roles:
            yield (
                path,
                f"the issuer {issuer.name} may not grant {role.name}, so no token could hold it; expected it in the"
                " issuer's may_grant.roles",
            )


def _admin(file: File, issuers: Collection[str]) -> Found:
    only = file.issuers[0].name if len(file.issuers) == 1 else ""
    yield from twice(("admin",), [rule.issuer or only for rule in file.admin], "issuer", "the issuer")
    for index, rule in enumerate(file.admin):
        path: KeyPath = ("admin", index)
        yield from issuer_of(path, rule.issuer, issuers)
        yield from filled((*path, "scopes"), rule.scopes, "expected at least one scope")
        for issuer in _owners(rule, file):
            if not issuer.may_grant.admin:
                yield (
                    path,
                    f"the issuer {issuer.name} may not grant admin, so no token could be an administrator's; expected"
                    " may_grant.admin: true there",
                )


def _owners(rule: Role | Admin, file: File) -> list[Issuer]:
    name = rule.issuer if rule.issuer is not None else file.issuers[0].name if len(file.issuers) == 1 else None
    return [issuer for issuer in file.issuers if issuer.name == name]


def _routes(file: File, groups: RouteGroups) -> Found:
    for name, entries in file.routes.groups.items():
        if groups.is_built_in(name):
            yield ("routes", "groups", name), f"{name} is a group of its own already; expected another name"
        yield from routes_of(("routes", "groups", name), entries, groups)
    yield from routes_of(("routes", "public"), file.routes.public, groups)
    yield from routes_of(("routes", "allowed"), file.routes.allowed or [], groups)
    yield from routes_of(("routes", "admin_only"), file.routes.admin_only, groups)
    yield from routes_of(("users", "routes"), file.users.routes, groups)
    yield from routes_of(("teams", "routes"), file.teams.routes, groups)
    for index, rule in enumerate(file.admin):
        yield from routes_of(("admin", index, "routes"), rule.routes, groups)


def _models(file: File) -> Found:
    names = [model.name for model in file.models]
    yield from twice(("models",), names, "name", "the name")
    owners: dict[str, str] = {}
    for index, model in enumerate(file.models):
        for place, alias in enumerate(model.aliases):
            path: KeyPath = ("models", index, "aliases", place)
            if alias in names:
                yield path, f"{quoted(alias)} is the name of a model, which an alias must not hide; expected another"
            elif alias in owners:
                yield path, f"{quoted(alias)} is an alias of {quoted(owners[alias])} already; expected each once"
            owners.setdefault(alias, model.name)


def _server(file: File, folder: Path) -> Found:
    yield from _tried(("server", "address"), lambda: check_address(file.server.address))
    tls = file.server.tls
    for key in ("cert", "key", "client_ca"):
        if tls is not None and (name := getattr(tls, key)) is not None:
            yield from readable(("server", "tls", key), folder / name)
