"""Brings a database to the tables of this usherd, and says where it stands."""

from __future__ import annotations

import secrets
from enum import Enum
from functools import cache
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from usherd.stores.sql import schema
from usherd.stores.sql.unusable import DatabaseUnusable

_LOCK = 0x7573686572640001
"""Of PostgreSQL's advisory locks: of those who upgrade at once, one does."""

MEND = "usherd db upgrade"
"""The command that upgrades."""


class Standing(Enum):
    """What a database's tables are to this usherd."""

    EMPTY = "empty"
    """There are none of usherd's."""
    BEHIND = "behind"
    """They are of an older usherd."""
    CURRENT = "current"
    AHEAD = "ahead"
    """They are of a newer usherd, or of something else."""


class Status(NamedTuple):
    """Where a database stands."""

    standing: Standing
    revision: str
    """Of its tables; empty: there are none."""
    newest: str
    """Of the tables that this usherd works with."""

    def demand_current(self) -> None:
        """Raises DatabaseUnusable, with the command that mends it, unless usherd can work with these tables."""
        match self.standing:
            case Standing.EMPTY:
                raise DatabaseUnusable(f"the database has no tables of usherd's yet; run: {MEND}")
            case Standing.BEHIND:
                raise DatabaseUnusable(
                    f"the database has tables of an older usherd ({self.revision}; expected {self.newest}); run: {MEND}"
                )
            case Standing.AHEAD:
                raise DatabaseUnusable(
                    f"the database has tables of a newer usherd ({self.revision}; expected {self.newest});"
                    " expected that usherd, or a newer one, or a backup from before it"
                )


@cache
def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _status(connection: Connection) -> Status:
    known = [step.revision for step in _script().walk_revisions()]
    found = MigrationContext.configure(connection).get_current_heads()
    if not found:
        return Status(Standing.EMPTY, "", known[0])
    revision = ", ".join(sorted(found))
    if revision == known[0]:
        return Status(Standing.CURRENT, revision, known[0])
    return Status(Standing.BEHIND if revision in known else Standing.AHEAD, revision, known[0])


async def status_of(engine: AsyncEngine) -> Status:
    """Where the database stands."""
    async with engine.connect() as connection:
        return await connection.run_sync(_status)


async def upgrade(engine: AsyncEngine) -> tuple[Status, Status]:
    """Brings the database to the tables of this usherd, in one step or not at all, and returns where it stood before
    and stands now. Several may do so at once. Raises DatabaseUnusable if its tables are of a newer usherd."""
    async with engine.connect() as connection:
        await connection.execution_options(usherd_writes=True)
        async with connection.begin():
            return await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> tuple[Status, Status]:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(select(text(f"pg_advisory_xact_lock({_LOCK})")))
    before = _status(connection)
    if before.standing is Standing.AHEAD:
        before.demand_current()
    if before.standing is not Standing.CURRENT:
        if before.standing is Standing.EMPTY and inspect(connection).get_table_names():
            raise DatabaseUnusable("the database has tables that are not usherd's; expected a database of its own")
        config = Config(attributes={"connection": connection})
        steps = _config().get_main_option("script_location") or ""
        config.set_main_option("script_location", steps.replace("%", "%%"))
        command.upgrade(config, "head")
        if connection.scalar(select(schema.store.c.one)) is None:
            connection.execute(insert(schema.store), [_new_store()])
    return before, _status(connection)


def _new_store() -> dict[str, object]:
    key = secrets.token_bytes(32)
    return {"one": 1, "id": secrets.token_hex(8), "revision": 1, "compacted": 0, "token_key": key}
