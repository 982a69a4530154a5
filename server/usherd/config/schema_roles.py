"""The shape of roles in the file: named roles, internal roles, scopes and administrators, and what each is worth."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from usherd.config.fields import ClaimPathText, FreeText, ModelEntry, Name, RouteEntry, Scope, Section, Text, Texts

Holder = Literal["user", "service"]
InternalRole = Literal["proxy_admin", "team", "internal_user"]


class Grant(Section):
    """Routes and models that go together."""

    routes: list[RouteEntry] = Field(default_factory=list, description="Paths, templates, route groups. Empty: none.")
    models: list[ModelEntry] = Field(
        default_factory=list, description="Names, wildcards, access-group/NAME. Empty: none; `*`: all."
    )


class Role(Section):
    """A named role: which tokens hold it, and what it grants."""

    name: Name = Field(description="What explanations and principals call it.")
    issuer: Text | None = Field(
        default=None, description="Whose tokens can hold it; required with more than one issuer."
    )
    when: dict[ClaimPathText, Texts] = Field(
        description="Claims with the values or patterns that fit; all must be met. Never empty."
    )
    holders: list[Holder] = Field(
        default=["user", "service"], alias="for", description="Kinds of principals that can hold it."
    )
    grants: Grant = Field(default=Grant(), description="What it opens.")
    deny: Grant = Field(default=Grant(), description="What it closes, whatever else opens it.")


class RoleMapping(Section):
    """One role of the provider that means an internal role."""

    role: FreeText = Field(description="The exact value in the issuer's claims.roles.")
    internal_role: InternalRole = Field(description="What it means here.")
    issuer: Text | None = Field(default=None, description="Whose tokens; required with more than one issuer.")


class RolePermission(Section):
    """What holders of an internal role may do at most; and, for those who hold it by a mapping, what it grants."""

    role: InternalRole = Field(description="The internal role.")
    models: list[ModelEntry] | None = Field(default=None, description="Absent: no restriction. Empty: no model.")
    routes: list[RouteEntry] | None = Field(default=None, description="Absent: no restriction. Empty: no route.")


class ScopeMapping(Section):
    """What a scope permits."""

    scope: Scope = Field(description="The scope.")
    models: list[ModelEntry] = Field(default_factory=list, description="The models that it permits. Empty: none.")
    routes: list[RouteEntry] | None = Field(
        default=None,
        description="The routes that it permits, unless access.scope_routes is ignored. Absent: all that are open"
        " otherwise.",
    )
    issuer: Text | None = Field(default=None, description="Whose tokens; required with more than one issuer.")


class Scopes(Section):
    """Scopes that permit models and routes."""

    enforce: bool = Field(default=False, description="Whether every model asked for must be permitted by a scope.")
    mappings: list[ScopeMapping] = Field(default_factory=list, description="What each scope permits.")


class Admin(Section):
    """Who is an administrator, and which routes that opens."""

    issuer: Text | None = Field(default=None, description="Whose tokens; required with more than one issuer.")
    scopes: list[Scope] = Field(description="One of these scopes makes an administrator. Never empty.")
    routes: list[RouteEntry] = Field(
        default_factory=lambda: ["management_routes", "info_routes"],
        description="What administrators may call, with every model.",
    )
