"""The policy's rules, compiled once: what each role, rule and list means for routes and models."""

from __future__ import annotations

from dataclasses import dataclass

from usherd.facts import Team, User
from usherd.permit.models import Catalogue, KnownModel, ModelSet
from usherd.permit.route_match import ModelInRoute, RouteSet
from usherd.policy import Grant, Policy

_EVERY_MODEL = ("*",)


@dataclass(frozen=True, slots=True, eq=False)
class CompiledGrant:
    """Routes and models that go together."""

    routes: RouteSet
    models: ModelSet

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


class Rulebook:
    """Everything the checks look up in the policy. Immutable but for memos of pure functions."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.catalogue = Catalogue(policy.models)
        self.roles = tuple(
            CompiledRole(
                role.name,
                self._grant(role.grants),
                RouteSet(role.deny.routes),
                self.catalogue.denied(role.deny.models),
            )
            for role in policy.roles
        )
        self._admin = {
            rule.issuer: self._grant(Grant(routes=rule.routes, models=_EVERY_MODEL)) for rule in policy.admin
        }
        self.session_admin = self._grant(Grant(routes=policy.session_admin_routes, models=_EVERY_MODEL))
        self._user_routes = RouteSet(policy.users.routes)
        self._team_routes = RouteSet(policy.teams.routes)
        self.public = RouteSet(policy.routes.public)
        self.allowed = None if policy.routes.allowed is None else RouteSet(policy.routes.allowed)
        self.admin_only = RouteSet(policy.routes.admin_only)
        self.needs_model = RouteSet(policy.routes.model_required)
        self.model_in_route = ModelInRoute(policy.routes.model_templates)

    def admin(self, issuer: str) -> CompiledGrant | None:
        """What an administrator of that issuer may call; None when the policy has no rule for that issuer."""
        return self._admin.get(issuer)

    def of_team(self, team: Team) -> CompiledGrant:
        """What a team grants: the routes of all teams, its own models."""
        return CompiledGrant(self._team_routes, self.catalogue.listed(team.models or ()))

    def of_user(self, user: User) -> CompiledGrant:
        """What a user without a team is granted: the routes of all users, the user's own models."""
        return CompiledGrant(self._user_routes, self.catalogue.listed(user.models or ()))

    def _grant(self, grant: Grant) -> CompiledGrant:
        return CompiledGrant(RouteSet(grant.routes), self.catalogue.listed(grant.models))
