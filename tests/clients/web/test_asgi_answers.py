"""A FastAPI gateway behind a real uvicorn asks a real usherd: who may pass passes, and nobody else reaches the app."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from clients.web.apps import CHAT, Seen, fast_api
from clients.web.serving import calling, served
from tools.company_daemon import FAR, MODEL, CompanyDaemon, company_daemon
from usher_client import AsyncClient
from usher_client.asgi import UsherMiddleware
from usher_client.http import Reading

BODY = {"model": MODEL, "messages": []}


@pytest.fixture(name="usherd", scope="module")
def _usherd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompanyDaemon]:
    with company_daemon(tmp_path_factory.mktemp("usherd")) as running:
        yield running


@asynccontextmanager
async def gateway(usherd: CompanyDaemon, **options: Any) -> AsyncIterator[tuple[str, Seen]]:
    """The gateway's address, and what reaches its app."""
    seen = Seen()
    app = fast_api(seen, lambda: AsyncClient(usherd.target), **({"deadline": 30.0} | options))
    async with served(app) as address:
        yield address, seen


def refusal(answer: httpx.Response) -> tuple[int, str, str, str | None]:
    """Status, type, code and challenge of an error as OpenAI's clients read it."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, error["type"], error["code"], answer.headers.get("www-authenticate")


async def test_an_allowed_request_reaches_the_app_with_its_decision_and_body(usherd: CompanyDaemon) -> None:
    async with gateway(usherd) as (address, seen), calling(address, usherd.token()) as client:
        body = json.dumps(BODY | {"messages": ["x" * 300_000]}).encode()
        small, large = await client.post(CHAT, json=BODY), await client.post(CHAT, content=body)

    identity = {"subject": "alice", "team": "red", "model": MODEL, "identity": []}
    assert (small.status_code, large.status_code) == (200, 200)
    assert small.json() == identity | {"bytes": len(json.dumps(BODY, separators=(",", ":")))}
    assert large.json() == identity | {"bytes": len(body)}
    assert seen.calls == 2
    assert (seen.started, seen.stopped) == (True, True)


async def test_who_may_not_pass_is_told_why_and_does_not_reach_the_app(usherd: CompanyDaemon) -> None:
    async with gateway(usherd) as (address, seen), calling(address) as client:

        async def told(body: Any = BODY, path: str = CHAT, **claims: Any) -> Any:
            headers = {"authorization": f"Bearer {usherd.token(**claims)}"}
            return refusal(await client.post(path, json=body, headers=headers))

        nobody = refusal(await client.post(CHAT, json=BODY))
        expired = await told(exp=1_700_000_000, iat=1_699_999_000)
        model = await told({"model": "o3"})
        url_only = await told(BODY, "/openai/deployments/o3/chat/completions")
        body_only = await told({"model": "o3"}, f"/openai/deployments/{MODEL}/chat/completions")
        budget = await told(groups=["broke"])
        fault = await told(iss=FAR)

    assert nobody == (401, "authentication_error", "token_missing", "Bearer")
    assert expired[:3] == (401, "authentication_error", "token_expired")
    assert str(expired[3]).startswith('Bearer error="invalid_token"')
    not_granted = (403, "permission_error", "model_not_granted")
    assert [each[:3] for each in (model, url_only, body_only)] == [not_granted] * 3
    assert budget[:3] == (429, "rate_limit_error", "team_budget_exhausted")
    assert fault == (503, "service_unavailable_error", "authorization_unavailable", None)
    assert seen.calls == 0


async def test_without_usherd_nothing_passes(tmp_path: Path) -> None:
    seen = Seen()
    app = fast_api(seen, f"unix:{tmp_path}/nobody.sock", unasked=("/health",))
    async with served(app) as address, calling(address, "canary.token.value") as client:
        answer = await client.post(CHAT, json=BODY)
        unasked, unlike = await client.get("/health"), await client.get("/health/")

    assert refusal(answer)[0] == 503
    assert "nobody.sock" not in answer.text
    assert unasked.json() is False
    assert unlike.status_code == 503
    assert seen.calls == 0


async def test_what_is_no_credential_and_what_is_two(usherd: CompanyDaemon) -> None:
    origins = Reading(origins=("https://ui.example",))
    async with gateway(usherd, reading=origins) as (address, seen), calling(address) as client:
        token = usherd.token()
        cookie = {"cookie": f"litellm_ui_token_1={token}"}
        in_url = await client.post(f"{CHAT}?token={token}&api_key={token}&access_token={token}", json=BODY)
        two = {"authorization": f"Bearer {token}", "x-api-key": "a.b.c"}
        ambiguous = await client.post(CHAT, json=BODY, headers=two)
        elsewhere = await client.post(CHAT, json=BODY, headers=cookie | {"origin": "https://evil.example"})
        here = await client.post(CHAT, json=BODY, headers=cookie | {"origin": "https://ui.example"})
        by_key = await client.post(CHAT, json=BODY, headers={"x-api-key": token})

    assert refusal(in_url)[:3] == (401, "authentication_error", "token_missing")
    assert refusal(ambiguous)[:3] == (400, "invalid_request_error", "credentials_ambiguous")
    assert refusal(elsewhere)[:3] == (403, "permission_error", "origin_not_allowed")
    assert [here.status_code, by_key.status_code] == [200, 200]
    assert seen.calls == 2


async def test_nobody_gives_himself_an_identity(usherd: CompanyDaemon) -> None:
    claimed = {"x-usherd-user": "root", "X-Usherd-Team": "blue", "x_usherd_user": "root", "usher.decision": "root"}
    async with gateway(usherd) as (address, _), calling(address, usherd.token(), **claimed) as client:
        answer = await client.post(CHAT, json=BODY)

    assert (answer.json()["subject"], answer.json()["team"], answer.json()["identity"]) == ("alice", "red", [])


async def test_headers_of_64_kb_are_refused_and_the_gateway_goes_on(usherd: CompanyDaemon) -> None:
    async with gateway(usherd) as (address, seen), calling(address) as client:
        large = await client.post(CHAT, json=BODY, headers={"authorization": "Bearer " + "x" * 60_000})
        cookies = await client.get(
            "/open", headers={"cookie": "; ".join(f"litellm_ui_token_{n}=x" for n in range(2000))}
        )
        larger = await client.post(CHAT, json=BODY, headers={"authorization": "Bearer " + "x" * 300_000})
        good = await client.post(CHAT, json=BODY, headers={"authorization": f"Bearer {usherd.token()}"})

    assert refusal(large)[:3] == (401, "authentication_error", "token_too_large")
    assert cookies.status_code == 200
    assert larger.status_code in (400, 401)  # it depends on how uvicorn got it
    assert good.status_code == 200
    assert seen.calls == 2


async def test_a_body_is_bounded_however_it_comes(usherd: CompanyDaemon) -> None:
    async with (
        gateway(usherd, reading=Reading(max_body=1000)) as (address, seen),
        calling(address, usherd.token()) as client,
    ):

        async def parts(size: int) -> AsyncIterator[bytes]:
            yield b'{"model": "gpt-4o", "x": "'
            yield b"x" * size
            yield b'"}'

        chunked = await client.post(CHAT, content=parts(500))
        too_large = await client.post(CHAT, content=parts(1500))
        declared = await client.post(CHAT, content=b"x" * 1001)

    assert chunked.json()["bytes"] == 528
    assert [refusal(each)[:3] for each in (too_large, declared)] == [
        (413, "invalid_request_error", "body_too_large")
    ] * 2
    assert seen.calls == 1


@pytest.mark.parametrize(
    "content",
    [b'{"model": "gpt-4o", "model": "o3"}', b'\xef\xbb\xbf{"model": "gpt-4o"}', '{"model": "gpt-4o"}'.encode("utf-16")],
)
async def test_a_model_that_is_in_doubt_is_none(usherd: CompanyDaemon, content: bytes) -> None:
    async with gateway(usherd) as (address, seen), calling(address, usherd.token()) as client:
        answer = await client.post(CHAT, content=content, headers={"content-type": "application/json"})

    assert refusal(answer)[:3] == (403, "permission_error", "model_required")
    assert seen.calls == 0


@pytest.mark.parametrize(
    "path", ["/v1/chat%2Fcompletions", "//v1/chat/completions", "/open/%2e%2e/v1/chat/completions"]
)
async def test_a_path_that_could_be_read_in_two_ways_is_refused(usherd: CompanyDaemon, path: str) -> None:
    async with gateway(usherd) as (address, seen), calling(address) as client:
        url = client.base_url.copy_with(raw_path=path.encode())
        answer = await client.post(url, json=BODY, headers={"authorization": f"Bearer {usherd.token()}"})

    assert refusal(answer)[:3] == (403, "permission_error", "route_ambiguous")
    assert seen.calls == 0


async def test_a_public_route_passes_for_nobody_in_particular(usherd: CompanyDaemon) -> None:
    async with gateway(usherd) as (address, _), calling(address) as client:
        answer = await client.get("/open")

    assert answer.json() == "PUBLIC_ROUTE"


def test_a_mistake_is_told_when_the_app_is_made() -> None:
    async def app(*_: Any) -> None: ...

    with pytest.raises(ValueError, match=r"^credentials: required"):
        UsherMiddleware(app, "usherd.example:443")
    with pytest.raises(ValueError, match=r"^unasked: "):
        UsherMiddleware(app, "localhost:1", unasked="/health")
    with pytest.raises(ValueError, match=r"^deadline: "):
        UsherMiddleware(app, "localhost:1", deadline=0)
