"""Requests that were made before: the same one again changes nothing, and is told what it was told."""

from __future__ import annotations

import hmac
import json
from typing import Any

from sqlalchemy import and_, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from usherd.errors import FieldInvalid
from usherd.store import Request
from usherd.stores.sql import schema

KEPT_FOR = 24 * 3600.0
"""Seconds that a request is remembered at the least."""

Result = dict[str, Any]


async def remembered(connection: AsyncConnection, request: Request, result: Result, now: float) -> Result | None:
    """None for a request that was not made before, which is remembered from now on; else what it was told then.

    Whoever makes the same request meanwhile waits for the end of the transaction. Raises FieldInvalid for the id of
    another request.
    """
    requests = schema.requests.c
    is_it = and_(requests.caller == request.caller, requests.id == request.id)
    await connection.execute(delete(schema.requests).where(is_it, requests.at <= now - KEPT_FOR))
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = {
        "caller": request.caller,
        "id": request.id,
        "digest": request.digest,
        "result": json.dumps(result),
        "at": now,
    }
    inserted = await connection.execute(
        insert(schema.requests).on_conflict_do_nothing().returning(schema.requests.c.id), [new]
    )
    if inserted.first() is not None:
        return None
    before = (await connection.execute(select(requests.digest, requests.result).where(is_it))).one()
    if not hmac.compare_digest(before.digest, request.digest):
        raise FieldInvalid("request_id", "an id that no other request has had within a day")
    told: Result = json.loads(before.result)
    return told


async def tell(connection: AsyncConnection, request: Request, result: Result) -> None:
    """What the request was told, once that is known: before the commit."""
    requests = schema.requests
    is_it = and_(requests.c.caller == request.caller, requests.c.id == request.id)
    await connection.execute(requests.update().where(is_it).values(result=json.dumps(result)))


async def forget_old(connection: AsyncConnection, now: float, limit: int) -> None:
    """Forgets requests that need not be remembered any more, the oldest of them, at most `limit`."""
    requests = schema.requests.c
    oldest = select(requests.at).where(requests.at <= now - KEPT_FOR).order_by(requests.at).limit(limit)
    last = (await connection.scalars(oldest)).all()
    if last:
        await connection.execute(delete(schema.requests).where(requests.at <= last[-1]))
