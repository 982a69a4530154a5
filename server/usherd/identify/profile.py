"""Reads off a genuine token all that it says by itself: a pure function of claims and policy."""

from __future__ import annotations

import json

from usherd.claim_paths import ABSENT, read
from usherd.domain import SESSION_ISSUER, VerifiedClaims, VerifiedToken
from usherd.identify.address import address, refuse_unverified
from usherd.identify.internal_roles import directory_role, has_user_role, mapped_roles, object_role
from usherd.identify.kind import kind_of
from usherd.identify.named_teams import Teams, named_teams
from usherd.identify.overage import refuse_overage
from usherd.identify.roles import roles_held, roles_of_other_kinds
from usherd.identify.session import session_profile
from usherd.identify.words import first, is_missing, is_named, one, scopes
from usherd.identity import Profile
from usherd.policy import INTERNAL_USER, PROXY_ADMIN, TEAM, ClaimPath, IssuerPolicy, Policy


class Profiler:
    """Makes profiles under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._issuers = {issuer.name: issuer for issuer in policy.issuers}
        self._admin_scopes = {rule.issuer: rule.scopes for rule in policy.admin}
        self._mappings = {
            issuer.name: tuple(each for each in policy.internal_roles.mappings if each.issuer == issuer.name)
            for issuer in policy.issuers
        }
        self._read_by_rules = {issuer.name: frozenset(_paths_of_rules(policy, issuer)) for issuer in policy.issuers}
        self._priority = policy.teams.places

    def profile(self, token: VerifiedToken) -> Profile:
        """The profile of a genuine token. Raises Refusal when a claim that is read has a wrong type or is left out."""
        own_words = token.is_own_session or self._policy.options.session_identity == "session"
        if token.issuer == SESSION_ISSUER and own_words:
            return session_profile(token)
        issuer = self._issuers[token.issuer] if token.issuer != SESSION_ISSUER else self._policy.issuers[0]
        policy, options, claims = self._policy, self._policy.options, token.claims
        words, may = issuer.claims, issuer.may_grant
        read_by_rules = self._read_by_rules[issuer.name]
        if options.overage == "deny":
            refuse_overage(claims, read_by_rules)
        if options.email_domain == "deny":
            refuse_unverified(claims, words.email, read_by_rules)
        held_scopes = scopes(claims, words.scopes, options)
        client = first(claims, words.client)
        kind = kind_of(claims, issuer, client, held_scopes)
        held = roles_held(claims, issuer, kind, policy.roles)
        mapped = mapped_roles(claims, words, self._mappings[issuer.name], options)
        is_user = has_user_role(claims, words, policy.users, options)
        admin = may.admin and not self._admin_scopes.get(issuer.name, frozenset()).isdisjoint(held_scopes)
        where = address(claims, words, policy.users.email_domains, options)
        user = one(claims, words.user)
        if not user and options.email_as_id and is_missing(claims, words.user):
            user = where.email
        names_user = is_named(claims, words.user)
        teams = named_teams(claims, issuer, policy, self._priority)
        if words.object is not None:
            named = ((PROXY_ADMIN, admin), (TEAM, teams.names_single), (INTERNAL_USER, names_user or is_user))
            role = object_role(policy, [role for role, is_held in named if is_held], mapped)
            user, teams = _with_object(claims, issuer, role, user, teams)
        organization = one(claims, words.organization)
        return Profile(
            kind=kind,
            issuer=issuer.name,
            iss=token.iss,
            subject=one(claims, ("sub",)) if options.wrong_type == "deny" else _text(claims.get("sub")),
            client=client,
            user=user,
            names_user=names_user,
            email=where.email,
            email_accepted=where.in_domain,
            email_domain=where.domain,
            email_verified=where.verified,
            scopes=held_scopes,
            roles=held,
            role_names=tuple(sorted(policy.roles[place].name for place in held)),
            mapped_roles=mapped,
            has_user_role=is_user,
            directory_role=directory_role(claims, words, policy.users, options),
            tells_roles=words.roles is not None,
            admin=admin,
            may_be_admin=may.admin,
            team_ids=teams.ids,
            single_team=teams.single,
            names_team=teams.names_single,
            names_groups=teams.names_groups,
            team_by_object=teams.by_object,
            team_alias=one(claims, words.team_alias),
            teams_allowed=may.teams,
            organization=organization,
            organization_alias="" if organization else one(claims, words.organization_alias),
            organizations_allowed=may.organizations,
            end_user=one(claims, words.end_user),
            roles_of_other_kinds=() if held else roles_of_other_kinds(claims, issuer, kind, policy.roles),
            claims=_passed_on(claims, issuer),
        )


def _with_object(claims: VerifiedClaims, issuer: IssuerPolicy, role: str, user: str, teams: Teams) -> tuple[str, Teams]:
    """User and teams after the object id, which takes the place of the one or the others."""
    if role not in (TEAM, INTERNAL_USER) or not (found := one(claims, issuer.claims.object)):
        return user, teams
    if role == INTERNAL_USER:
        return found, teams
    allowed = issuer.may_grant.teams
    granted = allowed is None or found in allowed
    return user, Teams(
        ids=(found,) if granted else (),
        single=found if granted else "",
        names_single=True,
        names_groups=teams.names_groups,
        by_object=True,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _paths_of_rules(policy: Policy, issuer: IssuerPolicy) -> tuple[ClaimPath, ...]:
    words = issuer.claims
    single = (
        words.user,
        words.team,
        words.team_alias,
        words.teams,
        words.organization,
        words.organization_alias,
        words.end_user,
        words.roles,
        words.user_roles,
        words.object,
    )
    paths: list[ClaimPath] = [path for path in single if path is not None]
    finds_users = policy.options.email_adoption == "on" or policy.options.email_as_id
    if (policy.users.email_domains or finds_users) and words.email is not None:
        paths.append(words.email)
    paths += [path for path, _ in issuer.service_when or ()]
    paths += [path for role in policy.roles if role.issuer == issuer.name for _, path, _ in role.when]
    paths += words.scopes
    return tuple(dict.fromkeys(paths))


def _passed_on(claims: VerifiedClaims, issuer: IssuerPolicy) -> tuple[tuple[str, str], ...]:
    found = ((name, read(claims, path)) for name, path in issuer.answer_claims)
    return tuple(
        sorted(
            (name, json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
            for name, value in found
            if value is not ABSENT
        )
    )
