"""What usherd answered to a case, in the words in which the cases are written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from usherd.decide import allows, answer_to
from usherd.domain import Decision, Principal, PrincipalKind
from usherd.errors import Fault
from usherd.parity.sayings import Said

CONFIG_ERROR = "CONFIG_ERROR"
"""Stands as the reason where the configuration did not load."""


class Outcome(Enum):
    """What became of a question."""

    ALLOWED = "allow"
    DENY = "deny"
    FAULT = "fault"
    """No decision: a gateway lets nothing pass."""
    CONFIG_ERROR = "config_error"


@dataclass(frozen=True, slots=True)
class Ids:
    """Whom an allowed request is counted to; None: nobody of that kind."""

    is_proxy_admin: bool = False
    team_id: object = None
    user_id: object = None
    org_id: object = None
    end_user_id: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer."""

    outcome: Outcome
    reason: str
    """The decision's reason, the fault's, or `CONFIG_ERROR`."""
    http_status: int | None = None
    """What the end user is told; None where there is no decision."""
    ids: Ids = Ids()
    """Those of an ALLOW; empty otherwise."""
    role: str | None = None
    """The internal role that the claims give, `error` where they cannot be read, None for none."""
    writes: tuple[dict[str, Any], ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the request may pass."""
        return self.outcome is Outcome.ALLOWED


def of_decision(decision: Decision, said: Said, writes: list[dict[str, Any]]) -> Answer:
    """The answer that a decision is, about a token that says this."""
    verdict = decision.verdict
    allowed = allows(verdict)
    return Answer(
        outcome=Outcome.ALLOWED if allowed else Outcome.DENY,
        reason=verdict.reason.name,
        http_status=answer_to(verdict).http_status,
        ids=_ids(verdict.principal, said) if allowed and verdict.principal is not None else Ids(),
        role=said.role,
        writes=tuple(writes),
    )


def of_fault(fault: Fault) -> Answer:
    """The answer that a fault is: none."""
    return Answer(outcome=Outcome.FAULT, reason=fault.reason.name)


def _ids(principal: Principal, said: Said) -> Ids:
    if principal.kind is PrincipalKind.ANONYMOUS:
        return Ids()
    # The question's end user counts for budgets and is the gateway's to know; LiteLLM answers with the token's.
    end_user = said.end_user if principal.end_user_id else None
    # LiteLLM leaves the end user out for administrators.
    empty = said.empty - {"end_user_id"} if principal.is_admin else said.empty
    return Ids(
        is_proxy_admin=principal.is_admin,
        team_id=principal.team_id or None,
        user_id=principal.user_id or ("" if "user_id" in empty else None),
        org_id=principal.organization_id or ("" if "org_id" in empty else None),
        end_user_id=end_user or ("" if "end_user_id" in empty else None),
    )
