"""A genuine token alone is worth nothing: something in it must entitle its holder."""

from __future__ import annotations

from usherd.domain import PrincipalKind
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.reasons import Reason

_WHOSE = {PrincipalKind.USER: "The token, a user's,", PrincipalKind.SERVICE: "The token, a service's,"}


def entitlement(case: Case) -> Outcome:
    """Denies a holder without admin scope, named or mapped role, existing team or known user."""
    if case.rules.options.unentitled == "allow":
        return NOT_APPLICABLE
    identity, rules = case.identity, case.rules
    if case.roles or identity.is_admin or case.choice.claimed or identity.user is not None or case.mapping_entitles:
        return None
    if rules.options.sub_is_entitlement and (identity.profile.names_user or identity.profile.names_team):
        return None
    # Roles are for users, services or both: who is taken for the other is denied here, and looks for the reason.
    whose = _WHOSE.get(identity.profile.kind, "The token")
    return Denied(
        Reason.NOT_ENTITLED,
        f"{whose} holds no role, names no existing team, and its holder is no known user"
        f"{rules.entitling.of(identity.profile)}.",
    )
