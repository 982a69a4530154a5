"""usherd under one configuration, asked about one directory after the other."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace

from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.domain import Question, VerifiedClaims, VerifiedToken
from usherd.errors import Fault, Refusal
from usherd.parity.answers import Answer, of_decision, of_fault
from usherd.parity.cases import Case, Json
from usherd.parity.questions import Writes, question
from usherd.parity.rows import rows, usage
from usherd.parity.sayings import Said, Sayings
from usherd.policy import Policy
from usherd.ports import Facts, Hook, Keys, Wanted
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory

PATIENCE = 0.2
"""Seconds that a question waits for keys. All that can be fetched has been fetched by then."""

_STORE = "parity"


class _Turning:
    """The directory of whichever case is being asked about (`ports.Directory`)."""

    def __init__(self, policy: Policy) -> None:
        self._only_issuer = policy.issuers[0].name if len(policy.issuers) == 1 else None
        self._everyone = Budget(maximum=policy.budgets.global_max_micro_usd or None)
        self._now = self._holding({})

    def turn_to(self, case: Case) -> None:
        """The rows of the case, and what has been spent, from now on."""
        self._now = self._holding(case.directory)

    async def facts(self, wanted: Sequence[Wanted]) -> Facts:
        """As `ports.Directory.facts`."""
        return await self._now.facts(wanted)

    def at_hand(self) -> Facts | None:
        """As `ports.Directory.at_hand`."""
        return self._now.at_hand()

    async def reach(self, store: str, revision: int) -> None:
        """As `ports.Directory.reach`."""
        await self._now.reach(store, revision)

    def _holding(self, database: Json) -> MemoryDirectory:
        made = MemoryDirectory(
            _STORE,
            rows(database),
            bare_ids_for=self._only_issuer,
            everyone=self._everyone,
        )
        for owner, micro_usd in usage(database):
            made.record_usage(owner, micro_usd)
        return made


class _Reworded(Verifier):
    """A verifier whose genuine tokens all say the same, whatever is in them."""

    def __init__(self, policy: Policy, keys: Keys, claims: Json) -> None:
        super().__init__(policy, keys, time.time)
        self._claims = VerifiedClaims(claims)

    async def verify(self, token: str, *, patience: float) -> VerifiedToken:
        """As `Verifier.verify`."""
        return replace(await super().verify(token, patience=patience), claims=self._claims)


class World:
    """One policy, with the keys that belong to it. What answers write is kept and told, and never written."""

    def __init__(self, policy: Policy, keys: Keys, hook: Hook | None) -> None:
        self._policy = policy
        self._keys = keys
        self._hook = hook
        self._directory = _Turning(policy)
        self._writes = Writes()
        self._sayings = Sayings(policy)
        self._ids = (f"{number:026d}" for number in itertools.count())
        self._verifier = Verifier(policy, keys, time.time)
        self._authorizer = self._asking(self._verifier)

    async def ask(self, case: Case, claims: Json | None = None) -> Answer:
        """The answer to the case's question; with `claims`, as if the token, if it is genuine, said that."""
        self._directory.turn_to(case)
        verifier, authorizer = self._verifier, self._authorizer
        if claims is not None:
            verifier = _Reworded(self._policy, self._keys, claims)
            authorizer = self._asking(verifier)
        asked = question(case)
        try:
            decision = await authorizer.authorize(asked, patience=PATIENCE)
        except Fault as fault:
            return of_fault(fault)
        finally:
            writes = self._writes.taken()
        return of_decision(decision, await self._said(verifier, asked), writes)

    async def _said(self, verifier: Verifier, asked: Question) -> Said:
        try:
            token = await verifier.verify(asked.token, patience=PATIENCE)
        except (Refusal, Fault):
            return Said()
        return self._sayings.of(token, asked, await self._directory.facts(()))

    def _asking(self, verifier: Verifier) -> Authorizer:
        return Authorizer(
            policy=self._policy,
            verifier=verifier,
            keys=self._keys,
            directory=self._directory,
            clock=time.time,
            stopwatch=time.monotonic,
            new_id=self._ids.__next__,
            hook=self._hook,
            provisioning=self._writes,
            remember=0,
        )
