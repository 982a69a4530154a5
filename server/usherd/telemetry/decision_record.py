"""Makes the line of a decision: one JSON object, in which no token, secret or claim stands that was not asked for.

Which fields there are, what they mean and how long they may be is written in docs/decision-log.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from usherd.bounded import Memo
from usherd.calls import Asked, Call
from usherd.decide import answer_to
from usherd.domain import Decision, DependencyKind, Principal, Verdict
from usherd.telemetry.log import redacted, redacted_id, redacted_path

VERSION = 1
"""Raised when a field gets another meaning or goes away; not when one is added."""
MAX_VALUES = 32
"""Members of the longest list in a line."""
_REMEMBERED = 32_768
"""Verdicts whose part of the line is kept, about 0.5 KB each: as many as the authorizer keeps verdicts."""

_PRINCIPAL: dict[str, Callable[[Principal], object]] = {
    "subject": lambda holder: holder.subject,
    "client": lambda holder: holder.client,
    "directory_role": lambda holder: holder.directory_role,
    "admin": lambda holder: holder.is_admin,
    "user": lambda holder: holder.user_id,
    "email": lambda holder: holder.email,
    "team": lambda holder: holder.team_id,
    "team_alias": lambda holder: holder.team_alias,
    "organization": lambda holder: holder.organization_id,
    "end_user": lambda holder: holder.end_user_id,
    "scopes": lambda holder: holder.scopes,
    "roles": lambda holder: holder.roles,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What a line has besides what every line has."""

    include: frozenset[str] = frozenset()
    """Of the question: `route`, `method`, `model`; of the answer: `resolved_model`."""
    principal: tuple[str, ...] = ()
    """Of the holder, by the names in `_PRINCIPAL`."""
    claims: frozenset[str] = frozenset()
    """Names of claims, of those that answers pass on."""
    sample: float = 1.0
    """The share of ALLOW decisions that are written; a line says so when it is not all of them."""


class Records:
    """Makes the lines of one log."""

    def __init__(self, fields: Fields, clock: Callable[[], float] = time.time) -> None:
        self._fields = fields
        self._clock = clock
        self._second, self._second_text = -1, ""
        self._verdicts: Memo[int, tuple[Verdict, str]] = Memo(_REMEMBERED)
        self._heads: Memo[tuple[str, str, str], str] = Memo(256)
        self._paths: Memo[str, str] = Memo(4096)

    def line(self, call: Call, request_id: str, asked: Callable[[], Asked], decision: Decision) -> bytes:
        """The line, with its newline."""
        verdict = decision.verdict
        trace_id = "" if call.trace is None else call.trace.trace_id
        said = _text(redacted(request_id)) if request_id else '""'
        head = self._head(call.method, call.caller, decision.revision)
        question = self._question(asked()) if self._fields.include else ""
        return (
            f'{{"v":{VERSION},"time":"{self._time()}","decision_id":"{decision.decision_id}","request_id":{said},'
            f'"trace_id":"{trace_id}",{head}{question}{self._verdict(verdict)}}}\n'
        ).encode("ascii")

    def _time(self) -> str:
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second, self._second_text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"

    def _head(self, method: str, caller: str, revision: str) -> str:
        known = self._heads.get((method, caller, revision))
        if known is None:
            known = f'"rpc":{_text(method)},"caller":{_text(redacted_id(caller))},"revision":{_text(revision)},'
            self._heads.put((method, caller, revision), known)
        return known

    def _question(self, asked: Asked) -> str:
        include, found = self._fields.include, ""
        if "route" in include:
            # What follows the `?` decides nothing, and may hold anything.
            found += f'"route":{self._path(asked.route.partition("?")[0])},'
        if "method" in include:
            found += f'"method":{self._path(asked.method)},'
        if "model" in include:
            found += f'"model":{"null" if asked.model is None else self._path(asked.model)},'
        return found

    def _path(self, text: str) -> str:
        known = self._paths.get(text)
        if known is None:
            known = _text(redacted_path(text))
            if len(text) <= len(known):
                # Else what was cut off would be kept in memory.
                self._paths.put(text, known)
        return known

    def _verdict(self, verdict: Verdict) -> str:
        # By identity; the entry holds the verdict, so that no other can get its identity.
        known = self._verdicts.get(id(verdict))
        if known is not None and known[0] is verdict:
            return known[1]
        made = json.dumps(self._of_verdict(verdict), separators=(",", ":"))[1:-1]
        self._verdicts.put(id(verdict), (verdict, made))
        return made

    def _of_verdict(self, verdict: Verdict) -> dict[str, Any]:
        ids = {each.kind: each.id for each in reversed(verdict.depends_on)}
        holder = verdict.principal
        found: dict[str, Any] = {
            "effect": verdict.effect.name,
            "reason": verdict.reason.name,
            "http_status": answer_to(verdict).http_status,
            "policy": ids.get(DependencyKind.POLICY, ""),
            "issuer": ids.get(DependencyKind.ISSUER, ""),
            "key": ids.get(DependencyKind.KEY, "").rpartition("/")[2],
            "token_id": ids.get(DependencyKind.TOKEN, ""),
            "kind": "" if holder is None else holder.kind.name,
        }
        if "resolved_model" in self._fields.include:
            found["resolved_model"] = redacted_path(verdict.resolved_model)
        if self._fields.principal:
            found["principal"] = (
                {} if holder is None else {name: _plain(_PRINCIPAL[name](holder)) for name in self._fields.principal}
            )
        if self._fields.claims:
            passed_on = () if holder is None else holder.claims
            found["claims"] = {name: _claim(text) for name, text in passed_on if name in self._fields.claims}
        if self._fields.sample < 1:
            found["sample"] = self._fields.sample
        return found


def _text(text: str) -> str:
    return json.dumps(text)


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [redacted_id(str(each)) for each in value[:MAX_VALUES]]
    return value if isinstance(value, bool) else redacted_id(str(value))


def _claim(text: str) -> str:
    """A claim that is a text is that text; anything else is its JSON."""
    value = json.loads(text) if text.startswith('"') else text
    return redacted_id(value)
