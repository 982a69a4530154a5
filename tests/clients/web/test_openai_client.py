"""What OpenAI's own client makes of a gateway that refuses: its exceptions, with usherd's reasons in them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import openai
import pytest

from clients.web.apps import Seen, fast_api
from clients.web.serving import served
from tools.company_daemon import FAR, MODEL, CompanyDaemon, company_daemon
from usher_client import AsyncClient

MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture(name="usherd", scope="module")
def _usherd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompanyDaemon]:
    with company_daemon(tmp_path_factory.mktemp("usherd")) as running:
        yield running


@asynccontextmanager
async def gateway(usherd: CompanyDaemon) -> AsyncIterator[str]:
    async with served(fast_api(Seen(), lambda: AsyncClient(usherd.target), deadline=30.0)) as address:
        yield f"http://{address}/v1"


@asynccontextmanager
async def client(url: str, token: str) -> AsyncIterator[openai.AsyncOpenAI]:
    transport = httpx.AsyncClient(trust_env=False)
    async with openai.AsyncOpenAI(base_url=url, api_key=token, max_retries=0, http_client=transport) as made:
        yield made


async def refused(url: str, token: str, model: str = MODEL) -> openai.APIStatusError:
    async with client(url, token) as made:
        with pytest.raises(openai.APIStatusError) as caught:
            await made.chat.completions.create(model=model, messages=MESSAGES)  # type: ignore[arg-type]
    return caught.value


async def test_its_exceptions_are_those_for_what_happened(usherd: CompanyDaemon) -> None:
    async with gateway(usherd) as url:
        expired = await refused(url, usherd.token(exp=1_700_000_000, iat=1_699_999_000))
        model = await refused(url, usherd.token(), "o3")
        budget = await refused(url, usherd.token(groups=["broke"]))
        fault = await refused(url, usherd.token(iss=FAR))

    assert isinstance(expired, openai.AuthenticationError)
    assert (expired.code, expired.type) == ("token_expired", "authentication_error")
    assert isinstance(model, openai.PermissionDeniedError)
    assert (model.code, model.param) == ("model_not_granted", "model")
    assert isinstance(budget, openai.RateLimitError)
    assert budget.code == "team_budget_exhausted"
    assert isinstance(fault, openai.InternalServerError)
    assert (fault.status_code, fault.code) == (503, "authorization_unavailable")


async def test_a_stream_that_is_cut_is_an_error_and_not_its_end(usherd: CompanyDaemon) -> None:
    token = usherd.token(jti="openai")
    async with gateway(usherd) as url, client(url, token) as made:
        stream = await made.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)  # type: ignore[call-overload]
        first = [await anext(stream) for _ in range(3)]
        await usherd.revoke(token)
        revoked = time.monotonic()
        with pytest.raises(openai.APIError) as caught:
            first.extend([each async for each in stream])
        took = time.monotonic() - revoked

    assert caught.value.code == "token_revoked"
    assert len(first) == 3
    assert took < 1.0
