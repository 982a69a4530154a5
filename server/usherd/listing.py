"""Lists the models that may be called, by asking for each: a list can then not differ from what is enforced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from usherd.decide import allows
from usherd.domain import Decision, Question
from usherd.errors import Fault
from usherd.reasons import Reason
from usherd.turns import Turn

DENIED_WHATEVER_THE_MODEL = frozenset(
    {
        Reason.NOT_ENTITLED,
        Reason.TEAM_NOT_ALLOWED,
        Reason.TEAM_REQUIRED,
        Reason.END_USER_INVALID,
        Reason.END_USER_BLOCKED,
        Reason.USER_BLOCKED,
        Reason.ROUTE_AMBIGUOUS,
        Reason.METHOD_INVALID,
        Reason.ROUTE_DENIED,
        Reason.ROUTE_NOT_GRANTED,
        Reason.ROLE_REQUIRED,
        Reason.USER_UNKNOWN,
        Reason.EMAIL_DOMAIN_NOT_ALLOWED,
        Reason.END_USER_REQUIRED,
        Reason.END_USER_BUDGET_EXHAUSTED,
        Reason.GLOBAL_BUDGET_EXHAUSTED,
        Reason.ORGANIZATION_ROLE_REQUIRED,
    }
)
"""Reasons that no model, and so no other choice of team, can change (see `CHANGED_BY_A_TEAM` for one case).
ROUTE_NOT_GRANTED is one of a question without a model; with one it counts when every model has it.

What is judged on the chosen team (its organization, block and budget, whether there is one to name) may be another
team's with another model.
"""

CHANGED_BY_A_TEAM = frozenset(
    {
        Reason.NOT_ENTITLED,
        Reason.TEAM_NOT_ALLOWED,
        Reason.TEAM_REQUIRED,
        Reason.ROUTE_NOT_GRANTED,
        Reason.ROLE_REQUIRED,
        Reason.ORGANIZATION_ROLE_REQUIRED,
    }
)
"""Of these, what a team can change. Under `team.none_qualifies: continue` a request without a model is judged without a
team, where one with a model may find a team."""


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """A page of models that may be called."""

    models: tuple[tuple[str, str], ...]
    """(name, resolved model), sorted by name."""
    last: str
    """The name to go on after; empty: this was the last page."""
    denial: Decision | None
    """Set when the question is denied whatever the model."""
    revision: str


async def list_models(
    names: Sequence[str],
    ask: Callable[[Question], Decision | Fault],
    question: Question,
    *,
    after: str,
    limit: int,
    revision: str,
    turn: Turn,
    none_qualifies: str,
) -> ModelsPage:
    """The first `limit` of the sorted names after `after` with which `ask` allows the question. Raises Fault.

    `none_qualifies` is the policy's option of that name.
    """
    telling = DENIED_WHATEVER_THE_MODEL - (CHANGED_BY_A_TEAM if none_qualifies == "continue" else frozenset())
    without_model = _decided(ask(question))
    verdict = without_model.verdict
    if verdict.principal is None or verdict.reason in telling:
        return ModelsPage((), "", without_model, revision)
    found: list[tuple[str, str]] = []
    no_route: Decision | None = None
    others = False
    for name in names:
        if name <= after:
            continue
        with_model = _decided(ask(question._replace(model=name)))
        verdict = with_model.verdict
        if verdict.reason is Reason.ROUTE_NOT_GRANTED:
            # Routes are granted together with models: with another one it may be granted.
            no_route = no_route or with_model
            await turn.maybe_yield()
            continue
        if verdict.reason in telling:
            # The question without a model was denied for the lack of one before this check was made.
            return ModelsPage((), "", with_model, revision)
        others = True
        if allows(verdict):
            if len(found) == limit:
                return ModelsPage(tuple(found), found[-1][0], None, revision)
            found.append((name, verdict.resolved_model or name))
        await turn.maybe_yield()
    if no_route is not None and not others and not after and Reason.ROUTE_NOT_GRANTED in telling:
        return ModelsPage((), "", no_route, revision)
    # No model has found a team with which it would be otherwise.
    told = not found and not after and without_model.verdict.reason in CHANGED_BY_A_TEAM
    return ModelsPage(tuple(found), "", without_model if told else None, revision)


def _decided(answer: Decision | Fault) -> Decision:
    if isinstance(answer, Fault):
        raise answer
    return answer
