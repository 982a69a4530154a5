"""Makes the decisions that are kept true, the first and every later one, as Check would; and writes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from usherd.authenticate.kept_token import KeptToken, Lapse, Lapsed
from usherd.changes import Lookup, Ref
from usherd.decisions import Decisions, reach, revision_of
from usherd.domain import Decision, DependencyKind, Question
from usherd.errors import Fault, InternalFault
from usherd.holders import Holders, Refused
from usherd.judge import Genuine, Judge
from usherd.policy import Policy
from usherd.ports import Directory, Keys
from usherd.verdicts import Verdicts
from usherd.watch.looked_up import LookedUp

LOOK_PATIENCE = 1.0
"""Seconds that a decision waits, when it is looked at again, for what is not known here about its session."""

_NOT_OF_THE_DIRECTORY = frozenset({DependencyKind.KEY, DependencyKind.ISSUER, DependencyKind.POLICY})


class Revision(NamedTuple):
    """A revision of the directory."""

    text: str
    """As `Decision.revision`."""
    number: int


class Found(NamedTuple):
    """A decision, and what has to happen before it may be another one."""

    decision: Decision
    kept: KeptToken | None
    """None: it was made without a look at the token, or the token was not genuine."""
    revision: int
    """Of the directory that was read; -1: none was."""
    final: bool
    """It denies because of what the token is or was, and no change will make the same token good."""
    depends_on: tuple[Ref, ...] = ()
    """The dependencies that news can be about."""
    looked_up: tuple[Lookup, ...] = ()
    """What the token may be revoked by."""
    key_lasts: float = math.inf
    """Seconds for which the key is trusted if nothing is fetched meanwhile."""
    writes: bool = False
    """Whoever asked this once would have something written first, which is not done here."""
    public: bool = False
    """The route is open to all, so that it stands whatever becomes of the token."""


class Judging:
    """Decides under one policy."""

    def __init__(
        self,
        *,
        policy: Policy,
        directory: Directory,
        holders: Holders,
        judge: Judge,
        verdicts: Verdicts,
        decisions: Decisions,
        keys: Keys,
    ) -> None:
        self._directory = directory
        self._holders = holders
        self._judge = judge
        self._verdicts = verdicts
        self._decisions = decisions
        self._keys = keys
        self._looked_up = LookedUp(policy)

    def revision(self) -> Revision | None:
        """The directory's revision now; None: it is too old for anything to be said by it."""
        facts = self._directory.at_hand()
        return None if facts is None else Revision(revision_of(facts), facts.revision)

    async def first(
        self, question: Question, *, explain: bool, at_least: tuple[str, int] | None, patience: float
    ) -> Found:
        """The first decision, as `Authorizer.authorize` would make it. Raises Fault, and no other exception."""
        try:
            await reach(self._directory, at_least, patience)
            return await self._first(question, explain=explain, patience=patience)
        except Fault:
            raise
        except Exception as error:
            raise InternalFault from error

    async def _first(self, question: Question, *, explain: bool, patience: float) -> Found:
        public = self._public(question, explain=explain)
        if public is not None:
            return public
        kept, holder = await self._holders.keep(question.token, patience)
        return await self._decided(kept, holder, question, explain=explain)

    async def again(self, kept: KeptToken | None, question: Question, *, explain: bool) -> Found | Lapse:
        """The decision that Check would make now; the question's own token is not looked at, and may be left out.

        Lapse: only with the token could that be told. Raises Fault, and no other exception.
        """
        try:
            public = self._public(question, explain=explain)
            if public is not None:
                return public._replace(kept=kept)
            if kept is None:
                return Lapse.RULES
            holder = await self._holders.again(kept, LOOK_PATIENCE)
            return await self._decided(kept, holder, question, explain=explain)
        except Lapsed as lapsed:
            return lapsed.lapse
        except Fault:
            raise
        except Exception as error:
            raise InternalFault from error

    def _public(self, question: Question, *, explain: bool) -> Found | None:
        verdict = self._judge.public(self._judge.asked(question), explain=explain)
        return None if verdict is None else Found(self._decisions.of(verdict, None, None), None, -1, False, public=True)

    async def _decided(
        self, kept: KeptToken | None, holder: Genuine | Refused, question: Question, *, explain: bool
    ) -> Found:
        writes = False
        if isinstance(holder, Refused):
            verdict = self._judge.refused(holder.refusal, holder.check, holder.token, explain=explain)
            # The hook may say otherwise another time, and other rules may read the claims otherwise.
            final = holder.check in ("token", "revocation")
            decision, revision = self._decisions.of(verdict, None, None), -1
        else:
            facts = await self._directory.facts((self._judge.wanted(holder, question),))
            refused = None if kept is None else self._holders.meanwhile(kept.token)
            if refused is not None:
                return await self._decided(kept, refused, question, explain=explain)
            asked = self._judge.asked(question)
            if explain:
                verdict = self._judge.judge(holder, question, asked, facts, explain=True).verdict
            else:
                verdict, wanted = self._verdicts.of(holder, question, asked, facts)
                writes = bool(wanted)
            decision, revision, final = self._decisions.of(verdict, holder, facts), facts.revision, False
        refs = tuple((each.kind, each.id) for each in verdict.depends_on if each.kind not in _NOT_OF_THE_DIRECTORY)
        looked_up: Sequence[Lookup] = () if kept is None else tuple(self._looked_up.of(kept.token))
        lasts = math.inf
        if kept is not None and kept.token.key is not None and not final:
            lasts = self._keys.usable_for(kept.token.key)
        return Found(decision, kept, revision, final, refs, tuple(looked_up), lasts, writes)
