"""`usherd revocations`: shows what is revoked on a server that runs, and lifts it."""

from __future__ import annotations

import json
import math
import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from usherd.changes import Sought
from usherd.cli.caller import caller_link
from usherd.cli.console import HELP, console, say, say_json, styled
from usherd.cli.decision_view import instant
from usherd.cli.directory_link import DEFAULT_SERVER, AsJson, Ca, Cert, CredentialFile, Key, Server, Timeout
from usherd.cli.links import done
from usherd.revocation_store import Revocation, Wanted

app = typer.Typer(help="Shows what is revoked, and lifts it.", no_args_is_help=True, **HELP)

_LIST_EXAMPLES = """\b
Examples:
  usherd revocations list
  usherd revocations list --issuer corp --subject alice
  usherd revocations list --json                          one line of JSON each

Exit codes: 0 these are all, 2 that cannot be told."""
_LIFT_EXAMPLES = """\b
Examples:
  usherd revocations lift 0123456789abcdef0123456789abcdef

Exit codes: 0 it is lifted, 1 there is none of that id, 2 it is not (a fault, or wrong usage)."""

_WORDS = {
    Sought.TOKEN: ("token_id",),
    Sought.JTI: ("issuer", "jti"),
    Sought.SUBJECT: ("issuer", "subject"),
    Sought.ISSUER: ("issuer",),
}


@app.command("list", epilog=_LIST_EXAMPLES)
def show_list(
    issuer: Annotated[str, typer.Option(help="Only those of that issuer, by its name in the configuration.")] = "",
    subject: Annotated[str, typer.Option(help="Only those of that subject.")] = "",
    jti: Annotated[str, typer.Option(help="Only those of that id of an issuer.")] = "",
    token_id: Annotated[str, typer.Option(help="Only that of the token of this id.")] = "",
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Shows what is revoked."""
    link = caller_link(ca, cert, key, credential_file)

    async def work() -> int:
        from usherd.rpc.revocation.dial import dial

        count = 0
        async with dial(server, timeout=timeout, **link) as client:
            async for each in client.each(Wanted(issuer, subject, jti, token_id)):
                count += 1
                if as_json:
                    # In ASCII: a terminal shows it as it is.
                    sys.stdout.write(json.dumps(revocation_json(each), separators=(",", ":")) + "\n")
                else:
                    show(each)
        return count

    if done(server, work, as_json=as_json) == 0 and not as_json:
        say("nothing of that kind is revoked", "dim")


@app.command("lift", epilog=_LIFT_EXAMPLES)
def lift(
    id: Annotated[str, typer.Argument(metavar="ID", help="A revocation's id.")],
    request_id: Annotated[str, typer.Option(help="Makes it safe to repeat.")] = "",
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Lifts a revocation: what it refused is judged as if it had not been."""
    link = caller_link(ca, cert, key, credential_file)

    async def work() -> str:
        from usherd.rpc.revocation.dial import dial

        async with dial(server, timeout=timeout, **link) as client:
            return await client.lift(id, request_id)

    revision = done(server, work, as_json=as_json)
    if as_json:
        say_json({"revision": revision})
    else:
        console().print(Text.assemble(styled("LIFTED", "yes"), "  ", styled(id)))


def show(revocation: Revocation, head: str = "") -> None:
    """A revocation for people: one line."""
    said = revocation_json(revocation)
    parts = [f"{name} {said[name]}" for name in _WORDS[revocation.entry.which.sought]]
    if said["issued_before"] is not None:
        parts.append(f"issued before {said['issued_before']}")
    parts.append("until it is lifted" if said["until"] is None else f"until {said['until']}")
    if revocation.caller:
        parts.append(f"by {revocation.caller}")
    line: list[Text | str] = [styled(head, "no"), "  "] if head else []
    line += [styled(revocation.id), "  ", styled(", ".join(parts))]
    if revocation.note:
        line += ["  ", styled(revocation.note, "dim")]
    console().print(Text.assemble(*line))


def revocation_json(revocation: Revocation) -> dict[str, Any]:
    """A revocation for scripts."""
    entry = revocation.entry
    return {
        "id": revocation.id,
        **dict(zip(_WORDS[entry.which.sought], entry.which.key, strict=True)),
        "issued_before": None if entry.issued_before is None else instant(entry.issued_before),
        "until": None if entry.until == math.inf else instant(entry.until),
        "note": revocation.note,
        "caller": revocation.caller,
        "revoked_at": instant(revocation.revoked_at),
    }
