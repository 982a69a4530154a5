"""Asks a candidate policy the same questions and tells where it would answer otherwise. Only the live answer counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from usherd.authorizer import Authorizer
from usherd.decide import allows
from usherd.domain import Decision, Question, ShadowVerdict, Verdict
from usherd.errors import Fault
from usherd.listing import ModelsPage
from usherd.logins import Logins
from usherd.reasons import Reason
from usherd.watch.judging import Judging


@dataclass(frozen=True, slots=True)
class Difference:
    """One kind of difference: what the live policy said, and what the candidate."""

    live: Reason
    candidate: Reason | None
    """None: the candidate had no answer."""
    effect_differs: bool
    """Whether they differ in whether the request may pass, and not only in why it may not."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often live policy and candidate agreed, and how often they differed, by kind."""

    agreed: int
    differed: Counter[Difference]

    @property
    def total(self) -> int:
        """Questions that both were asked."""
        return self.agreed + self.differed.total()


OnDifference = Callable[[Decision, Difference], None]
"""Hears of each difference, with the live decision."""


class Shadowed:
    """Answers as the live authorizer does. Whatever becomes of the candidate, the answer is the live one's."""

    def __init__(
        self, live: Authorizer, candidate: Authorizer, policy: str, on_difference: OnDifference = lambda *_: None
    ) -> None:
        """`policy` is the candidate's digest. The candidate must have no provisioning: it never writes."""
        self._live = live
        self._candidate = candidate
        self._policy = policy
        self._on_difference = on_difference
        self._agreed = 0
        self._differed: Counter[Difference] = Counter()

    @property
    def logins(self) -> Logins:
        """The live policy's."""
        return self._live.logins

    def tally(self) -> Tally:
        """The counts so far."""
        return Tally(self._agreed, Counter(self._differed))

    @property
    def judging(self) -> Judging:
        """The live policy's. The candidate is not asked about living decisions: each is one question, however often it
        is looked at."""
        return self._live.judging

    async def authorize(
        self,
        question: Question,
        *,
        explain: bool = False,
        at_least: tuple[str, int] | None = None,
        patience: float = 2.0,
    ) -> Decision:
        """As Authorizer.authorize; an explanation tells the candidate's verdict, too."""
        decision = await self._live.authorize(question, explain=explain, at_least=at_least, patience=patience)
        # What the live policy had to wait for is there now: the candidate waits for nothing.
        candidate = await self._asked(question, explain=explain)
        self._compare(decision, candidate)
        return _explained(decision, candidate, self._policy) if explain else decision

    def at_hand(self, encoded: bytes, read: Callable[[], Question]) -> Decision | None:
        """As Authorizer.at_hand; None also when the candidate's verdict is not at hand."""
        decision = self._live.at_hand(encoded, read)
        candidate = None if decision is None else self._candidate.at_hand(encoded, read)
        if decision is None or candidate is None:
            return None
        self._compare(decision, candidate.verdict)
        return decision

    async def authorize_many(
        self,
        questions: Sequence[Question],
        *,
        explain: bool = False,
        at_least: tuple[str, int] | None = None,
        patience: float = 2.0,
    ) -> list[Decision | Fault]:
        """As Authorizer.authorize_many."""
        answers = await self._live.authorize_many(questions, explain=explain, at_least=at_least, patience=patience)
        try:
            others = await self._candidate.authorize_many(questions, explain=explain, patience=0.0)
        except Fault as fault:
            others = [fault] * len(answers)
        told: list[Decision | Fault] = []
        for answer, other in zip(answers, others, strict=True):
            candidate = None if isinstance(other, Fault) else other.verdict
            if not isinstance(answer, Fault):
                self._compare(answer, candidate)
                answer = _explained(answer, candidate, self._policy) if explain else answer
            told.append(answer)
        return told

    async def models(
        self,
        question: Question,
        *,
        after: str = "",
        limit: int = 100,
        at_least: tuple[str, int] | None = None,
        patience: float = 2.0,
    ) -> ModelsPage:
        """The live policy's list. The candidate is not asked: a list is many questions that nobody has."""
        return await self._live.models(question, after=after, limit=limit, at_least=at_least, patience=patience)

    async def _asked(self, question: Question, *, explain: bool) -> Verdict | None:
        try:
            return (await self._candidate.authorize(question, explain=explain, patience=0.0)).verdict
        except Fault:
            return None

    def _compare(self, decision: Decision, candidate: Verdict | None) -> None:
        live = decision.verdict
        if candidate is not None and (candidate.effect, candidate.reason) == (live.effect, live.reason):
            self._agreed += 1
            return
        passes = candidate is not None and allows(candidate)
        difference = Difference(live.reason, None if candidate is None else candidate.reason, passes != allows(live))
        self._differed[difference] += 1
        self._on_difference(decision, difference)


def _explained(decision: Decision, candidate: Verdict | None, policy: str) -> Decision:
    explanation = decision.verdict.explanation
    if explanation is None:
        return decision
    shadow = ShadowVerdict(
        effect=None if candidate is None else candidate.effect,
        reason=None if candidate is None else candidate.reason,
        policy=policy,
        checks=() if candidate is None or candidate.explanation is None else candidate.explanation.checks,
    )
    return decision._replace(verdict=replace(decision.verdict, explanation=replace(explanation, shadow=shadow)))


Answering = Authorizer | Shadowed
"""Whoever answers a server's questions."""
