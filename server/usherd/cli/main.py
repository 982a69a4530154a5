"""Puts the commands together."""

from __future__ import annotations

from typing import Annotated

import typer

from usherd.cli import (
    ask,
    completion,
    config,
    db,
    decisions,
    dev,
    directory,
    doctor,
    health,
    import_litellm,
    parity,
    revocations,
    revoke,
    serve,
    shadow,
    test,
    token,
)
from usherd.cli.console import HELP, say
from usherd.cli.hints import Commands

app = typer.Typer(
    help="The authorization service for AI gateways: may the holder of this token call this route with this model?",
    epilog="Exit codes: 0 yes or done, 1 no, 2 no answer (a fault, a wrong configuration, wrong usage).",
    no_args_is_help=True,
    cls=Commands,
    **HELP,
)
app.command("serve", epilog=serve.EXAMPLES)(serve.serve)
app.command("health", epilog=health.EXAMPLES)(health.health)
app.command("ask", epilog=ask.EXAMPLES)(ask.ask)
app.command("test", epilog=test.EXAMPLES)(test.tell)
app.command("parity", epilog=parity.EXAMPLES)(parity.parity)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("import-litellm", epilog=import_litellm.EXAMPLES)(import_litellm.import_litellm)
app.command("decisions", epilog=decisions.EXAMPLES)(decisions.decisions)
app.command("revoke", epilog=revoke.EXAMPLES)(revoke.revoke)
app.command("shadow", epilog=shadow.EXAMPLES)(shadow.shadow)
app.command("completion", epilog=completion.EXAMPLES)(completion.completion)
completion.answer_shells()
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")
app.add_typer(directory.app, name="directory")
app.add_typer(token.app, name="token")
app.add_typer(revocations.app, name="revocations")
app.add_typer(dev.app, name="dev")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"usherd {version('usherd')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Shows the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass
