"""Makes the frozen policy of a file that was checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from usherd import claim_paths
from usherd.config.digest import digest
from usherd.config.route_groups import RouteGroups, model_routes
from usherd.config.rules_issuers import FORBIDDEN_CLAIMS
from usherd.config.schema import Admin, File, Grant, Role
from usherd.config.schema_issuers import Claims, Issuer
from usherd.config.settings import KeySettings, RefreshSettings
from usherd.config.warnings import warnings
from usherd.domain import PrincipalKind
from usherd.policy import (
    AdminRule,
    CatalogueModel,
    ClaimPath,
    ClaimPaths,
    IssuerPolicy,
    MayGrant,
    Policy,
    RouteRules,
    SessionRules,
    TeamRules,
    TokenRules,
    UserRules,
)
from usherd.policy import Grant as PolicyGrant
from usherd.policy import Role as PolicyRole

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
SESSION_ADMIN_ROUTES = ("management_routes", "info_routes", "ui_routes")
"""What an administrator's user interface calls, where the file has no admin rule that says so."""
_KINDS = {"user": PrincipalKind.USER, "service": PrincipalKind.SERVICE}


def key_settings(issuer: Issuer, folder: Path) -> KeySettings:
    """Where an issuer's keys come from."""
    keys, refresh = issuer.keys, issuer.keys.refresh
    discovery = f"{issuer.issuer.removesuffix('/')}/.well-known/openid-configuration"
    return KeySettings(
        name=issuer.name,
        issuer=issuer.issuer,
        algorithms=_algorithms(issuer),
        algorithms_given=issuer.algorithms is not None,
        discovery_url=discovery if keys.discovery is True else keys.discovery or None,
        jwks_urls=tuple(keys.jwks_url or ()),
        jwks=keys.jwks,
        jwks_file=None if keys.jwks_file is None else folder / keys.jwks_file,
        pem_file=None if keys.pem_file is None else folder / keys.pem_file,
        refresh=RefreshSettings(
            every=refresh.every,
            stale_for=refresh.stale_for,
            removed_grace=refresh.removed_grace,
            unknown_kid_cooldown=refresh.unknown_kid_cooldown,
            timeout=refresh.timeout,
        ),
        denied=frozenset(keys.denied),
    )


def policy(file: File, keys: Sequence[KeySettings], master_key: bytes | None) -> Policy:
    """The policy of a file that was checked."""
    groups = RouteGroups(file.routes.version, file.routes.groups)
    session = None if master_key is None else _session(master_key, file)
    made = Policy(
        issuers=tuple(_issuer(issuer, file, key) for issuer, key in zip(file.issuers, keys, strict=True)),
        roles=tuple(_role(role, _owner(role.issuer, file), groups) for role in file.roles),
        admin=tuple(_admin(rule, _owner(rule.issuer, file), groups) for rule in file.admin),
        users=UserRules(routes=groups.expand(file.users.routes)),
        teams=TeamRules(
            required=file.teams.required,
            default=file.teams.default,
            routes=groups.expand(file.teams.routes),
            priority=tuple(file.teams.priority),
        ),
        routes=_routes(file, groups),
        models=tuple(
            CatalogueModel(
                name=model.name,
                provider=model.provider or "",
                groups=tuple(model.groups),
                aliases=tuple(model.aliases),
            )
            for model in file.models
        ),
        session=session,
        session_admin_routes=() if session is None else _session_admin_routes(file, groups),
        token_max_size=file.token.max_size,
        keep_answers_for=file.cache.ttl,
        warnings=tuple(warnings(file)),
    )
    return replace(made, digest=digest(made))


def _owner(name: str | None, file: File) -> str:
    return file.issuers[0].name if name is None else name


def _algorithms(issuer: Issuer) -> frozenset[str]:
    return ALGORITHMS if issuer.algorithms is None else frozenset(issuer.algorithms)


def _issuer(issuer: Issuer, file: File, keys: KeySettings) -> IssuerPolicy:
    may = issuer.may_grant
    made = IssuerPolicy(
        name=issuer.name,
        token=TokenRules(
            issuer=issuer.issuer,
            audiences=frozenset(issuer.audiences),
            algorithms=_algorithms(issuer),
            leeway=issuer.leeway,
            max_lifetime=file.token.max_lifetime,
            required_claims=tuple(
                (claim, claim_paths.parse(claim), frozenset(values))
                for claim, values in sorted(issuer.required_claims.items())
            ),
            forbidden_claims=FORBIDDEN_CLAIMS | frozenset(issuer.forbidden_claims),
        ),
        claims=_claims(issuer.claims),
        may_grant=MayGrant(
            admin=may.admin, roles=_some(may.roles), teams=_some(may.teams), organizations=_some(may.organizations)
        ),
        service_when=None if issuer.service_when is None else _conditions(issuer.service_when),
        answer_claims=tuple((name, claim_paths.parse(name)) for name in dict.fromkeys(issuer.answer_claims)),
    )
    return replace(made, digest=digest((made, keys)))


def _conditions(conditions: Mapping[str, Iterable[str]]) -> tuple[tuple[ClaimPath, tuple[str, ...]], ...]:
    return tuple((claim_paths.parse(claim), tuple(values)) for claim, values in sorted(conditions.items()))


def _some(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _claims(claims: Claims) -> ClaimPaths:
    return ClaimPaths(
        user=_path(claims.user),
        email=_path(claims.email),
        team=_path(claims.team),
        team_alias=_path(claims.team_alias),
        teams=_path(claims.teams),
        organization=_path(claims.organization),
        end_user=_path(claims.end_user),
        scopes=tuple(map(claim_paths.parse, claims.scopes)),
        client=tuple(map(claim_paths.parse, claims.client)),
    )


def _path(text: str | None) -> ClaimPath | None:
    return None if text is None else claim_paths.parse(text)


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
    return RouteRules(
        public=groups.expand(file.routes.public),
        allowed=None if file.routes.allowed is None else groups.expand(file.routes.allowed),
        # Routes that the reference keeps for the master key are for administrators only, whatever else is listed.
        admin_only=groups.expand([*file.routes.admin_only, "master_key_only_routes"]),
        model_required=needed,
        model_templates=templates,
    )


def _session(master_key: bytes, file: File) -> SessionRules:
    rules = SessionRules(secret=master_key, max_lifetime=file.token.max_lifetime)
    return replace(rules, digest=digest(rules))


def _session_admin_routes(file: File, groups: RouteGroups) -> tuple[str, ...]:
    named = [entry for rule in file.admin for entry in rule.routes] or SESSION_ADMIN_ROUTES
    return groups.expand(named)
