"""Makes the question of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from usherd.domain import Question
from usherd.inbound.body import Named, named_by
from usherd.inbound.credentials import Credential, credential, names_websocket
from usherd.inbound.forms import FormUnreadable, urlencoded
from usherd.inbound.headers import Headers
from usherd.inbound.names import meant


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRules:
    """Where a gateway's requests say what. Names of headers are in lower case."""

    credential_header: str | None = None
    """The only header whose token counts; None: those that usually carry one."""
    origins: frozenset[str] = frozenset()
    """From which a session's cookie may act on methods that change something."""
    base_path: str = ""
    """What all paths begin with, and routes do not."""
    model_header: str | None = None
    """The only place that names the model; None: the body does."""
    team_header: str | None = None
    team_alias_header: str | None = None


class Said(NamedTuple):
    """What the gateway itself says of the model."""

    model: str | None
    """None: it should have said, and did not, so that the model is not known."""


class Received(NamedTuple):
    """A request as the gateway passes it on."""

    method: str
    target: str
    """The path, with its query if it has one, as it came."""
    headers: Headers
    body: bytes = b""
    """Empty also where the gateway has not got all of it."""


def question_of(
    request: Received, rules: ReadingRules, said: Said | None = None, base_path: str | None = None
) -> tuple[Question, Credential]:
    """The question, and where its token was. `said` counts instead of what the request says, and `base_path` instead of
    the rules'; None: these count.

    Raises RequestRefused (CREDENTIALS_AMBIGUOUS, ORIGIN_NOT_ALLOWED).
    """
    headers = request.headers
    shown = credential(headers, request.method, rules.credential_header, rules.origins)
    if _is_handshake(request):
        named = _named_by_query(request.target)
    else:
        named = named_by(headers, request.body, request.target.partition("?")[2])
    if said is not None:
        model = said.model
    else:
        model = named.model if rules.model_header is None else headers.only(rules.model_header) or None
    team_id, team_alias = _team(headers, rules)
    asked = Question(
        shown.token,
        _route(request.target, rules.base_path if base_path is None else base_path),
        request.method,
        model,
        named.fallback_models,
        team_id,
        team_alias,
        named.end_user_id,
        named.organization_id,
        named.modifies_guardrails,
    )
    return asked, shown


def _is_handshake(request: Received) -> bool:
    """Whether it opens a websocket. With a body it does not: its headers alone must not choose what is read."""
    headers = request.headers
    has_body = request.body or headers.values("transfer-encoding") or set(headers.values("content-length")) - {"0"}
    return request.method == "GET" and not has_body and names_websocket(headers)


def _named_by_query(target: str) -> Named:
    """A handshake has no body: its query names the model."""
    try:
        fields = urlencoded(target.partition("?")[2].encode())
        found = [(name, value) for name, value in fields if meant(name, ("model",)) is not None]
    except FormUnreadable:
        found = []
    return Named(model=dict(found).get("model") if len(found) == 1 else None)


def _route(target: str, base_path: str) -> str:
    path = target.partition("?")[0]
    if base_path and path.startswith(base_path) and path[len(base_path) : len(base_path) + 1] in ("", "/"):
        return path[len(base_path) :] or "/"
    return path


def _team(headers: Headers, rules: ReadingRules) -> tuple[str | None, str | None]:
    by_id = "" if rules.team_header is None else headers.only(rules.team_header)
    by_alias = "" if rules.team_alias_header is None else headers.only(rules.team_alias_header)
    if by_id is None or by_alias is None or (by_id and by_alias):
        # No team has that id.
        return "", None
    return by_id or None, by_alias or None
