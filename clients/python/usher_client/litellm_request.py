"""Reads from a request to LiteLLM what is asked: by the rules of every client, and never less than LiteLLM will do.

LiteLLM takes models from more places than the body: the path, the query, a header, the id of a file. Whatever it would
dispatch is asked for, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlencode

from litellm.proxy import proxy_server
from litellm.proxy._types import ProxyException
from litellm.proxy.auth.auth_utils import (
    get_end_user_id_from_request_body,
    get_model_from_request,
    get_request_route,
)
from litellm.proxy.common_utils.http_parsing_utils import read_request_body

from usher_client.http import Asked, Headers, Reading, RequestRefused, read_credential, read_request
from usher_client.http.reading import values_of
from usher_client.http.request import route_of

if TYPE_CHECKING:
    from starlette.requests import Request

_FORM: Final = "application/x-www-form-urlencoded"
_FORMS: Final = (_FORM, "multipart/form-data")
# LiteLLM hands these on as they arrive, and reads nothing in them.
_STREAMED: Final = ("audio/", "video/")


def token_of(request: Request, api_key: str | None, reading: Reading) -> str:
    """The token of a request. `api_key` is what LiteLLM found, which has no scheme any more.

    It counts where the rules of every client find nothing in a header, since LiteLLM knows more places: its own header,
    the protocol of a websocket, the query. Raises RequestRefused, also where the two differ.
    """
    credential = read_credential(request.method, request.headers.items(), reading)
    found = api_key.strip() if isinstance(api_key, str) else ""
    if reading.header is not None or not found:
        return credential.token
    if credential.source not in ("none", "cookie") and credential.token != found:
        raise RequestRefused("credentials_ambiguous")
    return found


async def asked_of(request: Request, reading: Reading) -> Asked:
    """What a request asks for. Raises RequestRefused for a body that is too large."""
    headers, body = await _content(request, reading.max_body)
    asked = read_request(request.method, _path(request), headers, body, reading)
    data = await _as_litellm_reads_it(request)
    if not asked.end_user_id:
        end_user = get_end_user_id_from_request_body(data, dict(request.headers))
        asked = replace(asked, end_user_id=end_user if isinstance(end_user, str) else "")
    further = [each for each in _dispatched(request, data) if each != asked.model]
    if not further:
        return asked
    if asked.model is None and not data.get("model"):
        return replace(asked, model=further[0], fallback_models=(*asked.fallback_models, *further[1:]))
    # A body whose model LiteLLM reads and the rules do not is refused: there is no model to fall back from.
    return replace(asked, fallback_models=(*asked.fallback_models, *further))


def _path(request: Request) -> str:
    """The path as it came, without where LiteLLM is mounted; the one that is dispatched, if that is another."""
    dispatched = str(get_request_route(request))
    scope = request.scope
    mounted = str(scope.get("app_root_path", scope.get("root_path", ""))).rstrip("/")
    came = route_of(scope.get("raw_path", b"").decode("latin-1"), mounted)
    return came if unquote(came) == dispatched else dispatched


async def _content(request: Request, max_body: int) -> tuple[Headers, bytes]:
    """Headers and body for the readers of every client; a form as one without its files."""
    headers: list[tuple[str, str]] = request.headers.items()
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_body:
        raise RequestRefused("body_too_large")
    types = {each.partition(";")[0].strip().lower() for each in values_of(headers, "content-type")}
    if len(types) == 1 and (kind := next(iter(types))):
        if kind.startswith(_STREAMED):
            return headers, b""
        if kind in _FORMS:
            # LiteLLM has parsed it, and its bytes are gone.
            fields = [(name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)]
            others = [(name, value) for name, value in headers if name != "content-type"]
            return [*others, ("content-type", _FORM)], urlencode(fields).encode()
    body = await request.body()
    if len(body) > max_body:
        raise RequestRefused("body_too_large")
    return headers, body


async def _as_litellm_reads_it(request: Request) -> Mapping[str, Any]:
    try:
        return dict(await read_request_body(request))
    except ProxyException:
        return {}  # it answers with 400 whatever is decided


def _dispatched(request: Request, data: Mapping[str, Any]) -> list[str]:
    """Every model that LiteLLM may take from somewhere in this request, each once."""
    found = get_model_from_request(
        request_data=dict(data),
        route=get_request_route(request),
        request_headers=dict(request.headers),
        request_query_params=dict(request.query_params),
        llm_router=proxy_server.llm_router,
        request=request,
    )
    named = [found] if isinstance(found, str) else list(found or ())
    # Its handlers prefer these to what the body says, and its own checks do not look at them.
    named += request.query_params.getlist("model")
    named += [request.path_params[each] for each in ("model", "model_name") if each in request.path_params]
    return list(dict.fromkeys(each for each in named if each))
