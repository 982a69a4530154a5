"""Tells a story of the story server through the client, and finds what is not as it says."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from clients.asking import ROOMY
from tools.teller import Teller
from usher_client import AsyncClient, Client, Decision, ListDenied, UsherFault

HEARS_WITHIN = 5.0
"""Seconds after a change in which a cache must have heard of it."""
LIVES_WITHIN = 0.3
"""Seconds in which the stream of a client that has been asked something is there, on a machine that is not busy."""

Face = type[AsyncClient] | type[Client]
FACES: tuple[Face, ...] = (AsyncClient, Client)
Answer = Decision | UsherFault
_NOTHING: tuple[object, ...] = ("", [], None)


@dataclass(slots=True)
class Telling:
    """How a story went."""

    asked: int = 0
    """Steps that were a question, each of which expected something."""
    hits: int = 0
    """Answers that came from the client's memory."""
    differences: Sequence[str] = ()
    """Everything that was not as expected."""


@asynccontextmanager
async def opened(face: Face, target: str, **options: Any) -> AsyncIterator[AsyncClient | Client]:
    """A client, closed at the end."""
    if face is Client:
        with Client(target, **options) as client:
            yield client
    else:
        async with AsyncClient(target, **options) as asking:
            yield asking


async def tell(server: Teller, story: Mapping[str, Any], client: AsyncClient | Client, *, cached: bool) -> Telling:
    """Tells it to the end, or to the first difference.

    A client with a cache is asked everything twice, and may meet what is expected after a change a little later.
    """
    place, telling, changed = f"stories/{story['id']}", Telling(), False
    await asyncio.to_thread(server.post, f"{place}/begin")
    for number in range(story["steps"]):
        step = await asyncio.to_thread(server.post, f"{place}/steps/{number}")
        if step.get("changed"):
            changed = True
            continue
        ask, expect = step["ask"], step["expect"]
        found = await _differences(client, ask, expect, HEARS_WITHIN if cached and changed else 0.0)
        if cached and not found:
            found = await _again(client, ask, expect, 0.0 if telling.asked else LIVES_WITHIN)
        telling.asked += bool(expect)
        if found:
            telling.differences = [f"step {number}: {each}" for each in found]
            break
    telling.hits = _hits(client)
    return telling


async def _differences(
    client: AsyncClient | Client, ask: dict[str, Any], expect: dict[str, Any], patience: float
) -> list[str]:
    until = time.monotonic() + patience
    while True:
        answer = await _answer(client, ask)
        models = await _models(client, ask) if "models" in expect else None
        found = differences(expect, answer, models)
        if not found or time.monotonic() >= until:
            return found
        await asyncio.sleep(0.01)


async def _again(
    client: AsyncClient | Client, ask: dict[str, Any], expect: dict[str, Any], patience: float
) -> list[str]:
    """The same question is asked once more; and while there is patience, until the answer comes from memory."""
    until, before = time.monotonic() + patience, _hits(client)
    while True:
        found = await _differences(client, ask, expect, 0.0)
        if found or _hits(client) > before or time.monotonic() >= until:
            return [f"again: {each}" for each in found]
        await asyncio.sleep(0.005)


def _hits(client: AsyncClient | Client) -> int:
    statistics = client.cache_statistics()
    return 0 if statistics is None else statistics.hits


async def _answer(client: AsyncClient | Client, ask: dict[str, Any]) -> Answer:
    try:
        if isinstance(client, Client):
            return await asyncio.to_thread(client.authorize, **ask, **ROOMY)
        return await client.authorize(**ask, **ROOMY)
    except UsherFault as fault:
        return fault


async def _models(client: AsyncClient | Client, ask: dict[str, Any]) -> list[str]:
    asked = {name: value for name, value in ask.items() if name not in ("model", "fallback_models")} | ROOMY
    try:
        if isinstance(client, Client):
            return await asyncio.to_thread(lambda: [each.name for each in client.list_models(**asked)])
        return [each.name async for each in client.list_models(**asked)]
    except ListDenied:
        return []


def differences(expect: Mapping[str, Any], answer: Answer, models: list[str] | None = None) -> list[str]:
    """What is not as expected, by its name. A name that is not known here is a difference, too."""
    if isinstance(answer, UsherFault):
        if "fault" not in expect:
            return [f"fault: {answer.reason} where a decision was expected"]
        got: dict[str, Any] = dict.fromkeys(_WORDS) | {"fault": answer.reason}
    else:
        got = {name: word(answer) for name, word in _WORDS.items()} | {"fault": None}
    got["models"] = models
    return [
        f"{name}: expected {value}, got {got.get(name)}"
        for name, value in expect.items()
        if name not in got or not _fits(value, got[name])
    ]


def _fits(wanted: object, got: object) -> bool:
    """Members of mappings that are not wanted do not matter."""
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        return all(_fits(value, got.get(name)) for name, value in wanted.items())
    return wanted == got or (wanted in _NOTHING and got in _NOTHING)


def _of_principal(word: Callable[[Any], object]) -> Callable[[Decision], object]:
    return lambda decision: None if decision.principal is None else word(decision.principal)


_WORDS: dict[str, Callable[[Decision], object]] = {
    "effect": lambda decision: "ALLOW" if decision else "DENY",
    "reason": lambda decision: decision.reason,
    "http_status": lambda decision: decision.http_status,
    "www_authenticate": lambda decision: decision.www_authenticate,
    "resolved_model": lambda decision: decision.resolved_model,
    "limits": lambda decision: {name: _limit(decision, name) for name in ("team", "user", "member")},
    "kind": _of_principal(lambda who: who.kind),
    "issuer": _of_principal(lambda who: who.issuer),
    "subject": _of_principal(lambda who: who.subject),
    "client": _of_principal(lambda who: who.client),
    "user": _of_principal(lambda who: who.user_id),
    "email": _of_principal(lambda who: who.email),
    "directory_role": _of_principal(lambda who: who.directory_role),
    "admin": _of_principal(lambda who: who.is_admin),
    "roles": _of_principal(lambda who: list(who.roles)),
    "scopes": _of_principal(lambda who: list(who.scopes)),
    "team": _of_principal(lambda who: who.team_id),
    "team_alias": _of_principal(lambda who: who.team_alias),
    "organization": _of_principal(lambda who: who.organization_id),
    "end_user": _of_principal(lambda who: who.end_user_id),
    "claims": _of_principal(lambda who: {name: json.loads(value) for name, value in who.claims}),
}


def _limit(decision: Decision, name: str) -> dict[str, Any] | None:
    """As stories say it: micro-USD, seconds."""
    limits = decision.wire.limits
    if not limits.HasField(name):
        return None
    limit = getattr(limits, name)
    return {
        "tpm": limit.tpm if limit.HasField("tpm") else None,
        "rpm": limit.rpm if limit.HasField("rpm") else None,
        "max_budget": limit.max_budget_micro_usd if limit.HasField("max_budget_micro_usd") else None,
        "budget_period": limit.budget_reset.ToTimedelta().total_seconds() if limit.HasField("budget_reset") else None,
        "models": list(limit.models),
    }
