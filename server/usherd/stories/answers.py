"""Puts answers into the words of stories, and says where they are not the expected ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from usherd.config.schema_stories import Expect
from usherd.decide import answer_to
from usherd.domain import Decision, Limit, Limits, ShadowVerdict
from usherd.errors import Fault
from usherd.facts import Team, Write

MICRO = 1_000_000
_NOT_THERE: tuple[object, ...] = ("", [], None)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected. Both values are plain, as JSON has them."""

    what: str
    expected: object
    got: object

    def __str__(self) -> str:
        return f"{self.what}: expected {_text(self.expected)}, got {_text(self.got)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer, and what was asked besides because something is expected of it."""

    answer: Decision | Fault
    writes: Sequence[Write]
    models: list[str] | None = None
    """What a list of models shows."""
    shadow: ShadowVerdict | None = None
    """What the candidate policy would answer."""


def differences(expect: Expect, answered: Answered) -> list[Difference]:
    """Everything that is expected and not so."""
    answer = answered.answer
    got = _fault_words(answer) if isinstance(answer, Fault) else _words(answer)
    got |= {
        "writes": [_write(each) for each in answered.writes],
        "models": answered.models,
        "shadow": _shadow(answered.shadow),
    }
    wanted = {name: getattr(expect, name) for name in Expect.model_fields if name in expect.model_fields_set}
    if isinstance(answer, Fault) and "fault" not in wanted:
        return [Difference("fault", None, got["fault"])]
    if expect.limits is not None:
        wanted["limits"] = _limits_wanted(expect.limits.model_dump(exclude_unset=True))
    if expect.shadow is not None:
        wanted["shadow"] = expect.shadow.model_dump(exclude_unset=True)
    return [
        Difference(name, value, got.get(name))
        for name, value in wanted.items()
        if not _fits(name, value, got.get(name))
    ]


def _fits(name: str, wanted: object, got: object) -> bool:
    if name in ("limits", "shadow"):
        return _holds(wanted, got)
    if name == "writes":
        wanted_writes, got_writes = _list(wanted), _list(got)
        return len(wanted_writes) == len(got_writes) and all(map(_holds, wanted_writes, got_writes))
    return _plain(wanted) == _plain(got)


def _holds(wanted: object, got: object) -> bool:
    """Whether everything that is wanted is so; other members of mappings do not matter."""
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        return all(_holds(value, got.get(key)) for key, value in wanted.items())
    return _plain(wanted) == _plain(got)


def _plain(value: object) -> object:
    return None if value in _NOT_THERE else value


def _words(decision: Decision) -> dict[str, Any]:
    verdict = decision.verdict
    answer, who = answer_to(verdict), verdict.principal
    words: dict[str, Any] = {
        "effect": verdict.effect.name,
        "reason": verdict.reason.name,
        "http_status": answer.http_status,
        "www_authenticate": answer.www_authenticate,
        "resolved_model": verdict.resolved_model,
        "limits": None if verdict.limits is None else _limits(verdict.limits),
    }
    if who is not None:
        words |= {
            "kind": who.kind.name,
            "issuer": who.issuer,
            "subject": who.subject,
            "client": who.client,
            "user": who.user_id,
            "email": who.email,
            "directory_role": who.directory_role,
            "admin": who.is_admin,
            "roles": list(who.roles),
            "scopes": list(who.scopes),
            "team": who.team_id,
            "team_alias": who.team_alias,
            "organization": who.organization_id,
            "end_user": who.end_user_id,
            "claims": {name: json.loads(value) for name, value in who.claims},
        }
    return words


def _fault_words(fault: Fault) -> dict[str, Any]:
    return {"fault": fault.reason.name}


def _shadow(shadow: ShadowVerdict | None) -> dict[str, Any] | None:
    if shadow is None:
        return None
    effect, reason = shadow.effect, shadow.reason
    return {"effect": effect and effect.name, "reason": reason and reason.name}


def _limits(limits: Limits) -> dict[str, Any]:
    return {name: _limit(getattr(limits, name)) for name in ("team", "user", "member")}


def _limit(limit: Limit | None) -> dict[str, Any] | None:
    if limit is None:
        return None
    return {
        "tpm": limit.tpm,
        "rpm": limit.rpm,
        "max_budget": _dollars(limit.max_budget_micro_usd),
        "budget_period": limit.budget_reset_seconds,
        "models": list(limit.models),
    }


def _limits_wanted(limits: dict[str, Any]) -> dict[str, Any]:
    """What is expected, in the units that answers are shown in: US dollars, seconds."""
    for limit in filter(None, limits.values()):
        if "max_budget" in limit:
            limit["max_budget"] = _dollars(limit["max_budget"])
    return limits


def _write(write: Write) -> dict[str, Any]:
    row = write.row
    values: dict[str, Any] = {
        "id": row.id,
        "models": None if row.models is None else list(row.models),
        "max_budget": _dollars(row.limit.max_budget_micro_usd),
    }
    if isinstance(row, Team):
        values |= {"alias": row.alias, "organization": row.organization}
    else:
        values |= {"email": row.email, "role": row.role, "teams": list(row.teams)}
    return {write.kind.value: values}


def _dollars(micro: int | None) -> float | None:
    return None if micro is None else micro / MICRO


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """A value as one line of JSON; texts that are names as they are."""
    if isinstance(value, str) and value.isidentifier():
        return value
    return "nothing" if value is None else json.dumps(value, ensure_ascii=True)


def checks(decision: Decision) -> Iterator[str]:
    """How the checks of an explained decision went, those that did not apply left out."""
    explanation = decision.verdict.explanation
    for each in () if explanation is None else explanation.checks:
        if each.outcome.name == "NOT_APPLICABLE":
            continue
        reason = "" if each.reason is None else f" {each.reason.name}"
        yield f"{each.check} {each.outcome.name.lower()}{reason}{f': {each.note}' if each.note else ''}"
