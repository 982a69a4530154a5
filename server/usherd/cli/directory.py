"""`usherd directory`: shows and changes the directory that a running server keeps."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from usherd.cli.console import HELP, Exit, fail, say, say_json, warn
from usherd.cli.directory_link import (
    DEFAULT_SERVER,
    AsJson,
    Ca,
    Cert,
    CredentialFile,
    Key,
    Kind,
    Server,
    Timeout,
    Way,
    id_from,
)
from usherd.cli.directory_plan import KINDS, Plan, gathered, missing, planned
from usherd.cli.directory_view import show_plan, show_rows, shown_row, summary, tell_plan
from usherd.config.problems import ConfigError
from usherd.facts import Rows
from usherd.store import Filter, Op, Stored

if TYPE_CHECKING:
    from usherd.rpc.directory.client import DirectoryClient

app = typer.Typer(
    help="Shows and changes the directory that a running server keeps (directory.url in its configuration).",
    no_args_is_help=True,
    **HELP,
)

APPLY_EXAMPLES = """\b
FILE is a directory file (docs/reference/directory.md), or - for standard input. Rows that are not in it stay,
unless --prune; the teams of a user in it are as it says. If it ends half-way, apply it again.

\b
Examples:
  usherd directory apply directory.yaml --dry-run
  usherd directory apply directory.yaml --prune --yes
  usherd directory export > directory.yaml

Exit codes: 0 done (--dry-run: nothing to do), 1 not done (--dry-run: something to do), 2 a fault or a wrong file."""


@app.command("apply", epilog=APPLY_EXAMPLES)
def apply(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A directory file, or - for standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only shows what would be done.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Deletes rows that are not in the file.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Deletes without asking.")] = False,
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Makes the server's directory as FILE says."""
    rows = _read(file)
    way = Way(server, ca, cert, key, credential_file, timeout, as_json)

    async def plan_there(client: DirectoryClient) -> Plan:
        kept = {(kind, _id(stored)): stored for kind in KINDS async for stored in client.rows(kind)}
        if absent := missing(rows, kept, prune=prune):
            fail("\n".join(absent))
        return planned(rows, kept, prune=prune)

    plan = way.run(plan_there)
    if not as_json:
        show_plan(plan)
        say(summary(plan), "dim")
    if dry_run or not plan.steps:
        if as_json:
            tell_plan(plan, revision="", applied=not dry_run)
        raise typer.Exit(Exit.NO if dry_run and plan.steps else Exit.YES)
    if plan.count(Op.DELETE) and not yes and not _agreed(plan, server):
        raise typer.Exit(Exit.NO)
    revision = way.run(lambda client: _make(client, plan, quiet=as_json))
    if as_json:
        tell_plan(plan, revision=revision, applied=True)
    else:
        say(f"applied; the directory has it all since {revision}", "yes")


@app.command("export")
def export(
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 60.0,
) -> None:
    """Writes the server's directory as a directory file to standard output."""

    from usherd.config.directory_file import directory_text

    async def read(client: DirectoryClient) -> list[Stored]:
        return [stored for kind in KINDS async for stored in client.rows(kind)]

    way = Way(server, ca, cert, key, credential_file, timeout, False)
    sys.stdout.write(directory_text(gathered(way.run(read))))


@app.command("get")
def get(
    kind: Kind,
    row_id: Annotated[list[str], typer.Argument(metavar="ID", help="Its id; of a membership: TEAM USER.")],
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Shows one row. Exit codes: 0 it is there, 1 it is not, 2 a fault."""
    named = id_from(kind, row_id)
    way = Way(server, ca, cert, key, credential_file, timeout, as_json)
    stored = way.run(lambda client: client.get(kind.row, named))
    if stored is None:
        warn(f"there is no {kind.value} of that id")
        raise typer.Exit(Exit.NO)
    if as_json:
        say_json(shown_row(stored) | {"etag": stored.etag})
    else:
        show_rows([stored])


@app.command("list")
def list_rows(
    kind: Kind,
    prefix: Annotated[str, typer.Option(help="Only ids that begin so.")] = "",
    alias: Annotated[str, typer.Option(help="Only those of that alias.")] = "",
    organization: Annotated[str, typer.Option(help="Only those of that organization.")] = "",
    team: Annotated[str, typer.Option(help="Only those of that team.")] = "",
    user: Annotated[str, typer.Option(help="Only those of that user.")] = "",
    issuer: Annotated[str, typer.Option(help="Only those of that issuer, by its name.")] = "",
    email: Annotated[str, typer.Option(help="Only those of that address.")] = "",
    blocked: Annotated[bool | None, typer.Option("--blocked/--not-blocked", help="Only such.")] = None,
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Shows the rows of a kind, by id."""
    wanted = Filter(prefix, alias, organization, team, user, issuer, email, blocked)

    async def read(client: DirectoryClient) -> list[Stored]:
        return [stored async for stored in client.rows(kind.row, wanted)]

    rows = Way(server, ca, cert, key, credential_file, timeout, as_json).run(read)
    say_json([shown_row(stored) | {"etag": stored.etag} for stored in rows]) if as_json else show_rows(rows)


@app.command("block")
def block(
    kind: Kind,
    row_id: Annotated[list[str], typer.Argument(metavar="ID", help="Its id.")],
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Blocks an organization, team, user or end user: nothing is allowed any more."""
    _block(kind, row_id, Way(server, ca, cert, key, credential_file, timeout, as_json), blocked=True)


@app.command("unblock")
def unblock(
    kind: Kind,
    row_id: Annotated[list[str], typer.Argument(metavar="ID", help="Its id.")],
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Ends a block."""
    _block(kind, row_id, Way(server, ca, cert, key, credential_file, timeout, as_json), blocked=False)


def _block(kind: Kind, words: list[str], way: Way, *, blocked: bool) -> None:
    if kind in (Kind.MEMBERSHIP, Kind.MODEL):
        fail(f"a {kind.value} cannot be blocked; expected an organization, a team, a user or an end-user")
    named = id_from(kind, words)
    revision = way.run(lambda client: client.block(kind.row, named, blocked=blocked))
    done = "blocked" if blocked else "unblocked"
    say_json({"revision": revision, "blocked": blocked}) if way.as_json else say(f"{done} since {revision}", "yes")


def _read(file: str) -> Rows:
    from usherd.config.directory_file import parse_directory, read_directory

    try:
        return parse_directory(sys.stdin.buffer.read(), "standard input") if file == "-" else read_directory(Path(file))
    except ConfigError as error:
        fail(str(error))


def _id(stored: Stored) -> tuple[str, ...]:
    row = stored.row
    return tuple(str(getattr(row, name)) for name in ("id", "name", "team", "user") if hasattr(row, name))


def _agreed(plan: Plan, server: str) -> bool:
    question = f"delete {plan.count(Op.DELETE)} rows at {server}?"
    if not sys.stdin.isatty():
        fail(f"{question} expected --yes, as there is nobody to ask")
    return typer.confirm(f"usherd: {question}", err=True)


async def _make(client: DirectoryClient, plan: Plan, *, quiet: bool) -> str:
    """Makes the plan's edits, a transaction after the other, and returns the revision of the last one."""
    edits, name, done, revision = plan.edits(), secrets.token_hex(8), 0, ""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet or not sys.stderr.isatty()) as progress:
        task = progress.add_task("rows", total=len(edits))
        while done < len(edits):
            made, revision = await client.apply(edits[done:], f"apply-{name}-{done}")
            done += made
            progress.update(task, completed=done)
    return revision
