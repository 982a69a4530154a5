"""The rules of a test: what a question has to look like, and what is answered to it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from google.protobuf.timestamp_pb2 import Timestamp

from usher.v1 import decision_pb2, fault_pb2, principal_pb2, question_pb2, reason_pb2
from usher_client.questions import Question
from usher_client.testing.words import MESSAGES, http_status, www_authenticate

FIELDS = frozenset(Question.__dataclass_fields__)
_LASTS = 3600
"""Seconds that a decision is valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """There is no decision."""

    code: int
    reason: str
    retry_after: float | None

    def message(self) -> fault_pb2.Fault:
        """The fault in place of a decision."""
        code = self.code if self.code in fault_pb2.Code.values() else fault_pb2.CODE_INTERNAL
        known = fault_pb2.FaultReason.DESCRIPTOR.values_by_name.get(f"FAULT_REASON_{self.reason}")
        reason = 0 if known is None else known.number
        fault = fault_pb2.Fault(code=cast(fault_pb2.Code, code), reason=cast(fault_pb2.FaultReason, reason))
        if self.retry_after is not None:
            fault.retry_after.FromNanoseconds(int(self.retry_after * 1e9))
        return fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A decision, but for what is different in each answer."""

    reason: str
    http_status: int | None = None
    resolved_model: str | None = None
    principal: Mapping[str, Any] | None = field(default=None, repr=False)
    cacheable: bool = True
    final: bool = False
    """Whether it has ended for good."""

    def decision(self, question: question_pb2.Question, revision: int) -> decision_pb2.Decision:
        """A decision about that question."""
        number = reason_pb2.Reason.Value(f"REASON_{self.reason}")
        allowed = number < 10
        status = http_status(number) if self.http_status is None else self.http_status
        model = question.model if self.resolved_model is None else self.resolved_model
        return decision_pb2.Decision(
            effect=decision_pb2.EFFECT_ALLOW if allowed else decision_pb2.EFFECT_DENY,
            reason=cast(reason_pb2.Reason, number),
            message=MESSAGES[self.reason],
            http_status=status,
            www_authenticate=www_authenticate(self.reason, http_status(number)),
            principal=_principal(self.principal, allowed),
            resolved_model=model if allowed else "",
            decision_id=f"fake{next(_numbers):022}",
            revision=f"fake:{revision}",
            valid_until=Timestamp(seconds=int(time.time()) + _LASTS),
            cacheable=self.cacheable and not self.final,
        )


Outcome = Verdict | Failure

NO_RULE = Verdict(reason="NOT_ENTITLED")

_numbers = itertools.count(1)


def _principal(given: Mapping[str, Any] | None, allowed: bool) -> principal_pb2.Principal | None:
    if given is None:
        user = principal_pb2.PRINCIPAL_KIND_USER
        return principal_pb2.Principal(kind=user, subject="someone", user_id="someone") if allowed else None
    values = dict(given)
    number = principal_pb2.PrincipalKind.Value(f"PRINCIPAL_KIND_{values.pop('kind', 'USER')}")
    kind = cast(principal_pb2.PrincipalKind, number)
    claims = [principal_pb2.Claim(name=name, value_json=text) for name, text in dict(values.pop("claims", ())).items()]
    return principal_pb2.Principal(kind=kind, claims=claims, **values)


class Rules:
    """What was given last counts first."""

    def __init__(self) -> None:
        self._rules: list[tuple[dict[str, Any], Outcome]] = []

    def add(self, question: Mapping[str, Any], outcome: Outcome) -> None:
        """From now on, that is the outcome for questions that look so. Raises TypeError for what no question has."""
        unknown = sorted(set(question) - FIELDS)
        if unknown:
            raise TypeError(f"a question has no {', '.join(unknown)}")
        if isinstance(outcome, Verdict):
            # What is wrong with a rule is told where it is given.
            outcome.decision(question_pb2.Question(), 0)
        self._rules.append((_plain(question), outcome))

    def clear(self) -> None:
        """Forgets all of them."""
        self._rules.clear()

    def outcome(self, question: question_pb2.Question) -> Outcome:
        """What is answered."""
        asked = _plain(vars_of(asked_of(question)))
        fitting = (
            outcome
            for wanted, outcome in reversed(self._rules)
            if all(asked[name] == value for name, value in wanted.items())
        )
        return next(fitting, NO_RULE)


def asked_of(wire: question_pb2.Question) -> Question:
    """The question as the client was asked it."""
    wish = wire.WhichOneof("team_wish")
    return Question(
        token=wire.token,
        route=wire.route,
        model=wire.model if wire.HasField("model") else None,
        method=wire.method,
        fallback_models=tuple(wire.fallback_models),
        team_id=wire.team_id if wish == "team_id" else None,
        team_alias=wire.team_alias if wish == "team_alias" else None,
        end_user_id=wire.end_user_id,
        organization_id=wire.organization_id,
        modifies_guardrails=wire.modifies_guardrails,
    )


def vars_of(question: Question) -> dict[str, Any]:
    """Its fields by their names."""
    return {name: getattr(question, name) for name in FIELDS}


def _plain(question: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if name == "fallback_models" else value for name, value in question.items()}
