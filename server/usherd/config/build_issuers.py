"""Makes the issuers of the policy, and says where their keys come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from usherd import claim_paths
from usherd.config.chosen import algorithms, max_lifetime
from usherd.config.digest import digest
from usherd.config.rules_issuers import FORBIDDEN_CLAIMS
from usherd.config.schema import File
from usherd.config.schema_issuers import Claims, Introspection, Issuer
from usherd.config.settings import IntrospectionSettings, KeySettings, RefreshSettings
from usherd.options import Options
from usherd.policy import ClaimPath, ClaimPaths, IntrospectionRules, IssuerPolicy, MayGrant, TokenRules


def key_settings(
    issuer: Issuer, folder: Path, preset: str, options: Options, client_secret: bytes | None = None
) -> KeySettings:
    """Where an issuer's keys come from; `client_secret` is what it is asked with, where it has none."""
    keys, refresh = issuer.keys, issuer.keys.refresh
    discovery = f"{issuer.issuer.removesuffix('/')}/.well-known/openid-configuration"
    return KeySettings(
        name=issuer.name,
        issuer=issuer.issuer,
        algorithms=algorithms(issuer.algorithms, preset),
        algorithms_given=issuer.algorithms is not None,
        discovery_url=discovery if keys.discovery is True else keys.discovery or None,
        jwks_urls=tuple(keys.jwks_url or ()),
        jwks=keys.jwks,
        jwks_file=None if keys.jwks_file is None else folder / keys.jwks_file,
        pem_file=None if keys.pem_file is None else folder / keys.pem_file,
        introspection=_introspection(keys.introspection, client_secret),
        refresh=RefreshSettings(
            every=refresh.every,
            stale_for=refresh.stale_for,
            removed_grace=refresh.removed_grace,
            unknown_kid_cooldown=refresh.unknown_kid_cooldown,
            timeout=refresh.timeout,
        ),
        denied=frozenset(keys.denied),
        options=options,
    )


def _introspection(asked: Introspection | None, secret: bytes | None) -> IntrospectionSettings | None:
    if asked is None or secret is None:
        return None
    return IntrospectionSettings(
        url=asked.url,
        client_id=asked.client_id,
        client_secret=secret,
        client_auth=asked.client_auth,
        timeout=asked.timeout,
        cache_for=asked.cache_for,
        cache_inactive_for=asked.cache_inactive_for,
    )


def issuer_policy(issuer: Issuer, file: File, preset: str, options: Options, keys: KeySettings) -> IssuerPolicy:
    """One issuer of a file that was checked."""
    may, asked = issuer.may_grant, issuer.keys.introspection
    made = IssuerPolicy(
        name=issuer.name,
        token=TokenRules(
            issuer=issuer.issuer,
            audiences=None if issuer.audiences is None else frozenset(issuer.audiences),
            algorithms=algorithms(issuer.algorithms, preset),
            leeway=issuer.leeway,
            max_lifetime=max_lifetime(file, preset, options),
            require_expiry=options.require_expiry,
            other_kinds_refused=options.token_type == "checked",  # noqa: S105
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
        introspection=None
        if asked is None
        else IntrospectionRules(opaque_prefixes=tuple(asked.opaque or ()), may_lack=frozenset(asked.may_lack)),
        answer_claims=tuple((name, claim_paths.parse(name)) for name in dict.fromkeys(issuer.answer_claims)),
    )
    # Digests are told to gateways and logs, where a secret that somebody thought up could be found by trying.
    told = (
        keys
        if keys.introspection is None
        else replace(keys, introspection=replace(keys.introspection, client_secret=b""))
    )
    return replace(made, digest=digest((made, told)))


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
        organization_alias=_path(claims.organization_alias),
        end_user=_path(claims.end_user),
        roles=_path(claims.roles),
        user_roles=_path(claims.user_roles),
        object=_path(claims.object),
        scopes=tuple(map(claim_paths.parse, claims.scopes)),
        client=tuple(map(claim_paths.parse, claims.client)),
    )


def _path(text: str | None) -> ClaimPath | None:
    return None if text is None else claim_paths.parse(text)
