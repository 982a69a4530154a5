"""Reads what a request asks for: route, model, fallbacks, team, end user, organization, guardrails.

What cannot be read with certainty is not guessed. A model that is unknown is refused by the server on routes that need
one, and in any other field stands what the server refuses everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from usher_client.http.body import TWICE, body_fields, inside
from usher_client.http.forms import NotAForm, urlencoded_fields
from usher_client.http.reading import Headers, Reading, agreed, values_of

_USUAL: Final = Reading()
_REFUSED_FALLBACKS: Final = ("",)
"""No model has an empty name."""
_REFUSED: Final = "\x00"
"""Stands for what should be one text and is not: no field of a question takes it."""
_STREAMED: Final[tuple[object, ...]] = (True, TWICE)
"""Named twice it may be a stream."""
_STREAMED_BY_PATH: Final = ":streamGenerateContent"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Asked:
    """What one request asks for, besides its credential."""

    route: str
    method: str
    model: str | None = None
    fallback_models: tuple[str, ...] = ()
    team_id: str | None = None
    team_alias: str | None = None
    end_user_id: str = ""
    organization_id: str = ""
    modifies_guardrails: bool = False
    stream: bool = False
    """Whether the answer is asked for as a stream."""

    def wishes(self) -> dict[str, Any]:
        """The arguments of `authorize` and `watch` besides the token."""
        return {
            "route": self.route,
            "model": self.model,
            "method": self.method,
            "fallback_models": self.fallback_models,
            "team_id": self.team_id,
            "team_alias": self.team_alias,
            "end_user_id": self.end_user_id,
            "organization_id": self.organization_id,
            "modifies_guardrails": self.modifies_guardrails,
        }


def read_request(method: str, target: str, headers: Headers, body: bytes, reading: Reading = _USUAL) -> Asked:
    """What a request asks for. `target` is the path as it came, with or without a query. It never raises."""
    route = route_of(target, reading.base_path)
    fields = body_fields(headers, body, _query_of(target))
    if reading.model_header is not None:
        model = agreed(values_of(headers, reading.model_header), None)
    else:
        named = fields.get("model")
        model = named if isinstance(named, str) else None
    team_id, team_alias = _team(headers, reading)
    return Asked(
        route=route,
        method=method,
        model=model,
        fallback_models=_fallbacks(fields.get("fallbacks")),
        team_id=team_id,
        team_alias=team_alias,
        end_user_id=_end_user(fields),
        organization_id=_organization(fields.get("organization_id")),
        modifies_guardrails=bool(fields.get("guardrails") or inside(fields.get("metadata"), "guardrails")),
        stream=fields.get("stream") in _STREAMED or route.endswith(_STREAMED_BY_PATH),
    )


def read_handshake(target: str, query: bytes, headers: Headers, reading: Reading = _USUAL) -> Asked:
    """What a websocket's handshake asks for. It has no body: `model` of its query, named once, names the model."""
    asked = read_request("GET", target, headers, b"", reading)
    if reading.model_header is not None:
        return asked
    try:
        named = urlencoded_fields(query, ("model",)).get("model", [])
    except NotAForm:
        named = []
    return replace(asked, model=named[0] if len(named) == 1 else None)


def route_of(target: str, base_path: str = "") -> str:
    """The path without its query and, at the end of a segment, without the base path. Nothing is decoded or mended."""
    path = target.partition("?")[0]
    if base_path and (path == base_path or path.startswith(base_path + "/")):
        return path[len(base_path) :] or "/"
    return path


def _query_of(target: str) -> bytes:
    query = target.partition("?")[2]
    try:
        return query.encode("latin-1")
    except UnicodeEncodeError:
        return query.encode(errors="surrogatepass")


def _team(headers: Headers, reading: Reading) -> tuple[str | None, str | None]:
    by_id = agreed(values_of(headers, reading.team_header), "") if reading.team_header else None
    by_alias = agreed(values_of(headers, reading.team_alias_header), "") if reading.team_alias_header else None
    # Two wishes are one that is refused: whoever sends both headers must not make the question an error.
    in_doubt = by_alias == "" or (by_id is not None and by_alias is not None)
    return ("", None) if in_doubt else (by_id, by_alias)


def _fallbacks(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        return _REFUSED_FALLBACKS
    names = [each.get("model") if isinstance(each, Mapping) else each for each in value]
    texts = tuple(each for each in names if isinstance(each, str))
    return texts if len(texts) == len(names) else _REFUSED_FALLBACKS


def _end_user(fields: Mapping[str, object]) -> str:
    candidates = (
        fields.get("user"),
        inside(fields.get("litellm_metadata"), "user"),
        inside(fields.get("metadata"), "user_id"),
    )
    found = next((each for each in candidates if each is TWICE or (isinstance(each, str) and each)), "")
    return found if isinstance(found, str) else _REFUSED


def _organization(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else _REFUSED
