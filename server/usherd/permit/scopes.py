"""Where the policy enforces scopes, every model asked for must be one that a scope of the token permits.

Scopes permit and do not grant: what a request may do is granted by roles, teams and users.
"""

from __future__ import annotations

from usherd.domain import SESSION_ISSUER
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.permit.entitling import spelled_out
from usherd.permit.rulebook import CompiledScope
from usherd.reasons import Reason


def scopes(case: Case) -> Outcome:
    """Denies a token without any of the scopes, and a route or model that none of its scopes permits.

    A session has none: what is asked of a provider's tokens is not asked of it.
    """
    rules, asked = case.rules, case.asked
    profile = case.identity.profile
    if not rules.policy.scopes.enforce or not rules.scopes or profile.issuer == SESSION_ISSUER:
        return NOT_APPLICABLE
    held = [each for each in rules.scopes if each.issuer == profile.issuer and each.scope in profile.scopes]
    if rules.options.scope_routes == "ignored":
        # Nothing but the name of a model is looked at, and an empty one is none.
        on_route, models = held, asked.named_models
        if not models:
            return NOT_APPLICABLE
    else:
        if not held:
            mapped = dict.fromkeys(each.scope for each in rules.scopes if each.issuer == profile.issuer)
            which = f": {spelled_out(list(mapped))}" if mapped else ", of which its issuer has none"
            note = f"scopes.enforce is set, and the token has none of the mapped scopes{which}."
            return Denied(Reason.NOT_ENTITLED, note)
        on_route, models = [scope for scope in held if _on_route(scope, case)], asked.models
        if not on_route:
            return Denied(Reason.ROUTE_NOT_GRANTED, "No scope of the token permits the route.")
    exact = rules.options.scope_model_rules == "exact"
    for name in models:
        model = rules.catalogue.literal(name) if exact else rules.catalogue.resolve(name, case.team_aliases)
        if not any(scope.models.covers(model) for scope in on_route):
            return Denied(Reason.MODEL_NOT_GRANTED, "No scope of the token permits every model asked for.", 403)
    return None


def _on_route(scope: CompiledScope, case: Case) -> bool:
    asked = case.asked
    return scope.routes is None or (asked.route is not None and scope.routes.grants(asked.method, asked.route))
