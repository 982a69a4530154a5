"""Finds out whose token it is: genuine, not revoked, accepted by the hook, and what it says."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from usherd.authenticate.kept_token import KeptToken
from usherd.authenticate.verifier import Verifier
from usherd.domain import SESSION_ISSUER, VerifiedClaims, VerifiedToken
from usherd.errors import Fault, InternalFault, Refusal, SessionsUnavailable
from usherd.identify.profile import Profiler
from usherd.judge import Genuine, Judge
from usherd.ports import Hook, Revocations, Sessions, Stopwatch
from usherd.reasons import Reason


@dataclass(frozen=True, slots=True)
class Refused:
    """A token that is refused, and the check that refused it."""

    refusal: Refusal
    check: str
    token: VerifiedToken | None
    """The token, when it was genuine and something later refused it."""


class Holders:
    """The holders of tokens under one policy."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        profiler: Profiler,
        judge: Judge,
        stopwatch: Stopwatch,
        revocations: Revocations | None,
        hook: Hook | None,
        hook_error_denies: bool = False,
        hook_is_pure: bool = False,
        hook_asks_sessions: bool = False,
        sessions: Sessions | None = None,
    ) -> None:
        """`hook_error_denies` makes an error of the hook a refusal; it is a fault otherwise. `hook_is_pure` promises
        that it says the same of the same token each time, so that it is asked only once. `hook_asks_sessions`: it is
        asked about sessions in LiteLLM's form, too, which are no provider's tokens. Without `sessions`, nothing can be
        known of those that usherd makes."""
        self._verifier = verifier
        self._profiler = profiler
        self._judge = judge
        self._stopwatch = stopwatch
        self._revocations = revocations
        self._sessions = sessions
        self._hook = hook
        self._hook_error_denies = hook_error_denies
        self._hook_is_pure = hook_is_pure
        self._hook_asks_sessions = hook_asks_sessions
        # As long as the verifier remembers a token, what the token says need not be read again.
        self._known: WeakKeyDictionary[VerifiedToken, Genuine] = WeakKeyDictionary()

    async def of_all(self, tokens: set[str], patience: float) -> dict[str, Genuine | Refused | Fault]:
        """The holder of each token; all together wait no longer than `patience`."""
        until = self._stopwatch() + patience
        holders: dict[str, Genuine | Refused | Fault] = {}
        for token in sorted(tokens):
            try:
                holders[token] = await self.of(token, max(0.0, until - self._stopwatch()))
            except Fault as fault:
                holders[token] = fault
        return holders

    async def of(self, text: str, patience: float) -> Genuine | Refused:
        """Whose token it is. Revocation and hook are asked each time, whatever is cached; a pure hook only once."""
        try:
            token = await self._verifier.verify(text, patience=patience)
        except Refusal as refusal:
            return Refused(refusal, "token", None)
        return await self._of_genuine(token, patience)

    async def keep(self, text: str, patience: float) -> tuple[KeptToken | None, Genuine | Refused]:
        """As `of`, and what is needed to ask `again`; None for a token that is not genuine."""
        try:
            kept = await self._verifier.keep(text, patience=patience)
        except Refusal as refusal:
            return None, Refused(refusal, "token", None)
        return kept, await self._of_genuine(kept.token, patience)

    async def again(self, kept: KeptToken, patience: float) -> Genuine | Refused:
        """As `of`, of a token that was kept under this or another policy. Raises Lapsed."""
        try:
            self._verifier.check_again(kept)
        except Refusal as refusal:
            return Refused(refusal, "token", None)
        return await self._of_genuine(kept.token, patience)

    async def _of_genuine(self, token: VerifiedToken, patience: float) -> Genuine | Refused:
        check = "revocation"
        try:
            if self._is_revoked(token):
                raise Refusal(Reason.TOKEN_REVOKED)
            if token.is_own_session:
                await self._check_session(token, patience)
            check = "hook"
            # What is known of a token was written down after the hook had accepted it.
            if self._hook is not None and self._hook_is_due(token):
                await self._ask_hook(self._hook, token)
            check = "identity"
            holder = self._known.get(token)
            if holder is None:
                holder = self._judge.genuine(token, self._profiler.profile(token))
                self._known[token] = holder
            return holder
        except Refusal as refusal:
            return Refused(refusal, check, token)

    async def still(self, text: str, patience: float) -> Refused | None:
        """Refused, if the token of a holder was revoked, or ended otherwise, since it was found genuine.

        Who has waited for facts asks it, so that no answer says a revision in which the token was revoked already.
        """
        try:
            token = self._verifier.recall(self._verifier.digest(text))
            if token is None:
                # It is remembered no longer, or has expired since.
                token = await self._verifier.verify(text, patience=patience)
        except Refusal as refusal:
            return Refused(refusal, "token", None)
        return self.meanwhile(token)

    async def still_all(
        self, holders: dict[str, Genuine | Refused | Fault], patience: float
    ) -> dict[str, Genuine | Refused | Fault]:
        """What `of_all` has found, with what `still` says of each since."""
        found = dict(holders)
        for text, holder in holders.items():
            if isinstance(holder, Genuine):
                try:
                    found[text] = await self.still(text, patience) or holder
                except Fault as fault:
                    found[text] = fault
        return found

    def meanwhile(self, token: VerifiedToken) -> Refused | None:
        """As `still`, of a token that is genuine now."""
        ended = token.is_own_session and self._sessions is not None and self._sessions.valid(token) is False
        if ended or self._is_revoked(token):
            return Refused(Refusal(Reason.TOKEN_REVOKED), "revocation", token)
        return None

    async def claims_of(self, text: str, patience: float) -> VerifiedClaims:
        """What a token says, which `of` has found genuine. Raises Refusal when it no longer is."""
        return (await self._verifier.verify(text, patience=patience)).claims

    def digest(self, text: str) -> bytes:
        """What `at_hand` knows the token by. Raises Refusal for what can be none."""
        return self._verifier.digest(text)

    def at_hand(self, digest: bytes) -> Genuine | None:
        """The holder of the token of that digest, if it is known and still genuine, without waiting; None says nothing:
        ask `of`. Raises KeysUnavailable and RevocationsUnavailable.
        """
        if self._hook is not None and not self._hook_is_pure:
            return None
        token = self._verifier.recall(digest)
        if token is None or self._is_revoked(token):
            return None
        # Without `sessions`, none of usherd's own is ever known.
        if self._sessions is not None and token.is_own_session and self._sessions.valid(token) is not True:
            return None
        return self._known.get(token)

    async def _check_session(self, token: VerifiedToken, patience: float) -> None:
        if self._sessions is None:
            raise SessionsUnavailable
        await self._sessions.check(token, patience)

    def _is_revoked(self, token: VerifiedToken) -> bool:
        return self._revocations is not None and self._revocations.revoked(token)

    def _hook_is_due(self, token: VerifiedToken) -> bool:
        if token.issuer == SESSION_ISSUER and (token.is_own_session or not self._hook_asks_sessions):
            return False
        return not (self._hook_is_pure and token in self._known)

    async def _ask_hook(self, hook: Hook, token: VerifiedToken) -> None:
        try:
            # A copy: what the hook does to lists and objects in it must not reach the remembered token.
            accepted = await hook(deepcopy(dict(token.claims)))
        except Exception as error:
            # The hook is the operator's code: whatever it raises, a Refusal among it, is a fault and no answer, unless
            # the policy takes errors for denials as the reference does.
            if not self._hook_error_denies:
                raise InternalFault from error
            raise Refusal(Reason.HOOK_REFUSED, "The hook failed.", reference_status=401) from None
        if accepted is not True:
            raise Refusal(Reason.HOOK_REFUSED)
