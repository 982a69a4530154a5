"""Compares an answer of usherd with the answers that LiteLLM may give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from usherd.parity.answers import Answer, Ids, Outcome
from usherd.parity.cases import Case, Json

CONFIG_ERROR_STATUS = "config_error"
HTTP_DIFFERS = "http_differs"

_WORD = {True: "allowed", False: "denied"}


@dataclass(frozen=True, slots=True)
class Possible:
    """One answer that LiteLLM may give."""

    allowed: bool
    ids: Ids
    status: int | None
    """The HTTP status of a denial; None where the case says nothing of it that could be compared."""


def possible(case: Case) -> tuple[Possible, ...]:
    """All answers of LiteLLM that count as its answer: it walks sets, and its HTTP layer decides once more."""
    found: list[Possible] = []
    for each in (case.expected, *case.expected.get("alternatives", ())):
        found += _possible(each, http=HTTP_DIFFERS in case.tags)
    return tuple(found)


def _possible(outcome: Json, *, http: bool) -> Iterator[Possible]:
    whole = outcome["http"]
    # `status` is that of the token's own checks: a number where LiteLLM means one, and 200 where later checks decide.
    status = whole["status"] if isinstance(outcome["status"], int) and isinstance(whole["status"], int) else None
    allowed = _allowed(outcome)
    yield Possible(allowed, _ids(outcome["ids"]) if allowed else Ids(), None if allowed or whole["allowed"] else status)
    if http and whole["allowed"] is not allowed:
        ids = Ids(
            whole.get("user_role") == "proxy_admin",
            *(whole.get(name) for name in ("team_id", "user_id", "org_id", "end_user_id")),
        )
        yield Possible(whole["allowed"], ids if whole["allowed"] else Ids(), None)


def _allowed(outcome: Json) -> bool:
    if "final_allowed" in outcome:
        return bool(outcome["final_allowed"])
    return bool(outcome["allowed"] and (outcome.get("post_checks") or {"allowed": True})["allowed"])


def _ids(ids: Json) -> Ids:
    return Ids(**{each.name: ids[each.name] for each in fields(Ids)})


def is_config_error(case: Case) -> bool:
    """Whether LiteLLM refuses the configuration."""
    return bool(case.expected["status"] == CONFIG_ERROR_STATUS)


def disagreements(case: Case, answer: Answer) -> tuple[str, ...]:
    """In what the answer is none of LiteLLM's; empty: it is one of them."""
    if answer.outcome is Outcome.FAULT:
        return (f"fault {answer.reason}",)
    if is_config_error(case) and answer.outcome is not Outcome.CONFIG_ERROR:
        return ("loads",)
    if answer.outcome is Outcome.CONFIG_ERROR:
        # What does not load lets nothing pass: no less than where LiteLLM loads it to deny whatever is asked.
        return ("does not load",) if all(each.allowed for each in possible(case)) else ()
    # Of the possible answers the nearest one says what is wrong.
    nearest = min(possible(case), key=lambda one: (one.allowed is not answer.allowed, len(_apart(one, case, answer))))
    return _apart(nearest, case, answer)


def _apart(one: Possible, case: Case, answer: Answer) -> tuple[str, ...]:
    if one.allowed is not answer.allowed:
        return (f"{_WORD[one.allowed]}, not {_WORD[answer.allowed]}",)
    found: list[str] = []
    if one.allowed:
        found += [each.name for each in fields(Ids) if getattr(one.ids, each.name) != getattr(answer.ids, each.name)]
    elif one.status is not None and answer.http_status is not None and one.status != answer.http_status:
        found.append(f"status {one.status}, not {answer.http_status}")
    if list(answer.writes) != case.expected.get("db_writes", []):
        found.append("db_writes")
    return tuple(found)


def status_agrees(case: Case, answer: Answer) -> bool | None:
    """Whether a denial has LiteLLM's HTTP status, however LiteLLM came by it; None where they cannot be compared."""
    whole = case.expected["http"]
    if whole["allowed"] or answer.outcome is not Outcome.DENY or not isinstance(whole["status"], int):
        return None
    return bool(whole["status"] == answer.http_status)


def role_agrees(case: Case, answer: Answer) -> bool | None:
    """Whether the internal role is LiteLLM's; None where there is no decision to have one in."""
    if answer.outcome in (Outcome.FAULT, Outcome.CONFIG_ERROR):
        return None
    expected = case.expected["role"]
    return (str(expected).partition(":")[0] if expected else None) == answer.role


def as_result(case: Case, answer: Answer, difference: str | None) -> dict[str, Any]:
    """One line of the file of results."""
    return {
        "id": case.id,
        "allowed": answer.allowed,
        "http_status": answer.http_status,
        "reason": answer.reason,
        **asdict(answer.ids),
        "role": answer.role,
        "db_writes": list(answer.writes),
        "difference": difference,
    }
