"""Reads a session of the user interface: its own claims count, rules about an identity provider do not."""

from __future__ import annotations

from usherd.domain import SESSION_ISSUER, PrincipalKind, VerifiedToken
from usherd.errors import Refusal
from usherd.facts import DIRECTORY_ADMIN_ROLE
from usherd.identify.words import one
from usherd.identity import Profile
from usherd.reasons import Reason


def session_profile(token: VerifiedToken) -> Profile:
    """The profile of a session. Raises Refusal(SESSION_INVALID) when it names no user.

    Only `user_role` makes an administrator. The scope inside such a token does not: LiteLLM gives it to
    administrators who may only look, too.
    """
    claims = token.claims
    user = one(claims, ("user_id",))
    if not user:
        raise Refusal(Reason.SESSION_INVALID, "The session names no user.")
    return Profile(
        kind=PrincipalKind.SESSION,
        is_own_session=token.is_own_session,
        issuer=SESSION_ISSUER,
        iss=token.iss,
        subject=user,
        client="",
        user=user,
        names_user=True,
        email=one(claims, ("user_email",)),
        scopes=(),
        roles=(),
        role_names=(),
        admin=one(claims, ("user_role",)) == DIRECTORY_ADMIN_ROLE,
        may_be_admin=False,
        team_ids=(),
        team_alias="",
        teams_allowed=None,
        organization="",
        end_user="",
        claims=(),
    )
