"""Makes the rules of the policy about users, teams and internal roles."""

from __future__ import annotations

from usherd.config.chosen import enforces_rbac
from usherd.config.route_groups import RouteGroups
from usherd.config.route_sets import role_routes
from usherd.config.schema import File
from usherd.config.schema_people import TeamDefaults, TeamProvision, UserDefaults, UserProvision
from usherd.policy import (
    InternalRoleRules,
    ProvisionRules,
    RoleMapping,
    RolePermission,
    ScopeMapping,
    ScopeRules,
    TeamRules,
    UserRules,
)


def owner(name: str | None, file: File) -> str:
    """The name of the issuer that a rule is for."""
    return file.issuers[0].name if name is None else name


def internal_roles(file: File, preset: str, groups: RouteGroups) -> InternalRoleRules:
    """Who holds an internal role, and what it permits."""
    return InternalRoleRules(
        enforce=enforces_rbac(file, preset),
        enforce_id=file.access.enforce_id,
        mappings=tuple(
            RoleMapping(issuer=owner(each.issuer, file), role=each.role, internal_role=each.internal_role)
            for each in file.role_mappings
        ),
        permissions=tuple(
            RolePermission(
                role=each.role,
                models=None if each.models is None else tuple(each.models),
                routes=None if each.routes is None else groups.expand(each.routes),
            )
            for each in file.role_permissions
        ),
    )


def scopes(file: File, groups: RouteGroups) -> ScopeRules:
    """What scopes permit."""
    return ScopeRules(
        enforce=file.scopes.enforce,
        mappings=tuple(
            ScopeMapping(
                issuer=owner(each.issuer, file),
                scope=each.scope,
                models=tuple(each.models),
                routes=None if each.routes is None else groups.expand(each.routes),
            )
            for each in file.scopes.mappings
        ),
    )


def users(file: File, groups: RouteGroups) -> UserRules:
    """What users may do, and what makes one."""
    given = file.users
    return UserRules(
        routes=groups.expand(given.routes),
        allowed_roles=frozenset(given.allowed_roles),
        email_domains=frozenset(given.email_domains),
        role_map=tuple((each.role, each.directory_role) for each in given.role_map),
        role_routes=role_routes(groups),
        provision=_provision(given.provision),
        sync_roles=given.sync_roles,
        sync_teams=given.sync_teams,
    )


def teams(file: File, groups: RouteGroups) -> TeamRules:
    """How a team is chosen, and which routes it opens."""
    given = file.teams
    return TeamRules(
        required=given.required,
        default=given.default,
        routes=groups.expand(given.routes),
        priority=tuple(given.priority),
        from_directory=given.from_directory,
        unknown_falls_back=given.unknown_falls_back,
        provision=_provision(given.provision),
    )


def _provision(given: UserProvision | TeamProvision | None) -> ProvisionRules | None:
    if given is None:
        return None
    return ProvisionRules(
        roles=frozenset(given.when.roles),
        scopes=frozenset(given.when.scopes),
        teams=given.when.teams,
        email_domains=frozenset(given.when.email_domains),
        always=given.when.always,
        defaults=_defaults(given.defaults),
        per_minute=given.per_minute,
    )


def _defaults(given: TeamDefaults) -> dict[str, object]:
    """Values of the new row, only those that are given."""
    found: dict[str, object] = {}
    if given.models is not None:
        found["models"] = tuple(given.models)
    if given.max_budget is not None:
        found["max_budget_micro_usd"] = given.max_budget
    if isinstance(given, UserDefaults):
        if given.role is not None:
            found["role"] = given.role
        if given.teams is not None:
            found["teams"] = tuple(given.teams)
    return found
