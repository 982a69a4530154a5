"""Makes the case of one question, which the checks then look at."""

from __future__ import annotations

from usherd.bounded import Memo
from usherd.domain import SESSION_ISSUER, PrincipalKind, Question
from usherd.facts import Organization
from usherd.identity import Identity
from usherd.permit.asked import Asked, asked_by
from usherd.permit.case import Case, TeamChoice
from usherd.permit.internal_role import held_internal_roles, mapped_grants
from usherd.permit.provision import new_user
from usherd.permit.route_form import MAX_ROUTE_BYTES
from usherd.permit.rulebook import Rulebook
from usherd.permit.team_choice import choose_team
from usherd.policy import Policy
from usherd.reading import Reading


class Permit:
    """The checks under one policy."""

    def __init__(self, policy: Policy) -> None:
        self.rules = Rulebook(policy)
        self._internal_roles = policy.internal_roles.enforce
        self._asked: Memo[tuple[str, str, str | None, tuple[str, ...]], Asked] = Memo(4096)

    def asked(self, question: Question) -> Asked:
        """What the question asks for, in canonical form."""
        key = (question.method, question.route, question.model, question.fallback_models)
        asked = self._asked.get(key)
        if asked is None:
            rules = self.rules
            asked = asked_by(question, rules.needs_model, rules.model_in_route, rules.options)
            if asked.well_formed and len(question.route) <= MAX_ROUTE_BYTES:
                self._asked.put(key, asked)
        return asked

    def is_public(self, asked: Asked) -> bool:
        """Whether the policy allows the route to anyone, without a look at the token."""
        if asked.route is None or asked.route_fault is not None:
            return False
        if self.rules.allowed is not None and not self.rules.allowed.grants(asked.method, asked.route):
            return False
        if self.rules.options.user_routes == "enforced" and self.rules.admin_only.denies(asked.method, asked.route):
            return False
        return self.rules.public.grants(asked.method, asked.route)

    def case(self, question: Question, asked: Asked, identity: Identity, reading: Reading) -> Case:
        """All that the checks look at. Choosing the team reads no more teams than it takes."""
        rules, profile = self.rules, identity.profile
        roles = tuple(rules.roles[place] for place in profile.roles)
        held = [role.grants for role in roles]
        if identity.is_admin:
            admin = rules.session_admin if profile.issuer == SESSION_ISSUER else rules.admin(profile.issuer)
            held += () if admin is None else (admin,)
        if profile.kind is PrincipalKind.SESSION and rules.session is not None and identity.user is not None:
            held.append(rules.session)
        mapped = list(mapped_grants(rules, identity))
        held += mapped
        if (added := rules.of_directory_role(identity.directory_role)) is not None:
            held.append(added)
        own = rules.of_user(identity.user) if identity.user is not None else None
        choice = choose_team(rules, asked, identity, tuple(held), own, reading)
        organization_id, organization = self._organization(identity, choice, reading)
        return Case(
            rules=rules,
            question=question,
            asked=asked,
            identity=identity,
            reading=reading,
            roles=roles,
            internal_roles=held_internal_roles(rules, identity, choice) if self._internal_roles else (),
            mapping_entitles=bool(mapped),
            choice=choice,
            organization_id=organization_id,
            organization=organization,
            new_user=new_user(rules, identity, choice, reading),
        )

    def _organization(
        self, identity: Identity, choice: TeamChoice, reading: Reading
    ) -> tuple[str, Organization | None]:
        """The chosen team's organization, or else the one that the token names."""
        profile, team = identity.profile, choice.team
        matched = self.rules.options.organization_match == "required"
        if matched and choice.claimed and team is not None and team.organization:
            return team.organization, reading.organization(team.organization)
        if identity.at_once:
            return profile.organization, None
        if profile.organization:
            return profile.organization, reading.organization(profile.organization)
        if profile.organization_alias:
            named = reading.organization_by_alias(profile.organization_alias)
            return "" if named is None else named.id, named
        return "", None
