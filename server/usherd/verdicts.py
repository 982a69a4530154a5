"""Remembers verdicts: what was judged once about a holder and a directory is not judged again.

A verdict is a pure function of policy, profile, facts and question. The policy is in the key by being this object's,
the profile by identity, the question field by field and compared in full. By other facts it stands as long as nothing
has changed that it depends on, which the directory's history says. Time is none of its inputs; whatever depends on
time, the token's dates, its key, revocation and the hook, was asked before, each time.
"""

from __future__ import annotations

from collections import OrderedDict

from usherd.domain import MAX_DEPENDENCIES, Question, Verdict
from usherd.history import History, Standing
from usherd.judge import Genuine, Judge, Judged
from usherd.permit.asked import Asked
from usherd.ports import Cache, Facts, Observer

MAX_FREE_TEXT = 3072
"""Characters of what is asked and of what the verdict depends on: with more, it is judged anew, so that memory stays
bounded.

So are those whose verdict depends on more than an answer lists: a token can name hundreds of teams."""

_Key = tuple[Genuine, tuple[object, ...]]


class Verdicts:
    """The most recently used verdicts, at most `size`; 0 remembers none."""

    def __init__(self, judge: Judge, size: int, observer: Observer | None = None) -> None:
        self._judge = judge
        self._observer = observer
        self._size = size
        self._known: OrderedDict[_Key, Standing] = OrderedDict()
        self._history: History | None = None
        """The history of the directory that all of them were judged by."""

    def known(self, holder: Genuine, question: Question, facts: Facts) -> Standing | None:
        """The verdict, if it is remembered, and stands by these facts."""
        if facts.history is not self._history:
            return None
        # All of the question but its token, whose holder stands for it.
        key = (holder, question[1:])
        standing = self._known.get(key)
        if standing is None or not standing.holds(facts.history, facts.revision):
            return None
        self._known.move_to_end(key)
        return standing

    def of(self, holder: Genuine, question: Question, asked: Asked, facts: Facts) -> Judged:
        """The verdict, as the judge makes it. One that wants something written is not remembered: it must be asked
        again until it is."""
        known = self.known(holder, question, facts)
        if self._observer is not None:
            self._observer.looked_up(Cache.VERDICTS, found=known is not None)
        if known is not None:
            return Judged(known.verdict)
        judged = self._judge.judge(holder, question, asked, facts, explain=False)
        small = (
            len(judged.verdict.depends_on) <= MAX_DEPENDENCIES and _free_text(question, judged.verdict) <= MAX_FREE_TEXT
        )
        if self._size > 0 and asked.well_formed and small and not judged.writes:
            self._remember((holder, question[1:]), judged.verdict, facts)
        return judged

    def _remember(self, key: _Key, verdict: Verdict, facts: Facts) -> None:
        if facts.history is not self._history:
            self._known.clear()
            self._history = facts.history
        before = self._known.get(key)
        if before is not None and before.is_newer_than(facts.revision):
            # Facts that took long to be read, or to be judged by.
            return
        self._known[key] = Standing(verdict, facts.revision)
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def __len__(self) -> int:
        return len(self._known)


def _free_text(question: Question, verdict: Verdict) -> int:
    asked = (
        question.route,
        question.model or "",
        *question.fallback_models,
        question.end_user_id,
        question.organization_id,
        question.team_id or "",
        question.team_alias or "",
    )
    size = sum(map(len, asked))
    for each in verdict.depends_on:
        size += len(each.id)
    return size
