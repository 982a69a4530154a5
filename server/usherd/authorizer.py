"""The way of a question through the house: is it genuine, who is it, may they, what do we answer?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from usherd.at_hand import AtHand
from usherd.authenticate.verifier import Verifier
from usherd.decisions import Decisions, reach, revision_of
from usherd.domain import Decision, Question
from usherd.errors import DirectoryUnavailable, Fault, InternalFault
from usherd.facts import Write
from usherd.holders import Holders, Refused
from usherd.identify.profile import Profiler
from usherd.judge import Genuine, Judge, Judged
from usherd.listing import ModelsPage, list_models
from usherd.logins import Logins
from usherd.observed import Laps, observed
from usherd.permit.asked import Asked
from usherd.policy import Policy
from usherd.ports import (
    Clock,
    Directory,
    Facts,
    Hook,
    Keys,
    NewId,
    Observer,
    Provisioning,
    Revocations,
    Sessions,
    Stage,
    Stopwatch,
)
from usherd.turns import Turn
from usherd.verdicts import Verdicts
from usherd.watch.judging import Judging

_A_DAY = 86400.0
"""Seconds that a living decision is kept at most; whoever hears nothing any more forgets it long before."""


class Authorizer:
    """Answers questions under one policy. Raises Fault when there is no answer; a refusal is an answer."""

    def __init__(
        self,
        *,
        policy: Policy,
        verifier: Verifier,
        keys: Keys,
        directory: Directory,
        clock: Clock,
        stopwatch: Stopwatch,
        new_id: NewId,
        revocations: Revocations | None = None,
        hook: Hook | None = None,
        hook_is_pure: bool = False,
        sessions: Sessions | None = None,
        provisioning: Provisioning | None = None,
        observer: Observer | None = None,
        remember: int = 32_768,
    ) -> None:
        """`remember` is how many verdicts are kept at most (1 to 3 KB each), and how many questions that were answered
        with them; 0 judges each question anew.

        `hook_is_pure` promises that the hook says the same of the same token each time.
        Without `provisioning`, what answers want to have written is left unwritten. `observer` hears of questions that
        are asked one by one.
        """
        self._none_qualifies = policy.options.none_qualifies
        self._directory = directory
        self._stopwatch = stopwatch
        self._observer = observer
        self._provisioning = provisioning
        optional = {"revocation": revocations is not None, "hook": hook is not None}
        self._judge = Judge(policy, frozenset(name for name, there in optional.items() if there))
        self._verdicts = Verdicts(self._judge, remember, observer)
        self._holders = Holders(
            verifier=verifier,
            profiler=Profiler(policy),
            judge=self._judge,
            stopwatch=stopwatch,
            revocations=revocations,
            hook=hook,
            hook_is_pure=hook_is_pure,
            sessions=sessions,
            hook_asks_sessions=policy.options.session_identity == "claims",
            hook_error_denies=policy.options.hook_on_error == "deny",
        )
        self._decisions = Decisions(policy.keep_answers_for, keys, clock, new_id)
        self.logins = Logins(
            policy=policy,
            holders=self._holders,
            judge=self._judge,
            directory=directory,
            decisions=self._decisions,
        )
        """Who may have sessions of the user interface."""
        self._at_hand = AtHand(directory, self._holders, self._verdicts, self._decisions, remember=remember)
        self.judging = Judging(
            policy=policy,
            directory=directory,
            holders=self._holders,
            judge=self._judge,
            verdicts=self._verdicts,
            decisions=Decisions(_A_DAY, keys, clock, new_id),
            keys=keys,
        )
        """Makes decisions that are kept true. They write nothing."""
        answer = self._at_hand.answer
        self._answer_at_hand = answer if observer is None else observed(answer, observer)

    async def authorize(
        self,
        question: Question,
        *,
        explain: bool = False,
        at_least: tuple[str, int] | None = None,
        patience: float = 2.0,
    ) -> Decision:
        """Answers one question.

        `at_least` is a (store, revision) that the directory must have reached; `patience` is how many seconds may
        be spent on waiting for it, and on keys that have to be fetched. Raises Fault: no other exception leaves.
        """
        try:
            await reach(self._directory, at_least, patience)
            asked = self._judge.asked(question)
            public = self._judge.public(asked, explain=explain)
            if public is not None:
                return self._decisions.of(public, None, None)
            laps = Laps(self._stopwatch, self._observer)
            holder = await self._holders.of(question.token, patience)
            laps.end(Stage.AUTHENTICATE)
            if isinstance(holder, Refused):
                return self._refusal(holder, explain=explain)
            facts = await self._directory.facts((self._judge.wanted(holder, question),))
            refused = await self._holders.still(question.token, patience)
            laps.end(Stage.DIRECTORY)
            if refused is not None:
                return self._refusal(refused, explain=explain)
            judged = self._judged(holder, question, asked, facts, explain=explain)
            laps.end(Stage.JUDGE)
            if judged.writes and not explain:
                await self._write(judged.writes)
            return self._decisions.of(judged.verdict, holder, facts)
        except Fault:
            raise
        except Exception as error:
            raise InternalFault from error

    def at_hand(self, encoded: bytes, read: Callable[[], Question]) -> Decision | None:
        """What `authorize` would answer, if all of it is at hand; None says nothing: ask `authorize`.

        `encoded` says the whole question: equal bytes are equal questions. `read` makes the question of it, and is
        called only where that is needed. It waits for nothing, and makes no refusal.
        """
        return self._answer_at_hand(encoded, read)

    async def authorize_many(
        self,
        questions: Sequence[Question],
        *,
        explain: bool = False,
        at_least: tuple[str, int] | None = None,
        patience: float = 2.0,
    ) -> list[Decision | Fault]:
        """Answers many questions at one revision of the directory, in their order.

        A fault of one question stands in its place, and so does one of writing what answers want to have written; a
        fault of reading the directory is raised. Lets other work go on every few milliseconds.
        """
        try:
            await reach(self._directory, at_least, patience)
            holders = await self._holders.of_all({question.token for question in questions}, patience)
            needs = [
                self._judge.wanted(holder, question)
                for question in questions
                if isinstance(holder := holders[question.token], Genuine)
            ]
            facts = await self._directory.facts(needs)
            holders = await self._holders.still_all(holders, patience)
        except Fault:
            raise
        except Exception as error:
            raise InternalFault from error
        turn = Turn(self._stopwatch)
        answers: list[Decision | Fault] = []
        writes: list[Write] = []
        wanting: list[int] = []
        for place, question in enumerate(questions):
            before = len(writes)
            answers.append(self._answer(question, holders[question.token], facts, writes, explain=explain))
            wanting += [place] if len(writes) > before else []
            await turn.maybe_yield()
        if writes and not explain:
            try:
                await self._write(writes)
            except Fault as fault:
                for place in wanting:
                    answers[place] = fault
        return answers

    async def models(
        self,
        question: Question,
        *,
        after: str = "",
        limit: int = 100,
        at_least: tuple[str, int] | None = None,
        patience: float = 2.0,
    ) -> ModelsPage:
        """The models of the catalogue that the question would be allowed with, by asking for each of them.

        At most `limit` names, those after `after` by code points. The question's own model is left aside.
        """
        open_question = question._replace(model=None, fallback_models=())
        try:
            await reach(self._directory, at_least, patience)
            holders = await self._holders.of_all({question.token}, patience)
            holder = holders[question.token]
            needs = (self._judge.wanted(holder, open_question),) if isinstance(holder, Genuine) else ()
            facts = await self._directory.facts(needs)
            holder = (await self._holders.still_all(holders, patience))[question.token]
        except Fault:
            raise
        except Exception as error:
            raise InternalFault from error
        return await list_models(
            self._judge.catalogue.names(),
            lambda asked: self._answer(asked, holder, facts, [], explain=False, remember=False),
            open_question,
            after=after,
            limit=limit,
            revision=revision_of(facts),
            turn=Turn(self._stopwatch),
            none_qualifies=self._none_qualifies,
        )

    async def _write(self, writes: Sequence[Write]) -> None:
        """Raises Fault when what an answer wants to have written could not be: then there is no answer."""
        if self._provisioning is None:
            return
        try:
            await self._provisioning.write(writes)
        except Fault:
            raise
        except Exception as error:
            raise DirectoryUnavailable from error

    def _judged(
        self, holder: Genuine, question: Question, asked: Asked, facts: Facts, *, explain: bool, remember: bool = True
    ) -> Judged:
        if explain or not remember:
            # A list asks for a whole catalogue: it must not push out what others ask for again and again.
            return self._judge.judge(holder, question, asked, facts, explain=explain)
        return self._verdicts.of(holder, question, asked, facts)

    def _answer(
        self,
        question: Question,
        holder: Genuine | Refused | Fault,
        facts: Facts,
        writes: list[Write],
        *,
        explain: bool,
        remember: bool = True,
    ) -> Decision | Fault:
        try:
            asked = self._judge.asked(question)
            public = self._judge.public(asked, explain=explain)
            if public is not None:
                return self._decisions.of(public, None, None)
            if isinstance(holder, Fault):
                return holder
            if isinstance(holder, Refused):
                return self._refusal(holder, explain=explain)
            judged = self._judged(holder, question, asked, facts, explain=explain, remember=remember)
            writes += judged.writes
            return self._decisions.of(judged.verdict, holder, facts)
        except Fault as fault:
            return fault
        except Exception as error:
            internal = InternalFault()
            internal.__cause__ = error
            return internal

    def _refusal(self, refused: Refused, *, explain: bool) -> Decision:
        return self._decisions.of(
            self._judge.refused(refused.refusal, refused.check, refused.token, explain=explain), None, None
        )
