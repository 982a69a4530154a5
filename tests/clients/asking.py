"""Asks with either face of the client, so that one test speaks for both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from usher_client import AsyncClient, Client

Ask = Callable[..., Awaitable[Any]]
TOKEN = "canary.token.value"
ROUTE = "/v1/chat/completions"
ROOMY = {"deadline": 30.0}
"""A busy machine must not turn answers into faults."""


async def ask_async(
    target: str, name: str, *arguments: Any, client: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    async with AsyncClient(target, **(client or {})) as face:
        if name == "list_models":
            return [each async for each in face.list_models(*arguments, **(ROOMY | options))]
        return await getattr(face, name)(*arguments, **(ROOMY | options))


async def ask_sync(
    target: str, name: str, *arguments: Any, client: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    def work() -> Any:
        with Client(target, **(client or {})) as face:
            answer = getattr(face, name)(*arguments, **(ROOMY | options))
            return list(answer) if name == "list_models" else answer

    return await asyncio.to_thread(work)


both_faces = pytest.mark.parametrize("ask", [ask_async, ask_sync], ids=["async", "sync"])
