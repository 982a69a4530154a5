"""Says of each case whether usherd agrees with LiteLLM, differs by a named difference, or differs otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from usherd.parity.answers import Answer, Outcome
from usherd.parity.cases import Case, Json
from usherd.parity.compare import disagreements, is_config_error, role_agrees, status_agrees
from usherd.parity.differences import Difference, difference_of


class Asks(Protocol):
    """Whoever answers cases."""

    async def ask(self, case: Case, *, claims: Json | None = None) -> Answer:
        """As `Runner.ask`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one case."""

    case: Case
    answer: Answer
    difference: str | None
    """The named difference by which the answer differs from LiteLLM's; None where it does not, or otherwise."""
    otherwise: tuple[str, ...]
    """In what it differs otherwise, or from what its named difference implies; empty: it does not."""

    @property
    def agrees(self) -> bool:
        """Whether the answer is one of LiteLLM's."""
        return self.difference is None and not self.otherwise


async def result_of(runner: Asks, case: Case, document: object, *, named: bool = True) -> Result:
    """Asks a case, and compares. `named` takes named differences into account: those of `preset: litellm`."""
    answer = await runner.ask(case)
    apart = disagreements(case, answer)
    # What both refuse to load may hold anything, and no difference is needed for it.
    refused = is_config_error(case) and answer.outcome is Outcome.CONFIG_ERROR
    difference = difference_of(case, document) if named and not refused else None
    if difference is None:
        return Result(case=case, answer=answer, difference=None, otherwise=apart)
    if not await is_implied(runner, case, difference, answer):
        # Where a difference holds, its answer is the only right one, be it LiteLLM's or not.
        return Result(case=case, answer=answer, difference=None, otherwise=(f"not what {difference.name} implies",))
    return Result(case=case, answer=answer, difference=difference.name if apart else None, otherwise=())


async def is_implied(runner: Asks, case: Case, difference: Difference, answer: Answer) -> bool:
    """Whether an answer is the one that the difference implies."""
    if difference.implied is not None:
        return difference.implied(answer)
    if difference.reworded is None:
        raise ValueError(f"the difference {difference.name} implies nothing")
    return answer == await runner.ask(case, claims=difference.reworded(case))


@dataclass(slots=True)
class Line:
    """The counts of one area."""

    cases: int = 0
    agree: int = 0
    named: Counter[str] = field(default_factory=Counter)
    """Named differences, by name."""
    otherwise: int = 0

    def add(self, result: Result) -> None:
        """Counts a result."""
        self.cases += 1
        self.agree += result.agrees
        self.otherwise += bool(result.otherwise)
        if result.difference is not None:
            self.named[result.difference] += 1


@dataclass(slots=True)
class Tally:
    """The counts of a run."""

    areas: dict[str, Line] = field(default_factory=dict)
    total: Line = field(default_factory=Line)
    statuses: Counter[bool] = field(default_factory=Counter)
    """Of denials by both: whether the HTTP status is the same."""
    roles: Counter[bool] = field(default_factory=Counter)
    """Of all decisions: whether the internal role is the same."""

    def add(self, result: Result) -> None:
        """Counts a result."""
        self.areas.setdefault(result.case.area, Line()).add(result)
        self.total.add(result)
        for counter, agrees in (
            (self.statuses, status_agrees(result.case, result.answer)),
            (self.roles, role_agrees(result.case, result.answer)),
        ):
            if agrees is not None:
                counter[agrees] += 1


def tally(results: Iterable[Result]) -> Tally:
    """The counts of some results."""
    counted = Tally()
    for result in results:
        counted.add(result)
    return counted
