"""Who changes guardrails must be of a team that may."""

from __future__ import annotations

from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.reasons import Reason


def guardrails(case: Case) -> Outcome:
    """Denies a request that changes guardrails for a team whose metadata forbids it."""
    if not case.question.modifies_guardrails:
        return NOT_APPLICABLE
    team = case.choice.team
    if team is not None and not team.guardrails_modifiable:
        return Denied(Reason.GUARDRAILS_NOT_MODIFIABLE, "The team's metadata says modify_guardrails: false.")
    return None
