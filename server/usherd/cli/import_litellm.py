"""`usherd import-litellm`: brings the people of a LiteLLM database into the directory."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from usherd.cli.console import Exit, fail, say_json, warn
from usherd.cli.directory_link import DEFAULT_SERVER, AsJson, Ca, Cert, CredentialFile, Key, Server, Timeout, Way
from usherd.config.problems import Unusable
from usherd.config.scalars import read_secret

if TYPE_CHECKING:
    from usherd.imports.litellm_reading import Reading
    from usherd.rpc.directory.client import DirectoryClient

EXAMPLES = """\b
The database is only read, in one read-only transaction; a role that may SELECT will do.
Rows that are as they should be stay as they are: a second run changes nothing. Users get the teams that LiteLLM
says, and no others; otherwise nothing is deleted, and no block is lifted. What usherd cannot express is
listed, with the rows; --json lists all of them.

\b
Examples:
  usherd import-litellm --database env:DATABASE_URL --issuer entra --dry-run
  usherd import-litellm --database file:/run/secrets/litellm-url --issuer entra --subject both
  usherd import-litellm --database 'postgresql://reader@db/litellm?schema=public' --json > import.json

Exit codes: 0 done, 1 some rows were refused by the directory, 2 it could not be done or ended early."""


class Subject(StrEnum):
    """What an issuer knows users by."""

    USER_ID = "user-id"
    SSO_ID = "sso-id"
    BOTH = "both"


class Empty(StrEnum):
    """What a team without models is granted."""

    NOTHING = "nothing"
    ALL = "all"


def import_litellm(
    database: Annotated[
        str,
        typer.Option(
            help="URL of LiteLLM's PostgreSQL (its DATABASE_URL will do), or env:NAME or file:path that hold it.",
            show_default=False,
        ),
    ],
    issuer: Annotated[
        str, typer.Option(help="Name of the issuer whose tokens name these teams and users; none: the only one.")
    ] = "",
    subject: Annotated[
        Subject,
        typer.Option(help="What that issuer's tokens name users by: LiteLLM's user_id, its sso_user_id, or both."),
    ] = Subject.USER_ID,
    empty_models: Annotated[
        Empty, typer.Option(help="What a team without models is granted: nothing, or all, as in LiteLLM.")
    ] = Empty.NOTHING,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Says what would be done, and writes nothing.")] = False,
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 15.0,
    as_json: AsJson = False,
) -> None:
    """Brings the people of a LiteLLM database into the directory."""
    # Only now: gRPC and SQL take longer to import than most commands to run.
    from usherd.cli.import_view import Outcome, outcome_json, show_outcome
    from usherd.cli.importing import bring
    from usherd.imports.litellm_read import Choices

    if subject is not Subject.USER_ID and not issuer:
        fail("--subject says what an issuer knows users by; expected --issuer, too")
    choices = Choices(issuer=issuer, subject=subject.value, empty_is_all=empty_models is Empty.ALL)
    way = Way(server, ca, cert, key, credential_file, timeout, as_json)
    with _bar() as heard:
        reading = _read(_url(database), heard)

        async def brought(client: DirectoryClient) -> Outcome:
            return await bring(client, reading, choices, dry_run=dry_run, heard=heard)

        outcome = way.run(brought)
    say_json(outcome_json(outcome)) if as_json else show_outcome(outcome)
    if outcome.ended is not None:
        raise typer.Exit(Exit.NO_ANSWER)
    refused = not dry_run and outcome.made < outcome.planned
    raise typer.Exit(Exit.NO if refused else Exit.YES)


def _read(url: str, heard: Callable[[str, int, int], None]) -> Reading:
    from usherd.errors import DirectoryUnavailable
    from usherd.imports.litellm_reading import read_litellm
    from usherd.stores.sql.unusable import DatabaseUnusable

    try:
        return asyncio.run(read_litellm(url, lambda kind, done, total: heard(f"reading: {kind}", done, total)))
    except DatabaseUnusable as error:
        fail(f"--database: {error}")
    except DirectoryUnavailable as error:
        fail(f"--database: it cannot be read: {error.__cause__}")


def _url(text: str) -> str:
    if text.startswith(("env:", "file:")):
        try:
            return read_secret(text, Path(), os.environ).decode("utf-8", "replace")
        except Unusable as error:
            fail(f"--database: {error}")
    authority = text.partition("://")[2].partition("/")[0]
    if ":" in authority.rpartition("@")[0]:
        warn("a password in the arguments can be seen by every user of this machine; env:NAME or file:path keep it")
    return text


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """Shows progress on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {}

        def heard(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield heard
