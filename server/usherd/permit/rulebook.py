"""The policy's rules, compiled once: what each role, rule and list means for routes and models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from usherd.facts import Organization, Team, User
from usherd.permit.entitling import Entitling
from usherd.permit.model_lists import EVERYTHING, NOTHING, ModelLists, ModelSet, Rules
from usherd.permit.models import Catalogue, KnownModel
from usherd.permit.route_match import EVERY_ROUTE, LiteralRoutes, ModelInRoute, Routes, RouteSet
from usherd.policy import Grant, Policy, RolePermission, ScopeMapping

_EVERY_MODEL = ("*",)

Aliases = Literal["followed", "before", "ignored"]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledGrant:
    """Routes and models that go together."""

    routes: Routes
    models: ModelSet
    aliases: Aliases = "followed"
    """How a model is held against the list: after its aliases were `followed`; after those of the policy were, which go
    `before` the models of those names; or by what is asked, with aliases `ignored`."""

    def covers_route(self, method: str, route: str) -> bool:
        """Whether the grant opens the route."""
        return self.routes.grants(method, route)

    def covers_model(self, model: KnownModel) -> bool:
        """Whether the grant opens the model, on its routes."""
        return self.models.covers(model)


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRole:
    """A named role, by what it grants and what it denies."""

    name: str
    grants: CompiledGrant
    denied_routes: RouteSet
    denied_models: ModelSet


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPermission:
    """What an internal role permits at most. None: no restriction."""

    routes: Routes | None
    models: ModelSet | None
    grant: CompiledGrant | None
    """What it grants to those who hold the role by a mapping: nothing that is not written out. None where only one role
    counts, so that grants do not add up."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledScope:
    """What a scope permits."""

    issuer: str
    scope: str
    routes: Routes | None
    """None: whatever routes are granted otherwise."""
    models: ModelSet


class Rulebook:
    """Everything the checks look up in the policy. Immutable but for memos of pure functions."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.options = options = policy.options
        self.catalogue = Catalogue(policy.models, policy.model_aliases)
        self.lists = ModelLists(self.catalogue)
        self.entitling = Entitling(policy)
        self.roles = tuple(
            CompiledRole(
                role.name,
                self._grant(role.grants),
                RouteSet(role.deny.routes),
                self.lists.denied(role.deny.models),
            )
            for role in policy.roles
        )
        self._admin = {
            rule.issuer: self._grant(Grant(routes=rule.routes, models=_EVERY_MODEL)) for rule in policy.admin
        }
        self.session_admin = self._grant(Grant(routes=policy.session_admin_routes, models=_EVERY_MODEL))
        self.session = CompiledGrant(self.routes(policy.session_routes), NOTHING) if policy.session_routes else None
        """What every session opens, for requests without a model; None: nothing of the kind."""
        # Read from behind, so that of several for one role the first stays.
        self.permissions = {each.role: self._permission(each) for each in reversed(policy.internal_roles.permissions)}
        self.scopes = tuple(map(self._scope, policy.scopes.mappings))
        unchecked = options.route_check == "reference"
        self._user_routes = EVERY_ROUTE if unchecked else self.routes(policy.users.routes)
        self._role_routes = {role: self.routes(routes) for role, routes in policy.users.role_routes.items()}
        self._group_routes = self.routes(policy.teams.routes)
        self._team_routes = EVERY_ROUTE if unchecked else self._group_routes
        self.public = self.routes(policy.routes.public)
        self.allowed = None if policy.routes.allowed is None else self.routes(policy.routes.allowed)
        self.admin_only = self.routes(policy.routes.admin_only)
        self._llm = RouteSet(policy.routes.llm)
        self._llm_within = policy.routes.llm_within
        self._with_team_claim = {each.name for each in policy.issuers if each.claims.team is not None}
        self.organization_admin = self.routes(policy.routes.organization_admin)
        self.needs_model = RouteSet(policy.routes.model_required if options.model_required == "deny" else ())
        self.model_in_route = ModelInRoute(policy.routes.model_templates)
        self.nobody = CompiledGrant(self._user_routes, EVERYTHING)
        """What a token that maps to nothing opens, where that is anything."""

    def is_llm(self, method: str, route: str) -> bool:
        """Whether the route is one of the language models'. What binds there binds requests of no known method, too."""
        return any(text in route for text in self._llm_within) or self._llm.denies(method, route)

    def has_team_claim(self, issuer: str) -> bool:
        """Whether tokens of that issuer have a claim for a single team."""
        return issuer in self._with_team_claim

    def admin(self, issuer: str) -> CompiledGrant | None:
        """What an administrator of that issuer may call; None when the policy has no rule for that issuer."""
        return self._admin.get(issuer)

    def of_team(self, team: Team, *, by_group: bool = False) -> CompiledGrant:
        """What a team grants: the routes of all teams, its own models."""
        routes = self._group_routes if by_group else self._team_routes
        if by_group and self.options.team_model_rules == "exact":
            # Of several teams, the reference takes one that has the model by name, and an empty list has none.
            models = EVERYTHING if "*" in (team.models or ()) else self.lists.listed(team.models or (), "exact")
            return CompiledGrant(routes, models, "ignored")
        rules: Rules = "full" if self.options.team_model_rules == "full" else "team"
        return CompiledGrant(routes, self._list(team.models, rules), "followed" if rules == "full" else "ignored")

    def of_user(self, user: User) -> CompiledGrant:
        """What a user without a team is granted: the routes of all users, the user's own models."""
        rules: Rules = "full" if self.options.user_model_rules == "full" else "user"
        return CompiledGrant(
            self._user_routes, self._list(user.models, rules), "followed" if rules == "full" else "before"
        )

    def of_directory_role(self, role: str) -> CompiledGrant | None:
        """The routes that a directory role adds, for requests without a model; None: none."""
        routes = self._role_routes.get(role)
        return None if routes is None else CompiledGrant(routes, NOTHING)

    def ceiling(self, row: User | Organization) -> ModelSet | None:
        """The models that a row leaves at most; None: it is no ceiling."""
        if row.models is None or (not row.models and self.options.empty_list == "all"):
            return None
        return self.lists.listed(row.models)

    def routes(self, patterns: Iterable[str]) -> Routes:
        """A list of routes of the policy, as `route.match` reads it."""
        return LiteralRoutes(patterns) if self.options.route_match == "literal" else RouteSet(patterns)

    def _list(self, models: tuple[str, ...] | None, rules: Rules) -> ModelSet:
        if not models:
            return EVERYTHING if self.options.empty_list == "all" else NOTHING
        return self.lists.listed(models, rules)

    def _grant(self, grant: Grant) -> CompiledGrant:
        return CompiledGrant(self.routes(grant.routes), self.lists.listed(grant.models))

    def _permission(self, permission: RolePermission) -> CompiledPermission:
        routes = None if permission.routes is None else self.routes(permission.routes)
        models = (
            None if permission.models is None else self.lists.listed(permission.models, self.options.role_model_rules)
        )
        grant = None
        if self.options.role_precedence == "all" and routes is not None:
            grant = CompiledGrant(routes, NOTHING if models is None else models)
        return CompiledPermission(routes, models, grant)

    def _scope(self, mapping: ScopeMapping) -> CompiledScope:
        enforced = self.options.scope_routes == "enforced"
        routes = self.routes(mapping.routes) if enforced and mapping.routes is not None else None
        models = self.lists.listed(mapping.models, self.options.scope_model_rules)
        return CompiledScope(mapping.issuer, mapping.scope, routes, models)
