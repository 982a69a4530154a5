"""Asks a server that runs for what a command wants, and tells what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer

from usherd.cli.console import Exit, fail, say_json, warn
from usherd.cli.decision_view import fault_json
from usherd.errors import Fault, FieldInvalid, InternalFault, NotFound

Answer = TypeVar("Answer")


def done(server: str, work: Callable[[], Coroutine[Any, Any, Answer]], *, as_json: bool) -> Answer:
    """What comes of asking that server. A fault ends the command: with exit code 1 for what is not there, 2 for all
    others."""
    from usherd.rpc.address import AddressUnusable

    try:
        return asyncio.run(work())
    except AddressUnusable as error:
        fail(f"--server: {str(error).removeprefix('server.address: ')}")
    except Fault as error:
        fault = error
    tell_fault(fault, server, as_json=as_json)
    raise typer.Exit(Exit.NO if isinstance(fault, NotFound) else Exit.NO_ANSWER)


def tell_fault(fault: Fault, server: str, *, as_json: bool) -> None:
    """Tells what that server could not do. For people it is never among what a command writes, which may go to a
    file."""
    from usherd.rpc.replies import Unreachable

    if as_json:
        say_json(fault_json(fault))
    elif isinstance(fault, Unreachable):
        warn(f"nobody answers at {server}; expected a server there, or another one by --server")
    elif isinstance(fault, InternalFault):
        warn("the server failed; its log says why")
    elif isinstance(fault, FieldInvalid):
        warn(fault.message)
    else:
        warn(f"{fault.reason.name}: {fault.message}")
