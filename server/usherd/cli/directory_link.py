"""The options of commands that manage a server's directory, and their way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import typer

from usherd.changes import RowKind
from usherd.cli.caller import caller_link
from usherd.cli.console import Exit, fail, warn
from usherd.cli.links import tell_fault
from usherd.errors import AlreadyExists, EtagMismatch, Fault
from usherd.store import RowId

if TYPE_CHECKING:
    from usherd.rpc.directory.client import DirectoryClient

Result = TypeVar("Result")

DEFAULT_SERVER = "127.0.0.1:50051"

Server = Annotated[str, typer.Option("--server", "--address", envvar="USHERD_SERVER", help="Address of the server.")]
Ca = Annotated[Path | None, typer.Option(help="PEM file of the authority behind the server's certificate.")]
Cert = Annotated[Path | None, typer.Option(help="PEM file of the certificate to show as the caller.")]
Key = Annotated[Path | None, typer.Option(help="PEM file of its key.")]
CredentialFile = Annotated[
    Path | None, typer.Option(help="File with the credential to show as the caller; else USHERD_CREDENTIAL.")
]
Timeout = Annotated[float, typer.Option(min=0.1, max=600.0, help="Seconds that one call may take.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answers in JSON.")]


class Kind(StrEnum):
    """The kinds of rows, as people write them."""

    ORGANIZATION = "organization"
    TEAM = "team"
    USER = "user"
    MEMBERSHIP = "membership"
    END_USER = "end-user"
    MODEL = "model"

    @property
    def row(self) -> RowKind:
        """The same, as the store has it."""
        return RowKind[self.name]


class Way(NamedTuple):
    """The way to a server, and the manner of telling."""

    server: str
    ca: Path | None
    cert: Path | None
    key: Path | None
    credential_file: Path | None
    timeout: float
    as_json: bool

    def run(self, work: Callable[[DirectoryClient], Awaitable[Result]]) -> Result:
        """What comes of `work`. A fault ends the command, and is told."""
        from usherd.rpc.address import AddressUnusable
        from usherd.rpc.dial import connected
        from usherd.rpc.directory.client import DirectoryClient, NoSuchFilter

        link = caller_link(self.ca, self.cert, self.key, self.credential_file)

        async def worked() -> Result:
            async with connected(self.server, **link) as connection:
                return await work(DirectoryClient(connection, timeout=self.timeout))

        try:
            return asyncio.run(worked())
        except AddressUnusable as error:
            fail(f"--server: {str(error).removeprefix('server.address: ')}")
        except NoSuchFilter as error:
            fail(f"rows of this kind are not told apart by --{error}")
        except Fault as fault:
            tell_fault(fault, self.server, as_json=self.as_json)
            if isinstance(fault, EtagMismatch | AlreadyExists):
                warn("somebody else has changed the directory meanwhile, or keeps what you want; try again")
        raise typer.Exit(Exit.NO_ANSWER)


def id_from(kind: Kind, words: list[str]) -> RowId:
    """The id that arguments name, or the end of the command."""
    expected = 2 if kind is Kind.MEMBERSHIP else 1
    if len(words) != expected:
        fail("expected the ids of a team and a user" if expected == 2 else f"expected the id of one {kind.value}")
    return tuple(words)
