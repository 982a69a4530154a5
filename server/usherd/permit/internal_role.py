"""A token must hold an internal role where the policy enforces them, and may do no more than its role permits."""

from __future__ import annotations

from collections.abc import Iterator

from usherd.identity import Identity
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome, TeamChoice
from usherd.permit.coverage import shortfall
from usherd.permit.rulebook import CompiledGrant, CompiledPermission, Rulebook
from usherd.policy import INTERNAL_USER, PROXY_ADMIN, TEAM
from usherd.reasons import Reason


def held_internal_roles(rules: Rulebook, identity: Identity, choice: TeamChoice) -> tuple[str, ...]:
    """The internal roles that count, each once, in the order of precedence (seed behaviour, section 5).

    Without `access.sub_is_entitlement`, the role of a claim that names a team or user counts only if the directory
    knows it. It is not made up for by the next in order where only the first counts.
    """
    profile, options = identity.profile, rules.options
    # Of a team found by groups, and of a user found by anything but the claim, the reference makes no role.
    every = options.role_precedence == "all"
    names_team = profile.names_team or (every and choice.claimed)
    names_user = profile.names_user or (every and identity.user is not None)
    held = (
        (PROXY_ADMIN, identity.is_admin, True),
        (TEAM, names_team, choice.claimed or options.sub_is_entitlement),
        (INTERNAL_USER, names_user, identity.user is not None or options.sub_is_entitlement),
        (INTERNAL_USER, profile.has_user_role, True),
        *((role, True, True) for role in profile.mapped_roles),
    )
    roles = [(role, proven) for role, named, proven in held if named]
    if options.role_precedence == "first":
        roles = roles[:1]
    return tuple(dict.fromkeys(role for role, proven in roles if proven))


def mapped_grants(rules: Rulebook, identity: Identity) -> Iterator[CompiledGrant]:
    """What the internal roles grant that the token holds by a mapping of its provider's roles."""
    profile = identity.profile
    roles = (*profile.mapped_roles, INTERNAL_USER) if profile.has_user_role else profile.mapped_roles
    for role in dict.fromkeys(roles):
        permission = rules.permissions.get(role)
        if permission is not None and permission.grant is not None:
            yield permission.grant


def internal_role(case: Case) -> Outcome:
    """Denies a token without an internal or named role, and a request that no role which counts permits.

    A named role permits what it grants, and no more.
    """
    rules = case.rules
    if not rules.policy.internal_roles.enforce:
        return NOT_APPLICABLE
    named = case.roles if rules.options.role_precedence == "all" else ()
    if any(_grants(case, role.grants) for role in named):
        return None
    if not case.internal_roles:
        # What else there is to a named role, the checks of routes and models say.
        if named:
            return None
        return Denied(Reason.ROLE_REQUIRED, "Internal roles are enforced, and the token holds no role.")
    permissions = [rules.permissions.get(role) for role in case.internal_roles]
    lacking: Reason | None = None
    for permission in permissions:
        found = None if permission is None else _lacking(case, permission)
        if found is None:
            return None
        lacking = lacking or found
    return Denied(lacking or Reason.ROLE_REQUIRED, "role_permissions of no role that the token holds permit it.", 403)


def _grants(case: Case, grant: CompiledGrant) -> bool:
    asked = case.asked
    return shortfall(asked.method, asked.route, asked.models, (grant,), case.rules.catalogue, case.team_aliases) is None


def _lacking(case: Case, permission: CompiledPermission) -> Reason | None:
    asked, rules = case.asked, case.rules
    if permission.models is not None:
        exact = rules.options.role_model_rules == "exact"
        for name in asked.models:
            model = rules.catalogue.literal(name) if exact else rules.catalogue.resolve(name, case.team_aliases)
            if not permission.models.covers(model):
                return Reason.MODEL_NOT_GRANTED
    if permission.routes is not None and not (
        asked.route is not None and permission.routes.grants(asked.method, asked.route)
    ):
        return Reason.ROUTE_NOT_GRANTED
    return None
