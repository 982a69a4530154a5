"""`usherd db`: looks after the database that a directory is kept in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from usherd.cli.console import HELP, Exit, fail, say, say_json
from usherd.cli.settings import settings_of
from usherd.errors import DirectoryUnavailable

app = typer.Typer(help="Looks after the database of the directory.", no_args_is_help=True, **HELP)

VARIABLE = "USHERD_DATABASE_URL"

Config = Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file, for its directory.url.")]
Database = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help=f"sqlite:///FILE or postgresql://...; or else ${VARIABLE}."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answers in JSON.")]

_UPGRADE = f"""\b
Brings the tables to those of this usherd, in one step or not at all. Several may do so at once. A server whose tables
are behind does not start; make a backup first, since no command goes back.

\b
Examples:
  usherd db upgrade --config usherd.yaml
  usherd db upgrade --database sqlite:////var/lib/usherd/directory.db
  {VARIABLE}=postgresql://usherd:...@db/usherd usherd db upgrade     no password in the arguments

Exit codes: 0 the tables are those of this usherd, 2 they are not."""

_STATUS = """\b
Examples:
  usherd db status --config usherd.yaml
  usherd db status --database sqlite:///directory.db --json

Exit codes: 0 this usherd can work with the tables, 1 it can not (they are behind, ahead or not there), 2 no answer."""

ResultT = TypeVar("ResultT")


@app.command("upgrade", epilog=_UPGRADE)
def upgrade(config: Config = None, database: Database = None, as_json: AsJson = False) -> None:
    """Brings the tables of a database to those of this usherd."""
    from usherd.stores.sql import looking_after

    before, after = _done(looking_after.upgrade(_url(config, database)))
    if as_json:
        say_json({"before": before.revision, "after": after.revision, "changed": before != after})
    elif before == after:
        say(f"the tables are those of this usherd already: {after.revision}")
    else:
        say(f"upgraded: {before.revision or 'no tables'} -> {after.revision}", "yes")


@app.command("status", epilog=_STATUS)
def status(config: Config = None, database: Database = None, as_json: AsJson = False) -> None:
    """Says where a database stands. Changes nothing."""
    from usherd.stores.sql import looking_after
    from usherd.stores.sql.upgrade import Standing

    found = _done(looking_after.look(_url(config, database)))
    tables = found.tables
    if as_json:
        say_json(
            {
                "standing": tables.standing.value,
                "tables": tables.revision,
                "expected": tables.newest,
                "store": found.store,
                "revision": found.revision,
                "compacted": found.compacted,
                "rows": dict(found.rows),
            }
        )
    else:
        current = tables.standing is Standing.CURRENT
        say(f"tables: {tables.standing.value} ({tables.revision or 'none'}; this usherd: {tables.newest})",
            "yes" if current else "no")  # fmt: skip
        if current:
            say(f"store: {found.store}, revision {found.revision}, changes kept since {found.compacted}")
            say(", ".join(f"{name}: {count}" for name, count in found.rows.items()))
    if tables.standing is not Standing.CURRENT:
        raise typer.Exit(Exit.NO)


def _url(config: Path | None, database: str | None) -> str:
    if config is not None and database is not None:
        fail("--config, --database: expected one of them")
    if config is None:
        url = database or os.environ.get(VARIABLE, "")
        return url or fail(f"expected --database URL, --config FILE or ${VARIABLE}")
    settings = settings_of(config)
    return (
        settings.store.url
        if settings.store is not None
        else fail(f"{config}: directory.url is missing; without it there is no database")
    )


def _done(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    from usherd.stores.sql.unusable import DatabaseUnusable

    try:
        return asyncio.run(work)
    except DatabaseUnusable as error:
        fail(str(error))
    except DirectoryUnavailable as error:
        fail(f"the database cannot be reached or does not do as it should: {error.__cause__}")
