"""Shows decisions and faults: to people as short lines and a table of checks, to scripts as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from usherd.cli.console import console, escaped, styled
from usherd.decide import allows, answer_to
from usherd.domain import (
    CheckOutcome,
    CheckResult,
    Decision,
    Effect,
    Explanation,
    Limit,
    Limits,
    Principal,
    ShadowVerdict,
)
from usherd.errors import Fault, FaultReason
from usherd.reasons import ANSWERS

_OUTCOME = {
    CheckOutcome.PASSED: ("passed", "yes"),
    CheckOutcome.DENIED: ("denied", "no"),
    CheckOutcome.NOT_APPLICABLE: ("-", "dim"),
    CheckOutcome.FAULT: ("fault", "fault"),
}


def instant(seconds: float) -> str:
    """Seconds since the epoch in UTC (RFC 3339); other numbers as they are."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision for scripts, in the words of the contract."""
    verdict = decision.verdict
    answer = answer_to(verdict)
    return {
        "effect": verdict.effect.name,
        "reason": verdict.reason.name,
        "message": answer.message,
        "http_status": answer.http_status,
        "www_authenticate": answer.www_authenticate,
        "principal": None if verdict.principal is None else _principal_json(verdict.principal),
        "resolved_model": verdict.resolved_model,
        "limits": None if verdict.limits is None else _limits_json(verdict.limits),
        "depends_on": [
            {"kind": each.kind.name, "id": each.id, "revision": each.revision, "absent": each.absent}
            for each in verdict.depends_on
        ],
        "explanation": None if verdict.explanation is None else _explanation_json(verdict.explanation),
        "decision_id": decision.decision_id,
        "revision": decision.revision,
        "valid_until": instant(decision.valid_until),
        "cacheable": decision.cacheable,
    }


def fault_json(fault: Fault) -> dict[str, Any]:
    """A fault for scripts."""
    return {"fault": _fault_name(fault), "code": fault.code.name, "message": fault.message}


def _fault_name(fault: Fault) -> str:
    # A server that is out of reach gives no reason of its own.
    return fault.code.name if fault.reason is FaultReason.INTERNAL else fault.reason.name


def _principal_json(principal: Principal) -> dict[str, Any]:
    values = {each.name: getattr(principal, each.name) for each in fields(principal)}
    values["kind"] = principal.kind.name
    values["claims"] = [{"name": name, "value_json": value} for name, value in principal.claims]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _limits_json(limits: Limits) -> dict[str, Any]:
    return {each.name: _limit_json(getattr(limits, each.name)) for each in fields(limits)}


def _limit_json(limit: Limit | None) -> dict[str, Any] | None:
    if limit is None:
        return None
    return {each.name: getattr(limit, each.name) for each in fields(limit)} | {"models": list(limit.models)}


def _explanation_json(explanation: Explanation) -> dict[str, Any]:
    return {
        "checks": _checks_json(explanation.checks),
        "roles_held": list(explanation.roles_held),
        "team_candidates": list(explanation.team_candidates),
        "shadow": None if explanation.shadow is None else _shadow_json(explanation.shadow),
    }


def _checks_json(checks: Iterable[CheckResult]) -> list[dict[str, Any]]:
    return [
        {
            "check": each.check,
            "outcome": each.outcome.name,
            "reason": None if each.reason is None else each.reason.name,
            "note": each.note,
        }
        for each in checks
    ]


def _shadow_json(shadow: ShadowVerdict) -> dict[str, Any]:
    return {
        "effect": None if shadow.effect is None else shadow.effect.name,
        "reason": None if shadow.reason is None else shadow.reason.name,
        "policy": shadow.policy,
        "checks": _checks_json(shadow.checks),
    }


def show_decision(decision: Decision) -> None:
    """A decision for people."""
    verdict = decision.verdict
    allowed, answer = allows(verdict), answer_to(verdict)
    head = Text.assemble(
        styled("ALLOW" if allowed else "DENY", "yes" if allowed else "no"),
        f"  {verdict.reason.name}  {answer.message} (HTTP {answer.http_status})",
    )
    out = console()
    out.print(head)
    for name, value in _lines(decision):
        out.print(Text.assemble(styled(f"  {name:<10}", "dim"), escaped(value)))
    explanation = verdict.explanation
    if explanation is None:
        return
    out.print(_explained(explanation))
    if explanation.shadow is not None:
        out.print(_shadow_head(explanation.shadow))
        if explanation.shadow.checks:
            out.print(_checks(explanation.shadow.checks))


def _lines(decision: Decision) -> Iterator[tuple[str, str]]:
    verdict = decision.verdict
    principal = verdict.principal
    if principal is not None:
        yield "who", _who(principal)
        if principal.roles:
            yield "roles", ", ".join(principal.roles)
        if principal.team_id:
            yield "team", principal.team_id
        if principal.organization_id:
            yield "org", principal.organization_id
    if verdict.resolved_model:
        yield "model", verdict.resolved_model
    yield "id", decision.decision_id
    if decision.cacheable:
        yield "until", instant(decision.valid_until)


def _who(principal: Principal) -> str:
    name = principal.user_id or principal.subject or "nobody in particular"
    return f"{principal.kind.name.lower()} {name}{', administrator' if principal.is_admin else ''}"


def _explained(explanation: Explanation) -> Table:
    table = _checks(explanation.checks)
    if explanation.team_candidates:
        table.caption = Text(escaped(f"teams tried: {', '.join(explanation.team_candidates)}"))
    return table


def _shadow_head(shadow: ShadowVerdict) -> Text:
    """What the candidate policy would have said. Its first word is no verdict, so that nobody takes it for one."""
    if shadow.effect is None or shadow.reason is None:
        return Text.assemble("shadow: ", styled("no decision", "fault"), "  the candidate policy had no answer")
    style = "no" if shadow.effect is Effect.DENY else "yes"
    message = ANSWERS[shadow.reason].message
    return Text.assemble("shadow: ", styled(f"would {shadow.effect.name}", style), f"  {shadow.reason.name}  {message}")


def _checks(checks: Iterable[CheckResult]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for column in ("check", "outcome", "reason", "note"):
        table.add_column(column, overflow="fold")
    for each in checks:
        outcome, style = _OUTCOME[each.outcome]
        reason = "" if each.reason is None else each.reason.name
        table.add_row(styled(each.check), styled(outcome, style), styled(reason), styled(each.note))
    return table


def show_fault(fault: Fault) -> None:
    """A fault for people: it is no denial, and says so."""
    head = Text.assemble(styled("NO DECISION", "fault"), f"  {_fault_name(fault)}  {fault.message}")
    console().print(head)
