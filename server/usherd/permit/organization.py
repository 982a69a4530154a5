"""The token, the team and the question must agree on the organization."""

from __future__ import annotations

from usherd.ids import well_formed_id
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.reasons import Reason


def organization(case: Case) -> Outcome:
    """Denies an unknown or blocked one, one that the issuer may not grant, and one that is not the chosen team's."""
    profile, choice = case.identity.profile, case.choice
    matched = case.rules.options.organization_match == "required"
    claimed, asked = profile.organization, case.question.organization_id if matched else ""
    if not case.organization_id and not asked and not profile.organization_alias:
        return NOT_APPLICABLE
    if profile.organization_alias:
        named = case.reading.organization_by_alias(profile.organization_alias)
        if named is None:
            return _mismatch("The organization's alias does not name one organization.")
        # The token's word for it was an alias; from here on it is the organization's id.
        claimed = named.id
    allowed = profile.organizations_allowed
    if claimed and allowed is not None and claimed not in allowed:
        return _mismatch("The issuer may not grant the token's organization.")
    team = choice.team if choice.claimed else None
    if matched and claimed and team is not None and team.organization not in ("", claimed):
        return _mismatch("The token's organization is not that of the chosen team.")
    if case.organization_id and case.organization is None:
        return _mismatch("The directory does not know the organization.")
    if not asked or asked == case.organization_id:
        return None
    return _acted_on(case, asked)


def _acted_on(case: Case, asked: str) -> Outcome:
    """Denies for the organization that the request acts on, where it is not the holder's own."""
    user = case.identity.user
    if not well_formed_id(asked):
        return _mismatch("The question's organization_id is not 1 to 256 printable characters.")
    if not case.identity.is_admin and (user is None or asked not in user.organizations):
        return _mismatch("The request acts on an organization that is not the holder's.")
    acted_on = case.reading.organization(asked)
    if acted_on is None:
        return _mismatch("The directory does not know the organization that the request acts on.")
    if acted_on.blocked:
        return Denied(Reason.ORGANIZATION_BLOCKED, "The directory blocks the organization that the request acts on.")
    return None


def _mismatch(note: str) -> Denied:
    return Denied(Reason.ORGANIZATION_MISMATCH, note)
