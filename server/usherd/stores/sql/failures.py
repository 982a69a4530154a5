"""What a database does wrong, in words that hold no value of a row."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from asyncpg import InterfaceError, InternalClientError, PostgresError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from usherd.errors import DirectoryUnavailable
from usherd.stores.sql.unusable import Failure

FAILURES = (SQLAlchemyError, PostgresError, InterfaceError, InternalClientError, sqlite3.Error, OSError)
"""What SQLAlchemy, the drivers and the network raise; `TimeoutError` is an `OSError`."""


@contextmanager
def telling_failures() -> Iterator[None]:
    """Raises DirectoryUnavailable for whatever the database does wrong."""
    failure: Failure | None = None
    try:
        yield
    except FAILURES as error:
        failure = Failure(described(error))
    if failure is not None:
        # Outside the handler: the driver's own error is not even a context of this one.
        raise DirectoryUnavailable from failure


def described(error: BaseException) -> str:
    """The error's name and code, and those of what it came from."""
    names: list[str] = []
    each: BaseException | None = error
    while each is not None and len(names) < 4:
        names.append(_named(each))
        each = each.orig if isinstance(each, DBAPIError) and each.orig is not None else each.__cause__
    return " from ".join(names)


def _named(error: BaseException) -> str:
    name = type(error).__name__
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    if isinstance(error, OSError) and not isinstance(error, asyncio.TimeoutError) and error.errno is not None:
        code = f"errno {error.errno}"
    return f"{name} ({code})" if code else name
