"""Translates what a case asks into a question, and what an answer wrote into the words of LiteLLM's database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from usherd.domain import Question
from usherd.facts import Team, Write, WriteKind
from usherd.parity.cases import Case, Json

NOT_A_MODEL = "\0"
"""Stands for a model that is no text, which no gateway could name: it has no form that a model can have."""

_TEAMS = ("litellm_teamtable", "team_id")
_USERS = ("litellm_usertable", "user_id")


def question(case: Case) -> Question:
    """What a gateway in front of LiteLLM would ask for the case's request."""
    request = case.request
    organization = request.get("organization_id")
    return Question(
        token=case.token,
        route=case.route,
        method=case.method,
        model=case.model if case.model is None or isinstance(case.model, str) else NOT_A_MODEL,
        end_user_id=_end_user(request),
        organization_id=organization if isinstance(organization, str) else "",
        modifies_guardrails=bool((request.get("metadata") or {}).get("guardrails")),
    )


def _end_user(request: Json) -> str:
    """LiteLLM asks only whether `user` is there: what is no text is passed on as its JSON, `null`."""
    if "user" not in request:
        return ""
    user = request["user"]
    return user if isinstance(user, str) else json.dumps(user)


class Writes:
    """Keeps what answers want to have written, and writes nothing (`ports.Provisioning`)."""

    def __init__(self) -> None:
        self._made: list[Write] = []

    async def write(self, writes: Sequence[Write]) -> None:
        """Keeps the writes."""
        self._made += writes

    def taken(self) -> list[dict[str, Any]]:
        """The rows written since the last time, as the cases show them: by their keys alone."""
        made, self._made = self._made, []
        return [_row(each) for each in made]


def _row(write: Write) -> dict[str, Any]:
    table, key = _TEAMS if isinstance(write.row, Team) else _USERS
    op = "update" if write.kind is WriteKind.UPDATE_USER else "create"
    return {"data": {key: write.row.id}, "op": op, "table": table}
