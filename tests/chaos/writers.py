"""Writers: each has some subjects, and changes them again and again through whichever replica answers."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from typing import Any

from chaos.calling import Managing, Refused, revision_of
from chaos.ledger import Kind, Ledger, Subject, Write
from chaos.score import Score
from chaos.world import AMPLE, BLOCKED, SPENDING, SPENT, STEADY, Tokens, teams

REVOCABLE = 6
"""Tokens at a time that are still to be revoked."""


class Writers:
    """All of them."""

    def __init__(self, managing: Managing, ledger: Ledger, score: Score, tokens: Tokens) -> None:
        self._managing = managing
        self._ledger = ledger
        self._score = score
        self._tokens = tokens
        self._numbers = itertools.count(1)
        self._chance = random.Random(7)
        self._revocations: dict[str, str] = {}
        self.calm = False
        """Whether nothing fails now."""
        self.count = 0
        """Writes that were answered."""

    async def people(self) -> None:
        """Makes the teams, and the subjects."""
        edits = [{"create": {"team": team}} for team in teams()]
        await self._managing.write("directory", "ApplyEdits", edits=edits)
        owners = [{"team_id": team} for team in SPENDING]
        usages = [{"owner": owner, "micro_usd": SPENT} for owner in owners]
        await self._managing.write("directory", "RecordUsage", usages=usages)
        now = time.monotonic()
        for kind, names in ((Kind.BLOCK, BLOCKED), (Kind.BUDGET, SPENDING)):
            for team in names:
                self._ledger.add(team, kind, self._tokens.token(team), now)
        for _ in range(REVOCABLE):
            self._another()

    def _another(self) -> None:
        number = next(self._numbers)
        self._ledger.add(f"token-{number}", Kind.REVOCATION, self._tokens.token(STEADY), time.monotonic())

    async def run(self, every: float) -> None:
        """For ever: each team is changed so often, in seconds, and a token is revoked as often."""
        tasks = [
            asyncio.create_task(self._toggle(subject, every))
            for subject in self._ledger.subjects
            if subject.kind is not Kind.REVOCATION
        ]
        tasks.append(asyncio.create_task(self._revoke(every)))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _toggle(self, subject: Subject, every: float) -> None:
        while True:
            await asyncio.sleep(every * (0.5 + self._chance.random()))
            await self.change(subject, closed=not subject.state)

    async def _revoke(self, every: float) -> None:
        while True:
            await asyncio.sleep(every * (0.5 + self._chance.random()))
            left = [each for each in self._ledger.subjects[-4 * REVOCABLE :] if not each.state]
            waiting = [each for each in left if each.kind is Kind.REVOCATION]
            # The oldest is the one that all who watch have long known.
            await self.change(waiting[0], closed=True)
            self._another()

    async def change(self, subject: Subject, *, closed: bool) -> None:
        """One write, until it is known to be made."""
        write = subject.begin(time.monotonic(), closed=closed, calm=self.calm)
        # A write outlives the end of the run: its outcome is what the run is judged by.
        await asyncio.shield(asyncio.create_task(self._made(subject, write)))

    async def _made(self, subject: Subject, write: Write) -> None:
        try:
            answer = await self._sent(subject, closed=write.closed)
        except Refused as error:
            self._score.broke("strange_faults", write.began, subject=subject.name, said=str(error))
            return
        self._ledger.made(write, time.monotonic(), revision_of(answer.revision), answer.revision)
        if subject.kind is Kind.REVOCATION:
            self._revocations[subject.name] = answer.revocation.id
        write.calm = write.calm and self.calm
        self.count += 1

    async def _sent(self, subject: Subject, *, closed: bool) -> Any:
        match subject.kind:
            case Kind.BLOCK:
                method = "BlockTeam" if closed else "UnblockTeam"
                return await self._managing.write("directory", method, id=subject.name)
            case Kind.BUDGET:
                team = {"id": subject.name, "limit": {"max_budget_micro_usd": 0 if closed else AMPLE}}
                mask = {"paths": ["limit.max_budget_micro_usd"]}
                return await self._managing.write("directory", "UpdateTeam", team=team, update_mask=mask)
            case Kind.REVOCATION:
                return await self._managing.write("revocation", "Revoke", token=subject.token)

    async def read_back(self) -> None:
        """Sees that every write that was answered is there."""
        written = {
            subject.name: (subject, subject.writes[-1])
            for subject in self._ledger.subjects
            if subject.settled and subject.writes[-1].revision
        }
        there = await self._there()
        for subject, write in written.values():
            # One that was changed meanwhile says nothing.
            if subject.writes[-1] is write and (subject.name in there) is not write.closed:
                self._score.broke("lost_writes", time.monotonic(), subject=subject.name, revision=write.revision)

    async def _there(self) -> frozenset[str]:
        """The names of all that is closed."""
        listed = (await self._managing.until_answered("directory", "ListTeams", page_size=1000)).teams
        blocked = {team.id for team in listed if team.blocked}
        spent = {team.id for team in listed if team.id in SPENDING and team.limit.max_budget_micro_usd == 0}
        revoked: set[str] = set()
        token = ""
        while True:
            wanted = {"page_size": 1000, "page_token": token}
            page = await self._managing.until_answered("revocation", "ListRevocations", **wanted)
            revoked |= {each.id for each in page.revocations}
            token = page.next_page_token
            if not token:
                break
        return frozenset(blocked | spent | {name for name, each in self._revocations.items() if each in revoked})
