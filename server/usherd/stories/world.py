"""What one story meets: its policy, a directory, keys, budgets and a clock, around the real Authorizer."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.config.problems import KeyPath
from usherd.config.schema_stories import Change, Story, Usage
from usherd.domain import Decision, Question, ShadowVerdict
from usherd.errors import Fault
from usherd.facts import BudgetKind, BudgetOwner, Write
from usherd.policy import Policy
from usherd.ports import Provisioning, Stopwatch
from usherd.shadow import Answering, Shadowed
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory
from usherd.stores.operator_hook import OperatorHook
from usherd.stores.provisioning import bounded
from usherd.stories.book import OpenBook
from usherd.stories.compiled import Circumstances, Compiler
from usherd.stories.outages import StoryDirectory, StoryKeys, StoryWrites
from usherd.stories.tokens import Recipe, token_of

PAGE = 1000
"""Models that are asked for at a time."""


class World:
    """The world of one story. It begins as the file says, and its changes are the story's own."""

    def __init__(
        self, opened: OpenBook, story: Story, place: KeyPath, compiler: Compiler, passed: Stopwatch = lambda: 0.0
    ) -> None:
        """`passed` says how many seconds it is since the story began; time stands still between its steps unless
        given. Raises ConfigError when the story's policy does not load.
        """
        self._story = story
        self._place = place
        self._compiler = compiler
        self._began = self._now = opened.now
        self._passed = passed
        self._circumstances = Circumstances(options=story.options, rows=story.directory, removed={}, place=place)
        self._compiled = compiler.compiled(story, place, self._circumstances)
        settings = self._compiled.settings
        self.unavailable: Collection[str] = story.unavailable
        """As `Outages`."""
        self.directory = MemoryDirectory(
            "stories",
            settings.directory,
            bare_ids_for=settings.only_issuer,
            everyone=Budget(settings.policy.budgets.global_max_micro_usd, settings.budget_period),
            clock=self.clock,
        )
        self._writes = StoryWrites(bounded(self.directory, settings.policy, self._stopwatch), self)
        self.authorizer = self._made()
        """Who answers now; another one after each change of options or rows."""
        self._spend([*opened.book.usage, *story.usage])

    def token(self, recipe: Recipe) -> str:
        """A token of this world's. Raises Unusable."""
        return token_of(recipe, self._compiled.settings.policy, self._compiled.signing, self.clock())

    async def answer(self, question: Question) -> tuple[Decision | Fault, list[Write]]:
        """The answer to a question, and what it has written."""
        self._writes.taken()
        try:
            decision: Decision | Fault = await self.authorizer.authorize(question, patience=0.0)
        except Fault as fault:
            decision = fault
        return decision, self._writes.taken()

    async def explained(self, question: Question) -> Decision | None:
        """The answer with its explanation, which writes nothing; None when there is no decision."""
        try:
            return await self.authorizer.authorize(question, explain=True, patience=0.0)
        except Fault:
            return None

    async def shadow(self, question: Question) -> ShadowVerdict | None:
        """What the candidate policy would answer; None when there is none, or no decision to stand beside."""
        explained = await self.explained(question)
        explanation = None if explained is None else explained.verdict.explanation
        return None if explanation is None else explanation.shadow

    async def models(self, question: Question) -> list[str] | None:
        """The models of the catalogue that the question would be allowed with; None when there is no decision."""
        found: list[str] = []
        try:
            page = await self.authorizer.models(question, limit=PAGE)
            while page.last:
                found += [name for name, _ in page.models]
                page = await self.authorizer.models(question, limit=PAGE, after=page.last)
        except Fault:
            return None
        return found + [name for name, _ in page.models]

    def change(self, change: Change, place: KeyPath) -> None:
        """Makes a change. Raises ConfigError when the policy or the directory does not load with it."""
        self._now += change.advance or 0.0
        if change.unavailable is not None:
            self.unavailable = change.unavailable
        removed = change.remove.model_dump(exclude_unset=True)
        if change.options or change.directory or removed:
            self._reload(change, removed, place)
        self._spend(change.usage)

    def _reload(self, change: Change, removed: Mapping[str, list[str]], place: KeyPath) -> None:
        before = self._circumstances
        self._circumstances = Circumstances(
            options={**before.options, **change.options},
            rows=_rows(before.rows, change.directory, removed),
            removed={
                key: [*before.removed.get(key, []), *removed.get(key, [])] for key in {**before.removed, **removed}
            },
            place=place,
        )
        self._compiled = self._compiler.compiled(self._story, self._place, self._circumstances)
        if change.directory or removed:
            self.directory.replace(self._compiled.settings.directory)
        self.authorizer = self._made()

    def _made(self) -> Answering:
        """Who answers: under a candidate policy as well, if the configuration names one."""
        settings = self._compiled.settings
        live = self._authorizer_of(settings.policy, self._writes)
        if settings.shadow is None:
            return live
        return Shadowed(live, self._authorizer_of(settings.shadow, None), settings.shadow.digest)

    def _authorizer_of(self, policy: Policy, provisioning: Provisioning | None) -> Authorizer:
        compiled, ids = self._compiled, (f"{number:026d}" for number in itertools.count())
        keys = StoryKeys(compiled.keys, compiled.beside, compiled.runners, self)
        hook = compiled.settings.hook
        return Authorizer(
            policy=policy,
            verifier=Verifier(policy, keys, self.clock),
            keys=keys,
            directory=StoryDirectory(self.directory, self),
            clock=self.clock,
            stopwatch=self._stopwatch,
            new_id=lambda: next(ids),
            provisioning=provisioning,
            hook=None
            if hook is None
            else OperatorHook(hook.call, timeout=hook.timeout, pure=hook.pure, stopwatch=self._stopwatch),
            hook_is_pure=hook is not None and hook.pure,
        )

    def clock(self) -> float:
        """What the clock says, in seconds since the epoch."""
        return self._now + self._passed()

    def _stopwatch(self) -> float:
        return self.clock() - self._began

    def _spend(self, usage: Sequence[Usage]) -> None:
        for each in usage:
            self.directory.record_usage(_owner(each), each.spend)


def _rows(old: Mapping[str, Any], new: Mapping[str, Any], removed: Mapping[str, list[str]]) -> dict[str, Any]:
    """The rows that a story adds: the latest of each id counts, unless it was removed."""
    made: dict[str, Any] = {}
    for key in {**old, **new}:
        gone = {row.get("id") for row in new.get(key, []) if isinstance(row, dict)} | set(removed.get(key, []))
        kept = [row for row in old.get(key, []) if not (isinstance(row, dict) and row.get("id") in gone)]
        made[key] = [*kept, *new.get(key, [])]
    return made


def _owner(usage: Usage) -> BudgetOwner:
    if usage.member is not None:
        return BudgetOwner(BudgetKind.MEMBER, usage.member.user, usage.member.team)
    for kind, owner in (
        (BudgetKind.ORGANIZATION, usage.organization),
        (BudgetKind.TEAM, usage.team),
        (BudgetKind.USER, usage.user),
        (BudgetKind.END_USER, usage.end_user),
    ):
        if owner is not None:
            return BudgetOwner(kind, owner)
    return BudgetOwner(BudgetKind.GLOBAL)
