"""Counts what is spent, and says when that moves a budget from one state to another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from usherd.facts import BudgetOwner, BudgetState
from usherd.ports import Clock
from usherd.stores.sharded import Sharded

MOST_MICRO_USD = 2**63 - 1
"""Where a counter stops: the contract's money is an int64."""


class Budget(NamedTuple):
    """What may be spent in a period. A tuple: one is made for each budget of each question."""

    maximum: int | None = None
    """Micro-USD; None: any amount."""
    period: float | None = None
    """Seconds, above 0; None: there is one period, which does not end.

    Periods of one length begin together, at multiples of it since the epoch (those of a day at midnight UTC), so that
    nobody has to remember when they began.
    """

    def state(self, spent: int) -> BudgetState:
        """Where that many micro-USD stand against the maximum."""
        if self.maximum is None or spent < self.maximum:
            return BudgetState.WITHIN
        return BudgetState.REACHED if spent == self.maximum else BudgetState.EXCEEDED

    def period_end(self, now: float) -> float:
        """The end of the period that `now` is in, in seconds since the epoch."""
        if self.period is None:
            return math.inf
        return (math.floor(now / self.period) + 1) * self.period


NO_BUDGET = Budget()
"""Any amount may be spent. It counts all the same, for the day when there is a maximum."""


@dataclass(slots=True)
class _Counter:
    budget: Budget
    ends: float
    spent: int = 0


class Ledger:
    """What each owner has spent in its period, in micro-USD, and the states that this has brought about.

    It has a counter for each owner that has spent something and that the directory knows, so that its memory is
    bounded by the directory. When a period is over, nothing is spent: whoever spends again begins anew, and `renew`
    does so for budgets that nobody may spend from any more. Should the clock go back, a period goes on until its end
    comes again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counters: dict[BudgetOwner, _Counter] = {}
        self._states: Sharded[BudgetOwner, BudgetState] = Sharded()
        self._moved: set[BudgetOwner] = set()
        self._ending: dict[float, set[BudgetOwner]] = {}
        """Whose state changes at that moment. Few moments: one for each length of periods."""

    @property
    def states(self) -> Sharded[BudgetOwner, BudgetState]:
        """The states of owners that have spent something; that of all others is what nothing spent makes it.

        The same object until one of them changes.
        """
        return self._states

    @property
    def due(self) -> float:
        """When `renew` has something to do, in seconds since the epoch; infinite: never, as long as nobody spends."""
        return min(self._ending, default=math.inf)

    def take_moved(self) -> set[BudgetOwner]:
        """Whose state has changed since this was last asked."""
        moved, self._moved = self._moved, set()
        return moved

    def record(self, owner: BudgetOwner, budget: Budget, micro_usd: int) -> None:
        """Adds to what the owner of this budget has spent in its period. Raises ValueError for less than 0."""
        if micro_usd < 0:
            raise ValueError("micro_usd: expected 0 or more")
        now = self._clock()
        counter = self._counters.get(owner)
        if counter is None or counter.ends <= now:
            counter = self._counters[owner] = _Counter(budget, budget.period_end(now))
        counter.spent = min(counter.spent + micro_usd, MOST_MICRO_USD)
        self._settle({owner: counter})

    def reset(self, owner: BudgetOwner) -> None:
        """Begins the owner's period anew before it is over: nothing is spent."""
        counter = self._counters.get(owner)
        if counter is not None:
            counter.spent = 0
            self._settle({owner: counter})

    def renew(self) -> None:
        """Ends the periods that are over."""
        now = self._clock()
        over: dict[BudgetOwner, _Counter] = {}
        for end in [end for end in self._ending if end <= now]:
            for owner in self._ending.pop(end):
                # Whoever has spent in the meantime is in a later period already.
                counter = self._counters.get(owner)
                if counter is not None and counter.ends <= now:
                    del self._counters[owner]
                    over[owner] = _Counter(counter.budget, math.inf)
        self._settle(over)

    def rows_changed(self, budget_of: Callable[[BudgetOwner], Budget | None]) -> None:
        """Takes over the budgets of the rows as they are now; `budget_of` has None for owners that are gone.

        They lose their counters. All others keep them, and their periods end as the rows say now.
        """
        now = self._clock()
        kept: dict[BudgetOwner, _Counter] = {}
        for owner, counter in self._counters.items():
            budget = budget_of(owner)
            if budget is not None and now < counter.ends:
                kept[owner] = _Counter(budget, budget.period_end(now), counter.spent)
        self._counters, self._states, self._ending = kept, Sharded(), {}
        self._settle(kept)

    def _settle(self, counters: Mapping[BudgetOwner, _Counter]) -> None:
        """Derives the states of these, anew from what is spent."""
        changes: dict[BudgetOwner, BudgetState] = {}
        for owner, counter in counters.items():
            unspent, state = counter.budget.state(0), counter.budget.state(counter.spent)
            before = self._states.get(owner)
            if state is not (unspent if before is None else before):
                changes[owner] = state
            if state is not unspent and counter.ends < math.inf:
                self._ending.setdefault(counter.ends, set()).add(owner)
        self._states = self._states.changed(changes)
        self._moved.update(changes)
