"""`usherd doctor`: looks at a running server and its configuration, and says what is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from usherd.cli.caller import caller_link
from usherd.cli.console import Exit, fail, token_from
from usherd.cli.directory_link import DEFAULT_SERVER, AsJson, Ca, Cert, CredentialFile, Key, Server, Timeout
from usherd.cli.findings import Finding, State, show, tell
from usherd.cli.settings import settings_of

EXAMPLES = """\b
It asks the server over gRPC, and reads its /readyz page (telemetry.metrics in --config, or --pages).
With --config it also looks at the configuration and at the database that is named there.
Unless --no-live, it makes a team of a name of its own, blocks it, measures how long the news take, and deletes it.
With --token-file it watches a decision about that token, revokes the token and lifts that again: take a test user's.

\b
Examples:
  usherd doctor --config usherd.yaml
  usherd doctor --server usherd.example:443 --pages https://usherd.example:9090 --json
  usherd doctor --config usherd.yaml --token-file token.txt --route /v1/models --method GET

Exit codes: 0 all is well, 1 something is wrong, 2 nobody could look (nobody is there, or a wrong configuration)."""


def doctor(
    server: Server = DEFAULT_SERVER,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The server's configuration file.")] = None,
    pages: Annotated[
        str | None, typer.Option(help="URL of the server's pages, as http://127.0.0.1:9090; else by --config.")
    ] = None,
    live: Annotated[bool, typer.Option("--live/--no-live", help="Measures how long news take.")] = True,
    token_file: Annotated[Path | None, typer.Option(help="File with a test user's token, to be revoked.")] = None,
    route: Annotated[str, typer.Option(help="The route of the decision about that token.")] = "/v1/chat/completions",
    model: Annotated[str | None, typer.Option(help="Its model.")] = None,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Looks at a running server, and says what is wrong."""
    # Only now: gRPC and SQL take longer to import than most commands to run.
    from usherd.cli.examining import Patient, examined
    from usherd.rpc.address import AddressUnusable
    from usherd.rpc.replies import Unreachable

    settings = None if config is None else settings_of(config)
    link = caller_link(ca, cert, key, credential_file)
    token = None if token_file is None else token_from(f"@{token_file}")
    patient = Patient(server, link, settings, pages, timeout, live=live, token=token, route=route, model=model)
    findings: list[Finding] = []
    try:
        asyncio.run(examined(patient, findings.append))
    except AddressUnusable as error:
        fail(f"--server: {str(error).removeprefix('server.address: ')}")
    except Unreachable:
        findings.append(Finding("address", State.BAD, f"nobody answers at {server}"))
        tell(server, findings) if as_json else show(findings)
        raise typer.Exit(Exit.NO_ANSWER) from None
    tell(server, findings) if as_json else show(findings)
    raise typer.Exit(Exit.NO if any(each.state is State.BAD for each in findings) else Exit.YES)
