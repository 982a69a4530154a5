"""The examples of the Python client do what they say, as processes of their own, beside a real usherd."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from clients.web.serving import calling
from commands import PATIENCE, environment
from tools.company_daemon import MODEL, CompanyDaemon, company_daemon

EXAMPLES = Path(__file__).parents[3] / "clients" / "python" / "examples"
CHAT = "/v1/chat/completions"


@pytest.fixture(name="usherd", scope="module")
def _usherd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompanyDaemon]:
    with company_daemon(tmp_path_factory.mktemp("usherd")) as running:
        yield running


@asynccontextmanager
async def running(usherd: str, *command: str, says: str, **env: str) -> AsyncIterator[str]:
    """The port that an example says that it listens at."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=EXAMPLES,
        env=environment({"USHERD": usherd, "PYTHONDONTWRITEBYTECODE": "1"} | env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        text = ""
        async with asyncio.timeout(PATIENCE):
            while (found := re.search(says, text)) is None:
                line = await process.stdout.readline()
                assert line, text
                text += line.decode()
        yield found[1]
    finally:
        process.terminate()
        await process.communicate()


async def to_its_end(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def test_the_fastapi_gateway(usherd: CompanyDaemon) -> None:
    token = usherd.token(jti="fastapi example")
    uvicorn = ("-m", "uvicorn", "fastapi_gateway:app", "--port", "0")
    async with (
        running(usherd.target, *uvicorn, says=r"running on http://127\.0\.0\.1:(\d+)") as port,
        calling(f"127.0.0.1:{port}") as nobody,
        calling(f"127.0.0.1:{port}", token) as client,
    ):
        health = await nobody.get("/healthz")
        refused = await nobody.post(CHAT, json={"model": MODEL})
        other = await client.post(CHAT, json={"model": "o3"})
        answers = [await client.post(CHAT, json={"model": MODEL}) for _ in range(3)]
        got = ""
        async with client.stream("POST", CHAT, json={"model": MODEL, "stream": True}) as answer:
            async for chunk in answer.aiter_text():
                got += chunk
                if token and got.count("word") > 2:
                    await usherd.revoke(token)
                    token = ""
        for _ in range(500):  # the cache hears of it on a stream of its own
            again = await client.post(CHAT, json={"model": MODEL})
            if not again.is_success:
                break
            await asyncio.sleep(0.01)

    assert health.json() == "ok"
    assert (refused.status_code, other.status_code) == (401, 403)
    assert [each.json() for each in answers] == [{"model": MODEL, "user": "alice"}] * 3
    assert json.loads(got.rpartition("data: ")[2])["error"]["code"] == "token_revoked"
    assert again.status_code == 401


async def test_the_grpc_service(usherd: CompanyDaemon) -> None:
    token = usherd.token(jti="grpc example")
    metadata = (("authorization", f"Bearer {token}"),)
    says = r"listening at port (\d+)"
    async with (
        running(usherd.target, "grpc_service.py", says=says, LISTEN="localhost:0") as port,
        grpc.aio.insecure_channel(f"localhost:{port}") as channel,
    ):

        def complete(words: int, **options: Any) -> Any:
            call = channel.unary_stream("/demo.v1.Chat/Complete", None, json.loads)
            return call(json.dumps({"words": words}).encode(), **options)

        whole = [each async for each in complete(2, metadata=metadata)]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await complete(2).read()
        stream = complete(600, metadata=metadata)
        await stream.read()
        await usherd.revoke(token)
        async with asyncio.timeout(10):
            with pytest.raises(grpc.aio.AioRpcError) as cut:
                await to_its_end(stream)

    assert whole == [{"for": "alice"}, {"word": 0}, {"word": 1}]
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert cut.value.code() is grpc.StatusCode.UNAUTHENTICATED
