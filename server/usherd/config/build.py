"""Makes the frozen policy of a file that was checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from usherd import claim_paths
from usherd.config import build_people, sessions
from usherd.config.build_issuers import issuer_policy
from usherd.config.build_people import owner
from usherd.config.chosen import max_lifetime
from usherd.config.digest import digest
from usherd.config.route_groups import RouteGroups, model_routes
from usherd.config.route_sets import llm_routes
from usherd.config.schema import File
from usherd.config.schema_roles import Admin, Grant, Role
from usherd.config.settings import KeySettings
from usherd.config.warnings import warnings
from usherd.domain import PrincipalKind
from usherd.options import Options
from usherd.policy import AdminRule, BudgetRules, CatalogueModel, Policy, RouteRules, SessionRules
from usherd.policy import Grant as PolicyGrant
from usherd.policy import Role as PolicyRole

SESSION_ADMIN_ROUTES = ("management_routes", "info_routes", "ui_routes")
"""What an administrator's user interface calls, where the file has no admin rule that says so."""
_KINDS = {"user": PrincipalKind.USER, "service": PrincipalKind.SERVICE}


def policy(file: File, preset: str, options: Options, keys: Sequence[KeySettings], master_key: bytes | None) -> Policy:
    """The policy of a file that was checked, under a preset and options that need not be the file's own."""
    groups = RouteGroups(file.routes.version, file.routes.groups, literal=options.route_match == "literal")
    own_sessions = sessions.rules(file)
    session = None if master_key is None else _session(master_key, max_lifetime(file, preset, options))
    made = Policy(
        issuers=tuple(
            issuer_policy(issuer, file, preset, options, key) for issuer, key in zip(file.issuers, keys, strict=True)
        ),
        roles=tuple(_role(role, owner(role.issuer, file), groups) for role in file.roles),
        admin=tuple(_admin(rule, owner(rule.issuer, file), groups) for rule in file.admin),
        internal_roles=build_people.internal_roles(file, preset, groups),
        scopes=build_people.scopes(file, groups),
        users=build_people.users(file, groups),
        teams=build_people.teams(file, groups),
        routes=_routes(file, groups),
        budgets=BudgetRules(enforce=file.budgets.enforce, global_max_micro_usd=file.budgets.together.max),
        models=tuple(
            CatalogueModel(
                name=model.name,
                provider=model.provider or "",
                groups=tuple(model.groups),
                aliases=tuple(model.aliases),
            )
            for model in file.models
        ),
        model_aliases=dict(file.model_aliases),
        options=options,
        preset=preset,
        session=session,
        own_sessions=own_sessions,
        session_admin_routes=() if session is None and own_sessions is None else _session_admin_routes(file, groups),
        session_routes=() if file.sessions is None else groups.expand(file.sessions.routes),
        token_max_size=file.token.max_size,
        keep_answers_for=file.cache.ttl,
        warnings=tuple(warnings(file, preset, options)),
    )
    # The hook is no part of the policy, but of what it answers.
    return replace(made, digest=digest((made, file.hooks.validate_claims, file.hooks.timeout)))


def _grant(grant: Grant, groups: RouteGroups) -> PolicyGrant:
    return PolicyGrant(routes=groups.expand(grant.routes), models=tuple(grant.models))


def _role(role: Role, issuer: str, groups: RouteGroups) -> PolicyRole:
    return PolicyRole(
        name=role.name,
        issuer=issuer,
        when=tuple((claim, claim_paths.parse(claim), tuple(values)) for claim, values in sorted(role.when.items())),
        kinds=frozenset(_KINDS[kind] for kind in role.holders),
        grants=_grant(role.grants, groups),
        deny=_grant(role.deny, groups),
    )


def _admin(rule: Admin, issuer: str, groups: RouteGroups) -> AdminRule:
    return AdminRule(issuer=issuer, scopes=frozenset(rule.scopes), routes=groups.expand(rule.routes))


def _routes(file: File, groups: RouteGroups) -> RouteRules:
    needed, templates = model_routes()
    llm, llm_within = llm_routes(file.routes.version)
    return RouteRules(
        public=groups.expand(file.routes.public),
        allowed=None if file.routes.allowed is None else groups.expand(file.routes.allowed),
        # Routes that the reference keeps for the master key are for administrators only, whatever else is listed.
        admin_only=groups.expand([*file.routes.admin_only, "master_key_only_routes"]),
        model_required=needed,
        model_templates=templates,
        llm=llm,
        llm_within=llm_within,
        organization_admin=groups.expand(["org_admin_only_routes"]),
        end_user_required=file.routes.end_user_required,
    )


def _session(master_key: bytes, lifetime: float | None) -> SessionRules:
    rules = SessionRules(secret=master_key, max_lifetime=math.inf if lifetime is None else lifetime)
    return replace(rules, digest=digest(rules))


def _session_admin_routes(file: File, groups: RouteGroups) -> tuple[str, ...]:
    named = [entry for rule in file.admin for entry in rule.routes] or SESSION_ADMIN_ROUTES
    return groups.expand(named)
