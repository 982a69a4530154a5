"""Reads off a genuine token all that it says by itself: a pure function of claims and policy."""

from __future__ import annotations

import json

from usherd.claim_paths import ABSENT, read
from usherd.domain import SESSION_ISSUER, PrincipalKind, VerifiedClaims, VerifiedToken
from usherd.errors import Refusal
from usherd.identify.kind import kind_of
from usherd.identify.overage import refuse_overage
from usherd.identify.roles import roles_held
from usherd.identify.words import first, many, one, spaced
from usherd.identity import Profile
from usherd.policy import ClaimPath, IssuerPolicy, Policy
from usherd.reasons import Reason

_EMAIL: ClaimPath = ("email",)
"""What `email_verified` speaks of (OpenID Connect Core, section 5.1), wherever else the policy reads addresses."""


class Profiler:
    """Makes profiles under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._issuers = {issuer.name: issuer for issuer in policy.issuers}
        self._admin_scopes = {rule.issuer: rule.scopes for rule in policy.admin}
        self._read_by_rules = {issuer.name: _paths_of_rules(policy, issuer) for issuer in policy.issuers}
        self._priority = {team: place for place, team in enumerate(policy.teams.priority)}

    def profile(self, token: VerifiedToken) -> Profile:
        """The profile of a genuine token. Raises Refusal when a claim that is read has a wrong type or is left out."""
        if token.issuer == SESSION_ISSUER:
            return _session_profile(token)
        issuer = self._issuers[token.issuer]
        claims = token.claims
        read_by_rules = self._read_by_rules[issuer.name]
        refuse_overage(claims, read_by_rules)
        if claims.get("email_verified", True) is not True and {issuer.claims.email, _EMAIL} & set(read_by_rules):
            # An address that anyone can claim must not make anyone somebody.
            raise Refusal(Reason.CLAIM_INVALID)
        words = issuer.claims
        scopes = tuple(sorted({scope for path in words.scopes for scope in spaced(claims, path)}))
        client = first(claims, words.client)
        kind = kind_of(claims, issuer, client, scopes)
        held = roles_held(claims, issuer, kind, self._policy.roles)
        organization = one(claims, words.organization)
        may = issuer.may_grant
        return Profile(
            kind=kind,
            issuer=issuer.name,
            iss=token.iss,
            subject=one(claims, ("sub",)),
            client=client,
            user=one(claims, words.user),
            email=one(claims, words.email),
            scopes=scopes,
            roles=held,
            role_names=tuple(sorted(self._policy.roles[place].name for place in held)),
            admin=may.admin and not self._admin_scopes.get(issuer.name, frozenset()).isdisjoint(scopes),
            may_be_admin=may.admin,
            team_ids=self._team_ids(claims, issuer),
            team_alias=one(claims, words.team_alias),
            teams_allowed=may.teams,
            organization=organization,
            organization_allowed=may.organizations is None or organization in may.organizations,
            end_user=one(claims, words.end_user),
            claims=_passed_on(claims, issuer),
        )

    def _team_ids(self, claims: VerifiedClaims, issuer: IssuerPolicy) -> tuple[str, ...]:
        single = one(claims, issuer.claims.team)
        named = {*many(claims, issuer.claims.teams), *((single,) if single else ())}
        allowed = issuer.may_grant.teams
        if allowed is not None:
            named &= allowed
        last = len(self._priority)
        # Claim order and doubles must not matter, so the order is the policy's, then code points.
        return tuple(sorted(named, key=lambda team: (self._priority.get(team, last), team)))


def _paths_of_rules(policy: Policy, issuer: IssuerPolicy) -> tuple[ClaimPath, ...]:
    words = issuer.claims
    single = (words.user, words.team, words.team_alias, words.teams, words.organization, words.end_user)
    paths: list[ClaimPath] = [path for path in single if path is not None]
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


_SESSION_ADMIN_ROLE = "proxy_admin"


def _session_profile(token: VerifiedToken) -> Profile:
    """A session of the user interface: its own claims count, rules about an identity provider do not.

    Only `user_role` makes an administrator. The scope inside such a token does not: LiteLLM gives it to
    administrators who may only look, too.
    """
    claims = token.claims
    user = one(claims, ("user_id",))
    if not user:
        raise Refusal(Reason.SESSION_INVALID)
    return Profile(
        kind=PrincipalKind.SESSION,
        issuer=SESSION_ISSUER,
        iss=token.iss,
        subject=user,
        client="",
        user=user,
        email=one(claims, ("user_email",)),
        scopes=(),
        roles=(),
        role_names=(),
        admin=one(claims, ("user_role",)) == _SESSION_ADMIN_ROLE,
        may_be_admin=False,
        team_ids=(),
        team_alias="",
        teams_allowed=None,
        organization="",
        organization_allowed=True,
        end_user="",
        claims=(),
    )
