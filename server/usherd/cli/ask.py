"""`usherd ask`: asks one question, of a running server or of a configuration."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usherd.cli.caller import CallerLink, caller_link
from usherd.cli.console import Exit, fail, say_json, token_from, warn
from usherd.cli.decision_view import decision_json, fault_json, show_decision, show_fault
from usherd.cli.litellm import Directory, Ignore, Litellm, LitellmVersion, Version, chosen_settings
from usherd.cli.settings import opened_here
from usherd.decide import allows
from usherd.domain import Decision, Question
from usherd.errors import Fault

if TYPE_CHECKING:
    from usherd.config.settings import Settings

EXAMPLES = """\b
TOKEN is the token itself, - for standard input, or @FILE. Without it, USHERD_TOKEN is taken:
the first argument is the route then, which begins with a slash.
A server that tells callers apart is shown --cert and --key, or the credential in USHERD_CREDENTIAL
or --credential-file.

\b
Examples:
  usherd ask @token.txt /v1/chat/completions gpt-4o
  pass show token | usherd ask - /v1/chat/completions gpt-4o --explain
  USHERD_TOKEN=... usherd ask /v1/models --method GET --json
  usherd ask @token.txt /v1/chat/completions gpt-4o --watch
  usherd ask @token.txt /v1/embeddings text-embedding-3-small --config usherd.yaml
  usherd ask @token.txt /v1/chat/completions gpt-4o --litellm-config config.yaml

Exit codes: 0 ALLOW, 1 DENY, 2 no decision (a fault, or wrong usage); with --watch, of what was told last.
With --json, --watch writes one object a line."""

DEFAULT_SERVER = "127.0.0.1:50051"


def ask(
    words: Annotated[list[str], typer.Argument(metavar="[TOKEN] ROUTE [MODEL]", show_default=False)],
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            "--address",
            envvar="USHERD_SERVER",
            help=f"Address of a server; {DEFAULT_SERVER} unless given.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Answers in this process, by a configuration.")
    ] = None,
    litellm_config: Litellm = None,
    directory: Directory = None,
    litellm_version: Version = LitellmVersion.LATEST,
    ignore: Ignore = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file of the authority behind the server's certificate.")] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM file of the certificate to show as the caller.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its key.")] = None,
    credential_file: Annotated[
        Path | None, typer.Option(help="File with the credential to show as the caller; else USHERD_CREDENTIAL.")
    ] = None,
    method: Annotated[str, typer.Option(help="The HTTP method.")] = "",
    fallback: Annotated[list[str] | None, typer.Option(help="A model to fall back to; may be given again.")] = None,
    team: Annotated[str | None, typer.Option(help="The team wished for, by id.")] = None,
    team_alias: Annotated[str | None, typer.Option(help="The team wished for, by alias.")] = None,
    end_user: Annotated[str, typer.Option(help="The end user's id.")] = "",
    organization: Annotated[str, typer.Option(help="The organization's id.")] = "",
    modifies_guardrails: Annotated[
        bool, typer.Option("--modifies-guardrails", help="The request asks for guardrails of its own.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Shows how each check went.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Goes on, and shows what becomes of the decision; until Ctrl-C.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.01, max=60.0, help="Seconds.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Answers in JSON.")] = False,
) -> None:
    """Asks: may the holder of TOKEN call ROUTE with MODEL?"""
    here = config is not None or litellm_config is not None
    shown = (ca, cert, key, credential_file)
    if here and (any(each is not None for each in shown) or typer_gave(server)):
        fail(
            "a configuration answers in this process; expected it without --server, --ca, --cert and --credential-file"
        )
    if not here and (directory is not None or ignore):
        fail("--directory and --ignore are for --litellm-config; expected that, too")
    if here and watch:
        fail("--watch is for a server; expected it without --config and --litellm-config")
    if team is not None and team_alias is not None:
        fail("expected --team or --team-alias, not both")
    token, route, model = _taken_apart(words)
    question = Question(
        token=token,
        route=route,
        method=method,
        model=model,
        fallback_models=tuple(fallback or ()),
        team_id=team,
        team_alias=team_alias,
        end_user_id=end_user,
        organization_id=organization,
        modifies_guardrails=modifies_guardrails,
    )
    try:
        if here:
            settings = chosen_settings(config, litellm_config, directory, litellm_version, ignore)
            decision = _here(settings, question, explain=explain, timeout=timeout)
        else:
            link = caller_link(ca, cert, key, credential_file)
            if watch:
                raise typer.Exit(_watched(server or DEFAULT_SERVER, link, question, explain, timeout, as_json))
            decision = _there(server or DEFAULT_SERVER, link, question, explain=explain, timeout=timeout)
    except Fault as fault:
        say_json(fault_json(fault)) if as_json else show_fault(fault)
        raise typer.Exit(Exit.NO_ANSWER) from None
    say_json(decision_json(decision)) if as_json else show_decision(decision)
    raise typer.Exit(Exit.YES if allows(decision.verdict) else Exit.NO)


def typer_gave(server: str | None) -> bool:
    """Whether the server was named in the arguments; the environment names one for all commands."""
    return server is not None and server != os.environ.get("USHERD_SERVER")


def _taken_apart(words: list[str]) -> tuple[str, str, str | None]:
    if words[0].startswith("/"):
        token = os.environ.get("USHERD_TOKEN", "")
        if not token:
            fail("expected a token before the route, or USHERD_TOKEN to hold one")
    else:
        token, words = token_from(words[0]), words[1:]
    if not 1 <= len(words) <= 2:
        fail("expected [TOKEN] ROUTE [MODEL]")
    return token, words[0], words[1] if len(words) == 2 else None


def _here(settings: Settings, question: Question, *, explain: bool, timeout: float) -> Decision:
    async def asked() -> Decision:
        async with opened_here(settings) as house:
            return await house.authorizer.authorize(question, explain=explain, patience=timeout)

    return asyncio.run(asked())


def _there(server: str, link: CallerLink, question: Question, *, explain: bool, timeout: float) -> Decision:
    from usherd.rpc.dial import dial

    async def asked() -> Decision:
        async with dial(server, **link) as client:
            return await client.check(question, explain=explain, timeout=timeout)

    with _reached(server):
        return asyncio.run(asked())


def _watched(server: str, link: CallerLink, question: Question, explain: bool, timeout: float, as_json: bool) -> Exit:
    from usherd.cli.watching import watch

    with _reached(server):
        return watch(server, link, question, explain=explain, timeout=timeout, as_json=as_json)


@contextmanager
def _reached(server: str) -> Iterator[None]:
    """Says in plain words that a server is not there, or that its address is none."""
    from usherd.rpc.address import AddressUnusable
    from usherd.rpc.replies import Unreachable

    try:
        yield
    except Unreachable:
        warn(f"nobody answers at {server}; expected a server there, another one by --server, or --config to ask here")
        raise
    except AddressUnusable as error:
        fail(f"--server: {str(error).removeprefix('server.address: ')}")
