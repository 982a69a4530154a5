"""A gateway with FastAPI that answers as OpenAI's API does, from words of its own instead of a model's.

pip install usher-client fastapi uvicorn
USHERD=localhost:50051 uvicorn fastapi_gateway:app
curl -N localhost:8000/v1/chat/completions -H "authorization: Bearer $TOKEN" \\
    -d '{"model": "gpt-4o", "stream": true}' -H "content-type: application/json"

Revoke the token, or block its team, while words are coming: the stream ends with an error event.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Body, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse

from usher_client import AsyncClient, Decision, DecisionCache
from usher_client.asgi import UsherMiddleware, decision_of


def usherd() -> AsyncClient:
    """Opened in the server's event loop, and closed when the server ends."""
    return AsyncClient(os.environ.get("USHERD", "localhost:50051"), cache=DecisionCache())


app = FastAPI()
app.add_middleware(UsherMiddleware, usherd=usherd, unasked=["/healthz"])


def decided(request: Request) -> Decision:
    """Who asks, and what they may: the only thing here to believe about the sender of a request."""
    return decision_of(request)


Allowed = Annotated[Decision, Depends(decided)]


@app.get("/healthz")
async def healthz() -> str:
    """For whoever watches this process; nobody is asked."""
    return "ok"


@app.post("/v1/chat/completions", response_model=None)
async def chat(
    allowed: Allowed, stream: Annotated[bool, Body(embed=True)] = False
) -> StreamingResponse | dict[str, str]:
    """Calls the model that the decision names, which is the one that was allowed."""
    who = allowed.principal.user_id or allowed.principal.subject if allowed.principal else ""
    if not stream:
        return {"model": allowed.resolved_model, "user": who}
    return StreamingResponse(words(allowed.resolved_model), media_type="text/event-stream")


async def words(model: str) -> AsyncIterator[str]:
    """A completion that takes a minute."""
    for number in range(600):
        yield f"data: {json.dumps({'model': model, 'choices': [{'delta': {'content': f'word {number} '}}]})}\n\n"
        await asyncio.sleep(0.1)
    yield "data: [DONE]\n\n"
