"""`usherd health`: asks a running server whether questions are welcome, for probes of containers and scripts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from usherd.cli.ask import DEFAULT_SERVER
from usherd.cli.caller import CallerLink, caller_link
from usherd.cli.console import Exit, fail, say
from usherd.errors import Fault

EXAMPLES = """\b
Examples:
  usherd health
  usherd health 127.0.0.1:50051 --timeout 1
  usherd health usherd.example:443 --ca ca.pem

Exit codes: 0 SERVING, 1 NOT_SERVING, 2 no answer (nobody is there, or this caller may not ask)."""


def health(
    server: Annotated[
        str | None,
        typer.Argument(envvar="USHERD_SERVER", help=f"Address of a server; {DEFAULT_SERVER} unless given."),
    ] = None,
    service: Annotated[str, typer.Option(help="One service by its full name; the whole server unless given.")] = "",
    ca: Annotated[Path | None, typer.Option(help="PEM file of the authority behind the server's certificate.")] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM file of the certificate to show as the caller.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its key.")] = None,
    credential_file: Annotated[
        Path | None, typer.Option(help="File with the credential to show as the caller; else USHERD_CREDENTIAL.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.01, max=60.0, help="Seconds.")] = 2.0,
) -> None:
    """Asks whether a server takes questions (grpc.health.v1)."""
    address = server or DEFAULT_SERVER
    try:
        serving = asyncio.run(_asked(address, caller_link(ca, cert, key, credential_file), service, timeout))
    except Fault as fault:
        fail(f"{address}: no answer ({fault.reason.name})")
    say("SERVING" if serving else "NOT_SERVING")
    raise typer.Exit(Exit.YES if serving else Exit.NO)


async def _asked(address: str, link: CallerLink, service: str, timeout: float) -> bool:
    from usherd.rpc.address import AddressUnusable
    from usherd.rpc.dial import connected
    from usherd.rpc.dial_health import is_serving

    try:
        async with connected(address, **link) as connection:
            return await is_serving(connection, service, timeout)
    except AddressUnusable as error:
        fail(str(error).removeprefix("server.address: "))
