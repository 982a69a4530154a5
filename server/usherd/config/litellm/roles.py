"""Makes the rules about administrators, internal roles and scopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from usherd.config.litellm import routes
from usherd.config.litellm.jwtauth import INTERNAL_ROLES, JwtAuth
from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.values import Section
from usherd.config.litellm.versions import Version
from usherd.config.problems import KeyPath

Rules = dict[str, Any]
Each = Sequence[Mapping[str, str]]
"""`{issuer: NAME}` for each issuer of several; for a single one, one empty mapping."""


def admin(auth: JwtAuth, each: Each, version: Version, book: Notebook) -> Rules | list[Rules]:
    """Who is an administrator."""
    opened = routes.granted(auth.admin_routes, auth.section.at("admin_allowed_routes"), version, book)
    made = [{**issuer, "scopes": [auth.admin_scope], "routes": opened} for issuer in each]
    if len(made) == 1:
        return made[0]
    book.remark(
        ("admin", 0), "Tokens of every issuer can make administrators, as in LiteLLM; leave out those that should not."
    )
    return made


def role_mappings(auth: JwtAuth, each: Each) -> list[Rules]:
    """Roles of the provider that mean internal roles."""
    return [
        {**issuer, "role": role, "internal_role": internal} for role, internal in auth.role_mappings for issuer in each
    ]


def role_permissions(general: Section, version: Version, book: Notebook) -> list[Rules]:
    """What the internal roles permit."""
    made: list[Rules] = []
    for entry in general.sections("role_permissions") or ():
        entry.known(frozenset({"role", "models", "routes"}), version)
        rule: Rules = {"role": entry.one_of("role", INTERNAL_ROLES)}
        models, listed = entry.texts("models"), entry.texts("routes")
        if models is not None:
            rule["models"] = models
        if listed is not None:
            rule["routes"] = routes.granted(listed, entry.at("routes"), version, book)
        made.append(rule)
    return made


def scopes(auth: JwtAuth, each: Each, version: Version, book: Notebook) -> Rules | None:
    """What scopes permit; None: no scope is asked for."""
    if not auth.scope_mappings:
        return None
    made: list[Rules] = []
    for index, mapping in enumerate(auth.scope_mappings):
        rule: Rules = {"scope": mapping.scope, "models": mapping.models or []}
        if mapping.routes is not None:
            path: KeyPath = (*auth.section.at("scope_mappings"), index, "routes")
            rule["routes"] = routes.granted(mapping.routes, path, version, book)
        made += [{**issuer, **rule} for issuer in each]
    return {"enforce": True, "mappings": made}
