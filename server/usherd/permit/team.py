"""The wished team must be the token's, and a team must be there where the policy requires one."""

from __future__ import annotations

from usherd.domain import SESSION_ISSUER
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome, Passed
from usherd.permit.provision import team_writes
from usherd.reasons import Reason

_WISH_REFUSED = "The wished or named team is not one that the token can act for."


def team(case: Case) -> Outcome:
    """Denies a wish for another's or an unknown team (in the same words), and a missing required team."""
    question, choice, identity = case.question, case.choice, case.identity
    if identity.wish_refused:
        return Denied(Reason.TEAM_NOT_ALLOWED, _WISH_REFUSED)
    # A wish that was heard comes first.
    wished = question.team_id is not None or question.team_alias is not None
    if wished and case.reading.team(identity.profile.issuer, identity.team_ids[0]) is None:
        return Denied(Reason.TEAM_NOT_ALLOWED, _WISH_REFUSED)
    missing = _missing(case)
    if missing is not None:
        return missing
    if choice.none_qualifies:
        note = (
            "The directory has none of the token's teams."
            if choice.unknown
            else "None of the token's teams has the route and the model."
        )
        return Denied(Reason.MODEL_NOT_GRANTED, note, 403)
    writes = team_writes(case)
    # An object id stands for the team, so that one which names none is not passed over for another.
    lost = identity.profile.team_by_object and not choice.claimed
    if (choice.unknown or lost) and not writes:
        return Denied(Reason.TEAM_NOT_ALLOWED, "The directory does not know the token's team.")
    if writes:
        return Passed(writes)
    return NOT_APPLICABLE if choice.team is None else None


def _missing(case: Case) -> Denied | None:
    required, choice, profile = case.rules.policy.teams.required, case.choice, case.identity.profile
    if profile.issuer == SESSION_ISSUER:
        # A session names no team: what is asked of a provider's tokens is not asked of it.
        return None
    if required == "any" and choice.team is None:
        return Denied(Reason.TEAM_REQUIRED, "teams.required is any, and there is no team, not even a default one.")
    if required != "claim":
        return None
    if case.rules.options.team_choice == "reference":
        if case.identity.teams_from_directory and choice.claimed:
            return None
        single_wanted = case.rules.has_team_claim(profile.issuer)
        # A token that names teams has met the claim, whether or not one of them can be chosen.
        if case.identity.taken_as_is or (profile.names_groups and not single_wanted):
            return None
        return Denied(
            Reason.TEAM_REQUIRED, "teams.required is claim, and the token names no team.", 401 if single_wanted else 403
        )
    if not choice.claimed:
        return Denied(Reason.TEAM_REQUIRED, "teams.required is claim, and the token names no existing team.")
    return None
