"""Internal roles, scopes, users and teams: what must be there for a rule ever to count."""

from __future__ import annotations

from collections.abc import Collection

from usherd.config.findings import Found, filled, issuer_of, known, owners
from usherd.config.problems import KeyPath
from usherd.config.schema import File
from usherd.config.schema_people import ProvisionWhen
from usherd.options import Options

_NO_ROLES = "has no claims.roles, so no token has a role of the provider; expected claims.roles there"


def check(file: File, options: Options) -> Found:
    """Everything that is wrong with the rules about people."""
    issuers = {issuer.name for issuer in file.issuers}
    yield from _mappings(file, issuers)
    yield from _permissions(file, options)
    yield from _scopes(file, issuers)
    yield from _claims(file)
    if "email_domains" in file.users.model_fields_set:
        why = "expected at least one domain, or no such key: addresses of every domain would do"
        yield from filled(("users", "email_domains"), file.users.email_domains, why)
    if file.preset == "strict":
        yield from _never_counts(file)
    for key, provision in (("users", file.users.provision), ("teams", file.teams.provision)):
        if provision is not None:
            yield from _when((key, "provision"), provision.when, file, options)
    users = file.users.provision
    if users is not None and users.defaults.role == "proxy_admin" and options.directory_role == "honoured":
        path: KeyPath = ("users", "provision", "defaults", "role")
        yield path, "proxy_admin would make an administrator of whoever is written; expected another role"


def _mappings(file: File, issuers: Collection[str]) -> Found:
    for index, mapping in enumerate(file.role_mappings):
        path: KeyPath = ("role_mappings", index)
        yield from issuer_of(path, mapping.issuer, issuers)
        for issuer in owners(mapping.issuer, file):
            if issuer.claims.roles is None and file.preset == "strict":
                yield path, f"the issuer {issuer.name} {_NO_ROLES}"


def _permissions(file: File, options: Options) -> Found:
    first: dict[str, int] = {}
    for index, permission in enumerate(file.role_permissions):
        if permission.role in first and options.role_precedence == "all":
            yield (
                ("role_permissions", index, "role"),
                f"{permission.role} has role_permissions[{first[permission.role]}] already, and the second would never"
                " count; expected one for each role",
            )
        first.setdefault(permission.role, index)


def _scopes(file: File, issuers: Collection[str]) -> Found:
    for index, mapping in enumerate(file.scopes.mappings):
        yield from issuer_of(("scopes", "mappings", index), mapping.issuer, issuers)


def _claims(file: File) -> Found:
    """Words that issuers have, and the rules that read them: neither means anything without the other."""
    for index, issuer in enumerate(file.issuers):
        path: KeyPath = ("issuers", index, "claims")
        mapped = any(issuer in owners(mapping.issuer, file) for mapping in file.role_mappings)
        if issuer.claims.object is not None and not mapped and file.preset == "strict":
            yield (*path, "object"), "is read by the internal role of a token; expected role_mappings for this issuer"
        if issuer.claims.user_roles is not None and not file.users.allowed_roles:
            yield (
                (*path, "user_roles"),
                "is read for users.allowed_roles only, which is empty; expected both or neither",
            )
    if file.users.allowed_roles and all(issuer.claims.user_roles is None for issuer in file.issuers):
        yield (
            ("users", "allowed_roles"),
            "is held against claims.user_roles, which no issuer has; expected both or neither",
        )


def _never_counts(file: File) -> Found:
    """Rules that look as if they restricted or gave something, and do not."""
    users, teams, scopes = file.users, file.teams, file.scopes
    if scopes.enforce and not scopes.mappings:
        yield ("scopes", "enforce"), "is true without mappings, so nothing would be held to them; expected mappings"
    if scopes.mappings and not scopes.enforce:
        yield ("scopes", "mappings"), "are not enforced, so they restrict nothing; expected enforce: true beside them"
    if users.role_map and all(issuer.claims.roles is None for issuer in file.issuers):
        yield (
            ("users", "role_map"),
            "is read from claims.roles, which no issuer has; expected claims.roles of an issuer",
        )
    if users.sync_roles and not users.role_map:
        yield ("users", "sync_roles"), "is true without role_map, which says the roles; expected role_map"
    if users.email_domains and all(issuer.claims.email is None for issuer in file.issuers):
        yield ("users", "email_domains"), "is held against claims.email, which no issuer has; expected claims.email"
    if teams.unknown_falls_back and teams.from_directory == "never":
        yield ("teams", "unknown_falls_back"), "means nothing without from_directory; expected single or all there"


def _when(path: KeyPath, when: ProvisionWhen, file: File, options: Options) -> Found:
    if when.always and options.provision == "after":
        yield (
            (*path, "when", "always"),
            "would write every stranger; expected other conditions, or insecure: {user.provision: before}",
        )
    if file.preset == "strict" and when == ProvisionWhen():
        yield (
            (*path, "when"),
            "is empty, so nobody would ever be written; expected roles, scopes, teams or email_domains",
        )
    roles = {role.name for role in file.roles}
    for place, name in enumerate(when.roles):
        yield from known((*path, "when", "roles", place), name, roles, "named role")
