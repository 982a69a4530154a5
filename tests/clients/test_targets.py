"""Tokens leave the machine encrypted, or because somebody wrote that they may not be."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest

from clients.faces import Opens, both_clients
from usher_client import AsyncClient, Client, DecisionCache, UsherFault

HERE = [
    "localhost:1",
    "127.0.0.1:1",
    "127.8.9.10:1",
    "[::1]:1",
    "dns:///localhost:1",
    "ipv4:127.0.0.1:1",
    "ipv4:127.0.0.1:1,127.0.0.2:1",
    "ipv6:[::1]:1",
    "unix:/run/usherd.sock",
    "unix-abstract:usherd",
]
ELSEWHERE = [
    "usherd:1",
    "10.0.0.1:1",
    "0.0.0.0:1",
    "[::]:1",
    "localhost.example.com:1",
    "127.0.0.1.example.com:1",
    "127.0.0.1@example.com:1",
    "example.com:1#127.0.0.1",
    "dns://example.com/localhost:1",
    "dns:///usherd.example:1",
    "ipv4:127.0.0.1:1,10.0.0.1:1",
    "xds:///localhost:1",
]


@pytest.mark.parametrize("target", HERE)
async def test_plaintext_stays_on_this_machine(target: str) -> None:
    with Client(target) as client:
        pass
    async with AsyncClient(target) as shared:
        pass

    assert isinstance(client, Client)
    assert isinstance(shared, AsyncClient)


@pytest.mark.parametrize("target", ELSEWHERE)
async def test_plaintext_to_elsewhere_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="credentials: required"):
        Client(target)
    with pytest.raises(ValueError, match="credentials: required"):
        AsyncClient(target)


WRONG = {
    "": "no URL of HTTP",
    "http://localhost:50051": "no URL of HTTP",
    "HTTPS://usherd.example": "no URL of HTTP",
    "localhost": "a port",
    "127.0.0.1": "a port",
    "[::1]": "a port",
    "dns:///localhost": "a port",
    "ipv4:127.0.0.1:1,127.0.0.1": "a port",
}


@pytest.mark.parametrize(("target", "wrong"), WRONG.items())
async def test_a_target_that_nobody_could_answer_at_is_refused_with_what_is_expected(target: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=f"target: expected .*{wrong}"):
        Client(target)
    with pytest.raises(ValueError, match=f"target: expected .*{wrong}"):
        AsyncClient(target, plaintext=True)


def test_an_encrypted_target_needs_no_port() -> None:
    with Client("usherd.example", credentials=grpc.ssl_channel_credentials()) as client:
        assert isinstance(client, Client)


@pytest.mark.parametrize("cache", [True, False, 10_000, DecisionCache])
def test_a_cache_that_is_none_is_refused_with_what_is_expected(cache: Any) -> None:
    with pytest.raises(TypeError, match="cache: expected a DecisionCache"):
        Client("localhost:1", cache=cache)
    with pytest.raises(TypeError, match="cache: expected a DecisionCache"):
        AsyncClient("localhost:1", cache=cache)


def test_plaintext_to_elsewhere_can_be_written() -> None:
    with Client("usherd:1", plaintext=True) as client:
        assert isinstance(client, Client)


def test_encrypted_and_plaintext_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="plaintext"):
        Client("usherd:1", credentials=grpc.ssl_channel_credentials(), plaintext=True)


@both_clients
async def test_a_server_that_went_away_is_looked_for_often(opens: Opens) -> None:
    """gRPC's own waits of 1, 1.6, 2.6, 4.1 s would be four tries in this time."""
    tries = []

    async def slammed(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tries.append(time.monotonic())
        writer.close()

    door = await asyncio.start_server(slammed, "127.0.0.1", 0)
    host, port = door.sockets[0].getsockname()
    async with door, opens(f"{host}:{port}") as client, asyncio.timeout(8):
        while len(tries) < 6:
            with pytest.raises(UsherFault):
                await client.authorize("t", "/v1/chat/completions", deadline=0.2)
            await asyncio.sleep(0.02)
