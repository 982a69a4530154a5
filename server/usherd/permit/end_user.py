"""The end user's id must be one that an end user can have."""

from __future__ import annotations

from usherd.ids import well_formed_id
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.reasons import Reason


def end_user(case: Case) -> Outcome:
    """Denies a malformed id. An unknown end user is nothing against the request: they need no entry."""
    identity = case.identity
    if not identity.end_user_id:
        return NOT_APPLICABLE
    if case.rules.options.end_user_judged == "token" and identity.profile.user == f"end_user_id:{identity.end_user_id}":
        # The reference keeps both under one key of its cache, takes the one for the other, and fails.
        return Denied(Reason.END_USER_INVALID, "The token's user has the id that the reference gives its end user.")
    if not well_formed_id(identity.end_user_id):
        return Denied(Reason.END_USER_INVALID, "The question's end_user_id is not 1 to 256 printable characters.")
    return None


def end_user_required(case: Case) -> Outcome:
    """Denies a request to the language models that names no end user, where the policy requires one."""
    rules, asked = case.rules, case.asked
    if not rules.policy.routes.end_user_required or asked.route is None:
        return NOT_APPLICABLE
    if not rules.is_llm(asked.method, asked.route):
        return NOT_APPLICABLE
    either = rules.options.end_user_required == "either"
    if case.identity.end_user_id if either else case.question.end_user_id:
        return None
    return Denied(Reason.END_USER_REQUIRED, "routes.end_user_required is set, and the request names no end user.")
