"""Asks each replica with Check, at a steady rate, and has every answer judged."""

from __future__ import annotations

import asyncio
import random
import time

import grpc

from chaos.calling import DEADLINE, OPTIONS, is_strange, revision_of
from chaos.ledger import Ledger, Subject, Write
from chaos.score import Score
from chaos.world import MODEL, ROUTE
from tools.rpc_world import SERVICE, ended
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import decision_pb2, question_pb2
from usher.v1 import reason_pb2 as reasons

NEWEST = 24
"""Subjects at the end of the list that are asked about: the tokens that were revoked last are among them."""


AS_FRESH = 0.25
"""The share of questions that ask for an answer as fresh as the last write."""


class CutOff:
    """Whether replicas can read the log, as whoever brings faults about knows."""

    since: float | None = None
    """Since when they cannot; None: they can."""


class Checker:
    """Asks one replica."""

    def __init__(self, number: int, address: str, ledger: Ledger, score: Score, cut_off: CutOff) -> None:
        self.number = number
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._check = self._channel.unary_unary(f"{SERVICE}/Check", None, api.CheckResponse.FromString)
        self._ledger = ledger
        self._score = score
        self._cut_off = cut_off
        self._chance = random.Random(number)
        self.last_answer = 0.0
        """When it last answered with a decision."""

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()

    async def pace(self, rate: float) -> None:
        """For ever: asks so often in a second, each call on its own."""
        between, due = 1 / rate, time.monotonic()
        calls: set[asyncio.Task[None]] = set()
        try:
            while True:
                call = asyncio.create_task(self.ask(self._choose()))
                calls.add(call)
                call.add_done_callback(calls.discard)
                due = max(due + between, time.monotonic() - 1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    def _choose(self) -> Subject:
        subjects = self._ledger.subjects
        return self._chance.choice(subjects[:6] + subjects[6:][-NEWEST:])

    async def ask(self, subject: Subject) -> bool:
        """Asks about a subject; returns whether there was a decision."""
        question = question_pb2.Question(token=subject.token, route=ROUTE, method="POST", model=MODEL)
        write = subject.writes[-1]
        fresh = write if write.token and self._chance.random() < AS_FRESH else None
        options = api.Options(at_least_as_fresh="" if fresh is None else fresh.token)
        data = api.CheckRequest(question=question, options=options).SerializeToString()
        asked = time.monotonic()
        try:
            decision = (await self._check(data, timeout=DEADLINE)).decision
        except grpc.aio.AioRpcError as error:
            fault = ended(error)
            self._score.answers[f"{fault.code.name} {fault.reason}".strip()] += 1
            if is_strange(fault):
                self._score.broke("strange_faults", asked, call="Check", fault=f"{fault.code.name} {fault.reason}")
            return False
        answered = time.monotonic()
        self.last_answer = answered
        self._judge(subject, decision, asked, answered, fresh)
        return True

    def _judge(
        self,
        subject: Subject,
        decision: decision_pb2.Decision,
        asked: float,
        answered: float,
        fresh: Write | None,
    ) -> None:
        closed = decision.effect != decision_pb2.EFFECT_ALLOW
        reason = reasons.Reason.Name(decision.reason).removeprefix("REASON_")
        self._score.answers[reason] += 1
        told = {"replica": self.number, "subject": subject.name, "said": reason, "by": "Check"}
        if not self._ledger.answer_is_right(subject, closed=closed, asked=asked, answered=answered):
            self._score.broke("wrong_deny" if closed else "wrong_allow", asked, **told)
        if not self._ledger.fits_revision(subject, closed=closed, revision=revision_of(decision.revision)):
            name = "deny_against_its_revision" if closed else "allow_against_its_revision"
            self._score.broke(name, asked, revision=decision.revision, **told)
        if fresh is not None and not self._ledger.is_as_fresh(subject, fresh, closed=closed, answered=answered):
            self._score.broke("not_as_fresh_as_asked", asked, wanted=fresh.token, revision=decision.revision, **told)
        since = self._cut_off.since
        if since is not None and asked > since + self._ledger.max_staleness + GRACE:
            self._score.broke("answers_while_cut_off", asked, **told)


GRACE = 0.25
"""Seconds within which a replica that is cut off must have seen that its facts are too old, on a busy machine."""
