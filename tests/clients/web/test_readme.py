"""The README of the client is run: whoever pastes its lines gets what it promises."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

import usher_client
from usher_client import faults
from usher_client.asgi import UsherMiddleware
from usher_client.interceptors import AsyncAuthorization
from usher_client.testing import FakeUsherd

README = Path(__file__).parents[3] / "clients" / "python" / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
ASKING = {"json": {"model": "gpt-4o"}, "headers": {"authorization": "Bearer good"}}
CHAT = "/v1/chat/completions"


def block(words: str) -> str:
    """The one block that has these words."""
    (found,) = (each for each in BLOCKS if words in each)
    return str(found)


@pytest.fixture
def fake() -> Iterator[FakeUsherd]:
    with FakeUsherd() as usherd:
        usherd.allow(token="good", model="gpt-4o", resolved_model="gpt-4o-2024")
        yield usherd


def run(text: str, fake: FakeUsherd, **names: Any) -> dict[str, Any]:
    """What the lines define, with the fake in the place of usherd. Nothing is said of a busy machine in a README."""
    text = text.replace("localhost:50051", fake.target).replace("deadline=0.5", "deadline=30.0")
    names |= {name: getattr(usher_client, name) for name in usher_client.__all__}
    exec(compile(text, str(README), "exec"), names)
    return names


async def run_async(text: str, fake: FakeUsherd, **names: Any) -> None:
    """The same for lines that wait, within a function."""
    body = "".join(f"    {line}\n" for line in text.splitlines())
    made = run(f"async def lines():\n{body}", fake, token="good", **names)
    async with asyncio.timeout(30):
        async for _ in made["lines"]():
            pass


def test_three_lines_are_a_gateway(fake: FakeUsherd) -> None:
    app = run(BLOCKS[0], fake, FastAPI=FastAPI)["app"]
    app.post(CHAT)(lambda: "passed")
    with TestClient(app) as client:
        assert client.post(CHAT, **ASKING).status_code == 200
        assert client.post(CHAT).status_code == 403


def test_the_gateway_with_a_cache_passes_on_the_model_that_was_allowed(fake: FakeUsherd) -> None:
    app = run(block("decision_of(request)"), fake)["app"]
    with TestClient(app) as client:
        answer = client.post(CHAT, **ASKING)
        assert (answer.status_code, answer.json()) == (200, {"model": "gpt-4o-2024"})
        assert client.get("/healthz").status_code == 404
    assert {each.token for each in fake.asked} == {"good"}


def test_what_names_who_asks_is_there(fake: FakeUsherd) -> None:
    shown = set(re.findall(r"[.`](user_id|team_id|email|claims|organization_id|roles)\b", README.read_text()))
    assert shown == {"user_id", "team_id", "email", "claims", "organization_id", "roles"}
    with usher_client.Client(fake.target) as client:
        principal = client.authorize("good", CHAT, "gpt-4o", deadline=30.0).principal
    assert all(hasattr(principal, name) for name in shown)


def test_asking_by_oneself(fake: FakeUsherd) -> None:
    lines = block("deadline=0.5")
    assert run(lines, fake, token="good")["answer"] == 200
    assert run(lines, fake, token="bad")["answer"] == 403


async def test_a_watch_ends_what_it_guards(fake: FakeUsherd) -> None:
    async def completion() -> Any:
        yield 1
        fake.deny("TEAM_BLOCKED")
        await asyncio.sleep(3600)

    opened = f'async with AsyncClient("{fake.target}") as usherd:\n'
    watching = "".join(f"    {line}\n" for line in block("usherd.watch(").splitlines())
    with pytest.raises(usher_client.NoLongerAllowed, match="TEAM_BLOCKED"):
        await run_async(opened + watching, fake, completion=completion())


async def test_the_cache_answers_from_memory(fake: FakeUsherd, capsys: pytest.CaptureFixture[str]) -> None:
    lines = block("cache_statistics()")
    asking, printing = lines.rstrip().rsplit("\n", 1)
    again = "    while usherd.cache_statistics().hits == 0:\n    " + asking.split("\n")[-1] + "\n"
    await run_async(f"{asking}\n{again}{printing}\n    yield", fake)
    assert re.search("hits=1,", capsys.readouterr().out)


def test_a_test_of_a_gateway(fake: FakeUsherd) -> None:
    app = FastAPI()

    @app.post(CHAT)
    async def chat(request: Request) -> str:
        return "passed"

    made = run(block("import FakeUsherd"), fake, my_app=app, UsherMiddleware=UsherMiddleware)
    made["test_a_blocked_team_is_refused"]()


def test_every_fault_is_in_the_tree_that_it_points_to() -> None:
    drawn = set(re.findall(r"^\W*(\w+) {2,}", faults.__doc__ or "", re.MULTILINE))
    assert drawn == {"UsherFault"} | {each.__name__ for each in faults.UsherFault.__subclasses__()}


async def test_a_server_of_grpc_is_made(fake: FakeUsherd) -> None:
    await run_async(block("grpc.aio.server") + "    yield", fake, grpc=grpc, AsyncAuthorization=AsyncAuthorization)


def test_no_block_is_left_out() -> None:
    assert len(BLOCKS) == 7
