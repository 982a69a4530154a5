"""A token must hold an internal role where the policy enforces them, and may do no more than its role permits."""

from __future__ import annotations

from usherd.identity import Identity
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome, TeamChoice
from usherd.permit.rulebook import CompiledPermission, Rulebook
from usherd.policy import INTERNAL_USER, PROXY_ADMIN, TEAM
from usherd.reasons import Reason


def held_internal_roles(rules: Rulebook, identity: Identity, choice: TeamChoice) -> tuple[str, ...]:
    """The internal roles that count, each once, in the order of precedence (seed behaviour, section 5).

    With `access.sub_is_entitlement`, a claim that names a team or user is enough; without, the directory must know it.
    """
    profile, named = identity.profile, rules.options.sub_is_entitlement
    held = (
        (PROXY_ADMIN, identity.is_admin),
        (TEAM, profile.names_team if named else choice.claimed),
        (INTERNAL_USER, profile.names_user if named else identity.user is not None),
        (INTERNAL_USER, profile.has_user_role),
    )
    roles = dict.fromkeys([role for role, is_held in held if is_held] + list(profile.mapped_roles))
    return tuple(roles)[:1] if rules.options.role_precedence == "first" else tuple(roles)


def internal_role(case: Case) -> Outcome:
    """Denies a token without an internal or named role, and a request that no role which counts permits."""
    rules = case.rules
    if not rules.policy.internal_roles.enforce:
        return NOT_APPLICABLE
    if not case.internal_roles:
        if case.roles and rules.options.role_precedence == "all":
            return None
        return Denied(Reason.ROLE_REQUIRED, "access.enforce_rbac is set, and the token holds no role.")
    permissions = [rules.permissions.get(role) for role in case.internal_roles]
    lacking: Reason | None = None
    for permission in permissions:
        found = None if permission is None else _lacking(case, permission)
        if found is None:
            return None
        lacking = lacking or found
    return Denied(lacking or Reason.ROLE_REQUIRED, "role_permissions of no role that the token holds permit it.", 403)


def _lacking(case: Case, permission: CompiledPermission) -> Reason | None:
    asked, rules = case.asked, case.rules
    if permission.models is not None:
        exact = rules.options.role_model_rules == "exact"
        for name in asked.models:
            model = rules.catalogue.literal(name) if exact else rules.catalogue.resolve(name, {})
            if not permission.models.covers(model):
                return Reason.MODEL_NOT_GRANTED
    if permission.routes is not None and not (
        asked.route is not None and permission.routes.grants(asked.method, asked.route)
    ):
        return Reason.ROUTE_NOT_GRANTED
    return None
