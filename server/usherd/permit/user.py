"""A user who must be known is known, or will be; and has an address of an accepted domain."""

from __future__ import annotations

from usherd.domain import PrincipalKind
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome, Passed
from usherd.permit.provision import user_writes
from usherd.reasons import Reason


def user(case: Case) -> Outcome:
    """Denies an address of another domain, and an unknown user where `user.unknown` says so.

    Who has no address at all is of no domain; only services need none, which have no mailbox.
    """
    identity, options = case.identity, case.rules.options
    needed = identity.profile.email or identity.profile.kind is not PrincipalKind.SERVICE
    if options.email_domain == "deny" and needed and not identity.profile.email_accepted:
        note = (
            "does not have the address's domain"
            if identity.profile.email
            else "asks for an address, and the token has none"
        )
        return Denied(Reason.EMAIL_DOMAIN_NOT_ALLOWED, f"users.email_domains {note}.")
    if identity.profile.is_own_session and identity.user is None:
        return Denied(Reason.USER_UNKNOWN, "The directory does not know the session's user any more.")
    if not identity.profile.user:
        return NOT_APPLICABLE
    if identity.user is None and case.new_user is None and options.user_unknown == "refused":
        return Denied(Reason.USER_UNKNOWN, "The directory does not know the token's user.")
    writes = user_writes(case)
    return Passed(writes) if writes else None
