"""The wished team must be the token's, and a team must be there where the policy requires one."""

from __future__ import annotations

from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.reasons import Reason


def team(case: Case) -> Outcome:
    """Denies a wish for another's or an unknown team (in the same words), and a missing required team."""
    question, choice = case.question, case.choice
    if case.identity.wish_refused:
        return Denied(Reason.TEAM_NOT_ALLOWED, "The wished or named team is not one that the token can act for.")
    wished = question.team_id is not None or question.team_alias is not None
    if wished and case.reading.team(case.identity.profile.issuer, case.identity.team_ids[0]) is None:
        return Denied(Reason.TEAM_NOT_ALLOWED, "The wished team is not one that the token can act for.")
    required = case.rules.policy.teams.required
    if required == "claim" and not choice.claimed:
        return Denied(Reason.TEAM_REQUIRED, "teams.required is claim, and the token names no existing team.")
    if required == "any" and choice.team is None:
        return Denied(Reason.TEAM_REQUIRED, "teams.required is any, and there is no team, not even a default one.")
    return NOT_APPLICABLE if choice.team is None else None
