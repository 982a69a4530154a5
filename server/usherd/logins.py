"""Tells who a user is for whom a session is to be made, and what one that was made says now; or denies it."""

from __future__ import annotations

from typing import NamedTuple

from usherd.decisions import Decisions
from usherd.domain import SESSION_ISSUER, Decision, PrincipalKind
from usherd.errors import Fault, InternalFault, Refusal
from usherd.facts import DIRECTORY_ADMIN_ROLE, User
from usherd.holders import Holders, Refused
from usherd.identify.resolve import directory_role_of, known_user
from usherd.judge import Judge
from usherd.policy import OwnSessionRules, Policy
from usherd.ports import Directory, Wanted
from usherd.reading import Reading
from usherd.reasons import Reason
from usherd.sessions import SessionClaims, role_now, said


class Login(NamedTuple):
    """Somebody who may have a session."""

    user: User
    role: str
    """What the session may say that the user is. Empty: nothing in particular."""
    email: str
    """Empty: none is known."""


class Logins:
    """Under one policy. What end users control denies them: only what keeps usherd from knowing is a fault."""

    def __init__(
        self, *, policy: Policy, holders: Holders, judge: Judge, directory: Directory, decisions: Decisions
    ) -> None:
        self._policy = policy
        self._holders = holders
        self._judge = judge
        self._directory = directory
        self._decisions = decisions

    @property
    def rules(self) -> OwnSessionRules | None:
        """Of sessions that are made; None: none is."""
        return self._policy.own_sessions

    @property
    def issuers(self) -> frozenset[str]:
        """The names of those who know users."""
        return frozenset(issuer.name for issuer in self._policy.issuers)

    async def by_token(self, token: str, patience: float) -> Login | Decision:
        """Who holds a provider's token, once all has been asked that a question asks; or a denial.

        An issuer that may not grant administration makes no administrator by way of a session, either.
        """
        try:
            holder = await self._holders.of(token, patience)
            if isinstance(holder, Refused):
                return self._denied(holder.refusal, holder)
            profile = holder.profile
            if profile.issuer == SESSION_ISSUER:
                return self._denied(Refusal(Reason.ISSUER_UNKNOWN, "a session is no provider's token"))
            reading = Reading(await self._directory.facts((holder.wanted,)))
            user = known_user(profile, reading, self._policy)
            if user is None or profile.kind is not PrincipalKind.USER:
                return self._denied(Refusal(Reason.USER_UNKNOWN, "the token is of no user of the directory"))
            role = directory_role_of(profile, user, self._policy.users)
            if role == DIRECTORY_ADMIN_ROLE and not profile.may_be_admin:
                role = ""
            return self._login(user, role, user.email or profile.email)
        except Fault:
            raise
        except Exception as error:
            raise InternalFault from error

    async def by_id(self, user_id: str) -> Login | Decision:
        """The user of that id in the directory, or a denial."""
        facts = await self._directory.facts((Wanted(issuer=SESSION_ISSUER, user=user_id),))
        return self._of_directory(Reading(facts).user_by_id(user_id))

    async def by_subject(self, issuer: str, subject: str) -> Login | Decision:
        """Whom that issuer calls so, or a denial."""
        facts = await self._directory.facts((Wanted(issuer=issuer, user=subject),))
        return self._of_directory(Reading(facts).user(issuer, subject))

    async def said_by(self, token: str, patience: float) -> SessionClaims | Decision:
        """What a session's token says now, in either form; or why it is refused."""
        try:
            holder = await self._holders.of(token, patience)
            if isinstance(holder, Refused):
                return self._denied(holder.refusal, holder)
            if holder.profile.kind is not PrincipalKind.SESSION:
                return self._denied(Refusal(Reason.SESSION_INVALID, "the token is no session's"))
            profile = holder.profile
            facts = await self._directory.facts((holder.wanted,))
            user = known_user(profile, Reading(facts), self._policy)
            if user is None and profile.is_own_session:
                return self._denied(Refusal(Reason.USER_UNKNOWN))
            if user is not None and user.blocked:
                return self._denied(Refusal(Reason.USER_BLOCKED))
            claims = await self._holders.claims_of(token, patience)
            role = claims.get("user_role")
            given = self._policy.users.given_roles if profile.is_own_session else None
            return said(claims, role_now(role if isinstance(role, str) else "", user, given), holder.expires_at)
        except Refusal as refusal:
            # It has expired meanwhile.
            return self._denied(refusal)
        except Fault:
            raise
        except Exception as error:
            raise InternalFault from error

    def _of_directory(self, user: User | None) -> Login | Decision:
        if user is None:
            return self._denied(Refusal(Reason.USER_UNKNOWN))
        return self._login(user, user.role, user.email)

    def _login(self, user: User, role: str, email: str) -> Login | Decision:
        if user.blocked:
            return self._denied(Refusal(Reason.USER_BLOCKED))
        return Login(user, role, email)

    def _denied(self, refusal: Refusal, refused: Refused | None = None) -> Decision:
        check, token = ("identity", None) if refused is None else (refused.check, refused.token)
        return self._decisions.of(self._judge.refused(refusal, check, token, explain=False), None, None)
