"""Makes sessions, tells what they say, and ends them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from usherd.authenticate.own_keys import OwnKeys
from usherd.domain import Decision
from usherd.errors import FieldInvalid, NoStore, NotFound, SessionsUnavailable
from usherd.logins import Login, Logins
from usherd.policy import OwnSessionRules
from usherd.ports import Clock
from usherd.session_store import Ended, SessionPage, SessionStore
from usherd.sessions import MIN_LIFETIME, SESSION_TYPE, LoginMethod, Session, SessionClaims, claims_of


class Made(NamedTuple):
    """A new session."""

    session: Session
    token: str
    revision: str
    """`store:number`: facts of that revision know it."""

    def __repr__(self) -> str:
        return f"Made(session={self.session.id!r}, ...)"


class SessionDesk:
    """What SessionService and the pages over HTTP work with."""

    def __init__(
        self, logins: Logins, clock: Clock, store: SessionStore | None = None, keys: OwnKeys | None = None
    ) -> None:
        """Without a store and keys, none is made: those in LiteLLM's form are told, and that is all."""
        self.logins = logins
        """Those of the policy in force; others when there is another one."""
        self._clock = clock
        self._store = store
        self._keys = keys

    async def create(self, token: str, lifetime: float | None, caller: str, patience: float) -> Made | Decision:
        """A session for the holder of a provider's token, or a denial.

        `lifetime` in seconds; None: as long as may be. Raises FieldInvalid for one that may not be.
        """
        seconds = self._seconds(lifetime)
        login = await self.logins.by_token(token, patience)
        return login if isinstance(login, Decision) else await self._make(login, LoginMethod.SSO, seconds, caller)

    async def create_for_id(
        self, user_id: str, method: LoginMethod, lifetime: float | None, caller: str
    ) -> Made | Decision:
        """A session for the user of that id, or a denial."""
        seconds = self._seconds(lifetime)
        login = await self.logins.by_id(user_id)
        return login if isinstance(login, Decision) else await self._make(login, method, seconds, caller)

    async def create_for_subject(
        self, issuer: str, subject: str, method: LoginMethod, lifetime: float | None, caller: str
    ) -> Made | Decision:
        """A session for whom an issuer calls so, or a denial. Raises FieldInvalid for an issuer that is none."""
        seconds = self._seconds(lifetime)
        if issuer not in self.logins.issuers:
            raise FieldInvalid("subject.issuer", "the configured name of an issuer")
        login = await self.logins.by_subject(issuer, subject)
        return login if isinstance(login, Decision) else await self._make(login, method, seconds, caller)

    async def validate(self, token: str, patience: float) -> SessionClaims | Decision:
        """What a session says now, or a denial."""
        return await self.logins.said_by(token, patience)

    async def revoke(self, *, session_id: str = "", user_id: str = "") -> Ended:
        """Ends one, or all of a user."""
        return await self._opened().revoke(session_id=session_id, user_id=user_id)

    async def page(self, *, user_id: str, valid_only: bool, after: str, limit: int) -> SessionPage:
        """Sessions, as `SessionStore.page`."""
        return await self._opened().page(user_id=user_id, valid_only=valid_only, after=after, limit=limit)

    def revision(self, number: int) -> str:
        """A revision of the store in words."""
        return f"{self._opened().id}:{number}"

    def published(self) -> Mapping[str, object]:
        """The key set. Raises NoStore, and SessionsUnavailable when it is not known."""
        if self._keys is None:
            raise NoStore
        return self._keys.published()

    def _opened(self) -> SessionStore:
        if self._store is None:
            raise NoStore
        return self._store

    def _rules(self) -> OwnSessionRules:
        if self.logins.rules is None:
            raise NoStore
        return self.logins.rules

    def _seconds(self, lifetime: float | None) -> float:
        self._opened()
        longest = self._rules().lifetime
        if lifetime is None:
            return longest
        if not MIN_LIFETIME <= lifetime <= longest:
            raise FieldInvalid(
                "lifetime", f"{MIN_LIFETIME:g} seconds to sessions.lifetime, which is {longest:g} seconds"
            )
        return lifetime

    async def _make(self, login: Login, method: LoginMethod, seconds: float, caller: str) -> Made:
        rules, store = self._rules(), self._opened()
        signer = None if self._keys is None else self._keys.signer()
        if signer is None:
            raise SessionsUnavailable
        now = float(int(self._clock()))
        session = Session(
            id=secrets.token_hex(16),
            user_id=login.user.id,
            email=login.email,
            role=login.role,
            login_method=method,
            created_at=now,
            expires_at=now + float(int(seconds)),
            caller=caller,
        )
        try:
            number = await store.create(session, signer.key.kid)
        except NotFound:
            # Its time was over before this replica heard of another.
            raise SessionsUnavailable from None
        claims = claims_of(
            session,
            issuer=rules.issuer,
            audience=rules.audience,
            premium=rules.premium,
            auth_header_name=rules.auth_header_name,
            personal_keys_disabled=rules.personal_keys_disabled,
        )
        # Signed when it is kept: there is no token of a session that nobody knows.
        return Made(session, signer.key.token(claims, SESSION_TYPE), self.revision(number))
