"""What no single value shows: names that must exist, be unique, or could never match."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from usherd import claim_paths
from usherd.config import (
    envoy,
    rules_callers,
    rules_issuers,
    rules_lists,
    rules_models,
    rules_options,
    rules_people,
    sessions,
    telemetry,
)
from usherd.config.chosen import options_of
from usherd.config.findings import Found, filled, issuer_of, owners, readable, tried, twice
from usherd.config.problems import KeyPath, quoted
from usherd.config.route_groups import RouteGroups
from usherd.config.scalars import check_address, check_workers
from usherd.config.schema import File
from usherd.config.schema_roles import Role


def check(file: File, folder: Path) -> Found:
    """Everything that is wrong with a file whose single values are right, but for its directory, secrets and hook."""
    options = options_of(file)
    literal = options.route_match == "literal"
    issuers = {issuer.name for issuer in file.issuers}
    yield from rules_options.check(file)
    yield from rules_issuers.check(file, folder)
    yield from _roles(file, issuers)
    yield from _admin(file, issuers)
    yield from rules_people.check(file, options)
    yield from rules_lists.check(file, RouteGroups(file.routes.version, file.routes.groups, literal=literal))
    yield from rules_models.check(file)
    yield from _server(file, folder)
    yield from rules_callers.check(file)
    yield from envoy.check(file)
    yield from telemetry.check(file)
    yield from sessions.check(file)


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
    for issuer in owners(role.issuer, file):
        scopes = set(map(claim_paths.parse, issuer.claims.scopes))
        for claim, values in role.when.items():
            for place, value in enumerate(values if claim_paths.parse(claim) in scopes else ()):
                if " " in value:
                    yield (
                        (*path, "when", claim, place),
                        f"{quoted(value)} has a space, which no scope has (RFC 6749, section 3.3); expected one scope",
                    )


def _may_grant_role(path: KeyPath, role: Role, file: File) -> Found:
    for issuer in owners(role.issuer, file):
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
        for issuer in owners(rule.issuer, file):
            if not issuer.may_grant.admin:
                yield (
                    path,
                    f"the issuer {issuer.name} may not grant admin, so no token could be an administrator's; expected"
                    " may_grant.admin: true there",
                )


def _server(file: File, folder: Path) -> Found:
    yield from tried(("server", "address"), lambda: check_address(file.server.address))
    yield from tried(("server", "workers"), lambda: check_workers(file.server.workers, file.server.address))
    tls = file.server.tls
    for key in ("cert", "key", "client_ca"):
        if tls is not None and (name := getattr(tls, key)) is not None:
            yield from readable(("server", "tls", key), folder / name)
