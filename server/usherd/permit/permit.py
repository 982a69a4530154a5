"""Makes the case of one question, which the checks then look at."""

from __future__ import annotations

from usherd.bounded import Memo
from usherd.domain import SESSION_ISSUER, Question
from usherd.identity import Identity
from usherd.permit.asked import Asked, asked_by
from usherd.permit.case import Case
from usherd.permit.route_form import MAX_ROUTE_BYTES
from usherd.permit.rulebook import CompiledGrant, Rulebook
from usherd.permit.team_choice import choose_team
from usherd.policy import Policy
from usherd.reading import Reading


class Permit:
    """The checks under one policy."""

    def __init__(self, policy: Policy) -> None:
        self.rules = Rulebook(policy)
        self._asked: Memo[tuple[str, str, str | None, tuple[str, ...]], Asked] = Memo(4096)

    def asked(self, question: Question) -> Asked:
        """What the question asks for, in canonical form."""
        key = (question.method, question.route, question.model, question.fallback_models)
        asked = self._asked.get(key)
        if asked is None:
            asked = asked_by(question, self.rules.needs_model, self.rules.model_in_route)
            if asked.well_formed and len(question.route) <= MAX_ROUTE_BYTES:
                self._asked.put(key, asked)
        return asked

    def is_public(self, asked: Asked) -> bool:
        """Whether the policy allows the route to anyone, without a look at the token."""
        if asked.route is None or asked.route_fault is not None:
            return False
        if self.rules.allowed is not None and not self.rules.allowed.grants(asked.method, asked.route):
            return False
        if self.rules.admin_only.denies(asked.method, asked.route):
            return False
        return self.rules.public.grants(asked.method, asked.route)

    def case(self, question: Question, asked: Asked, identity: Identity, reading: Reading) -> Case:
        """All that the checks look at. Choosing the team reads no more teams than it takes."""
        rules, profile = self.rules, identity.profile
        roles = tuple(rules.roles[place] for place in profile.roles)
        held: tuple[CompiledGrant, ...] = tuple(role.grants for role in roles)
        if identity.is_admin:
            admin = rules.session_admin if profile.issuer == SESSION_ISSUER else rules.admin(profile.issuer)
            held = held if admin is None else (*held, admin)
        own = rules.of_user(identity.user) if identity.user is not None else None
        choice = choose_team(rules, asked, identity, held, own, reading)
        organization_id = profile.organization
        if choice.claimed and choice.team is not None and choice.team.organization:
            organization_id = choice.team.organization
        organization = reading.organization(organization_id) if organization_id else None
        return Case(rules, question, asked, identity, reading, roles, choice, organization_id, organization)
