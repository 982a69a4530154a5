"""LiteLLM's `custom_auth`: a LiteLLM proxy that asks usherd about every request. One line in its config:

    general_settings:
      custom_auth: usher_client.litellm.authenticate

and USHERD_TARGET in its environment; `usher_client.environment` has the other variables. They are read when LiteLLM
starts, and it does not start while one is wrong.

The identity that LiteLLM gets is the decision's: user, team, organization, end user, role, limits. It may use the
models that were asked for, and those alone; where none was, those that its holder may use. Whatever is not an allowance
is an error: a denial with the decision's status and message, and a 503 where there is no decision.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from litellm._logging import verbose_proxy_logger
from litellm.proxy._types import ProxyException, UserAPIKeyAuth

from usher_client.aio import AsyncClient
from usher_client.decision import Decision
from usher_client.environment import read_settings
from usher_client.faults import ListDenied, UsherFault
from usher_client.http import Asked, HttpAnswer, RequestRefused, denial_answer, fault_answer, refusal_answer
from usher_client.litellm_identity import identity_fields
from usher_client.litellm_request import asked_of, token_of

if TYPE_CHECKING:
    from starlette.requests import Request

_settings = read_settings(os.environ)
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()


class Refused(ProxyException):  # type: ignore[misc]  # its base has no types here
    """A request that may not pass.

    LiteLLM has a kind of error of its own, and any other is not surely a refusal: `custom_auth_settings.mode: auto`
    goes on with LiteLLM's own keys, and under `allow_requests_on_db_unavailable` some open the door.
    """

    def __init__(self, answer: HttpAnswer) -> None:
        self._error: dict[str, Any] = json.loads(answer.body)["error"]
        super().__init__(
            message=self._error["message"],
            type=self._error["type"],
            param=self._error["param"],
            code=answer.status,
            headers={name: value for name, value in answer.headers if name != "content-type"},
        )
        self.code = str(answer.status)

    def to_dict(self) -> dict[str, Any]:
        """The error as every client of usherd answers it: `code` is the reason."""
        return dict(self._error)


async def authenticate(request: Request, api_key: str) -> UserAPIKeyAuth:
    """Who may make this request. Raises Refused, and nothing else."""
    try:
        return await _allowed(request, api_key)
    except Refused as refused:
        refusal = refused
    except RequestRefused as error:
        refusal = Refused(refusal_answer(error.code))
    except UsherFault as fault:
        verbose_proxy_logger.warning("usherd gave no decision: %s", fault)
        refusal = Refused(fault_answer(fault))
    except Exception as error:
        # The text may have anything of the request in it.
        verbose_proxy_logger.error("usherd was not asked: %s", type(error).__name__)
        refusal = Refused(fault_answer())
    # Out of the handlers, so that nothing looks for another error behind this one.
    raise refusal from None


async def _allowed(request: Request, api_key: str) -> UserAPIKeyAuth:
    token = token_of(request, api_key, _settings.reading)
    asked = await asked_of(request, _settings.reading)
    client = _client()
    decision = await client.authorize(token, **asked.wishes(), deadline=_settings.deadline)
    if not decision:
        raise Refused(denial_answer(decision))
    return UserAPIKeyAuth(**identity_fields(decision, await _models(client, token, asked, decision)))


async def _models(client: AsyncClient, token: str, asked: Asked, decision: Decision) -> list[str]:
    """What else LiteLLM may do for this request, such as run the lines of a batch: only what has been allowed."""
    if asked.model is not None or asked.fallback_models or decision.resolved_model:
        named = (asked.model, decision.resolved_model, *asked.fallback_models)
        return list(dict.fromkeys(each for each in named if each))
    if decision.reason == "PUBLIC_ROUTE":
        return []
    wishes = asked.wishes()
    del wishes["model"], wishes["fallback_models"]
    try:
        return [each.name async for each in client.list_models(token, **wishes, deadline=_settings.deadline)]
    except ListDenied:
        return []


def _client() -> AsyncClient:
    """The client of the event loop that runs: a channel does not outlive its loop, nor a fork."""
    loop = asyncio.get_running_loop()
    if (client := _clients.get(loop)) is None:
        client = _clients[loop] = _settings.open_client()
    return client
