"""Requests that were answered already: made again, they change nothing and are answered as before."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.errors import FieldInvalid
from usherd.store import Request
from usherd.stores.sql import schema
from usherd.stores.sql.database import Writing

_ROW = schema.requests.c


async def answered(connection: AsyncConnection, request: Request) -> Mapping[str, Any] | None:
    """What `remember` kept of it; None: it was not made before. Raises FieldInvalid for the id of another request."""
    query = select(_ROW.digest, _ROW.result).where(_ROW.caller == request.caller, _ROW.id == request.id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    if not hmac.compare_digest(row.digest, request.digest):
        raise FieldInvalid("request_id", "an id that no other request had")
    result: Mapping[str, Any] = json.loads(row.result)
    return result


async def remember(writing: Writing, request: Request, result: Mapping[str, object]) -> None:
    """Keeps what it was answered with, in the transaction that answers it."""
    values = {
        "caller": request.caller,
        "id": request.id,
        "digest": request.digest,
        "result": json.dumps(result, separators=(",", ":")),
        "at": writing.now,
    }
    await writing.connection.execute(insert(schema.requests), [values])
