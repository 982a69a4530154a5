"""`usherd token`: shows what a token says, and whether it is genuine."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from usherd.cli.console import HELP, Exit, console, escaped, say, say_json, styled, token_from
from usherd.cli.decision_view import instant
from usherd.cli.settings import opened_here, settings_of
from usherd.errors import Fault, Refusal
from usherd.reasons import Reason

if TYPE_CHECKING:
    from usherd.authenticate.compact import Compact
    from usherd.config.settings import Settings
    from usherd.domain import VerifiedToken
    from usherd.policy import Policy

app = typer.Typer(help="Looks at tokens.", no_args_is_help=True, **HELP)

_EXAMPLES = """\b
TOKEN is the token itself, - for standard input, or @FILE. Claims are shown as they are: mind who looks on.

\b
Examples:
  usherd token inspect @token.txt
  pass show token | usherd token inspect - --config usherd.yaml

Exit codes: 0 it has the form of a token (with --config: it is genuine), 1 it has not, 2 that cannot be told."""

_TIMES = ("iat", "nbf", "exp", "auth_time")
_MAX_SIZE = 64 * 1024
_NOT_VERIFIED = "NOT VERIFIED"


@app.command("inspect", epilog=_EXAMPLES)
def inspect(
    token: Annotated[str, typer.Argument(metavar="TOKEN")],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Verifies it under a configuration.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answers in JSON.")] = False,
) -> None:
    """Shows a token's header and claims, never its signature. Without --config nothing of it is verified."""
    from usherd.authenticate.compact import check_size, take_apart

    settings = None if config is None else settings_of(config)
    text = token_from(token)
    try:
        compact = take_apart(check_size(text, _MAX_SIZE if settings is None else settings.policy.token_max_size))
    except Refusal as refusal:
        if settings is None or not _takes_opaque(settings):
            _show(None, verified=False, why=refusal.reason.name, note=refusal.note, as_json=as_json)
            raise typer.Exit(Exit.NO) from None
        compact = None
    if settings is None:
        _show(compact, verified=False, why="no configuration was given to verify it by", note="", as_json=as_json)
        return

    async def verify() -> VerifiedToken:
        async with opened_here(settings) as house:
            return await house.verifier.verify(text, patience=5.0)

    try:
        genuine = asyncio.run(verify())
    except Refusal as refusal:
        _show(compact, verified=False, why=refusal.reason.name, note=refusal.note, as_json=as_json)
        if not as_json:
            _say_expected(refusal, settings.policy)
        raise typer.Exit(Exit.NO) from None
    except Fault as fault:
        _show(compact, verified=False, why=fault.reason.name, note=fault.message, as_json=as_json)
        raise typer.Exit(Exit.NO_ANSWER) from None
    why = f"a genuine token of the issuer {genuine.issuer}"
    # What an issuer was asked about is what it said, whatever stands in the token.
    _show(compact, verified=True, why=why, note="", as_json=as_json, said=genuine.claims)


def _takes_opaque(settings: Settings) -> bool:
    rules = [issuer.introspection for issuer in settings.policy.issuers]
    return any(each is not None and each.opaque_prefixes for each in rules)


def _show(
    compact: Compact | None,
    *,
    verified: bool,
    why: str,
    note: str,
    as_json: bool,
    said: Mapping[str, object] | None = None,
) -> None:
    header = {} if compact is None else _header(compact)
    claims: dict[str, Any] = dict(said) if said is not None else {} if compact is None else dict(compact.claims)
    if as_json:
        say_json({"verified": verified, "why": why, "note": note, "header": header, "claims": claims})
        return
    state = styled("VERIFIED", "yes") if verified else styled(_NOT_VERIFIED, "no")
    console().print(Text.assemble(state, escaped(f"  {why}{': ' + note if note else ''}")))
    for name, members in (("header", header), ("claims", claims)):
        if members:
            say(name, "dim")
            for key, value in members.items():
                say(f"  {key}  {json.dumps(value, ensure_ascii=False)}{_when(key, value)}")


def _say_expected(refusal: Refusal, policy: Policy) -> None:
    """What the configuration has, where a token most often has something else: it is compared letter by letter."""
    if refusal.reason is Reason.ISSUER_UNKNOWN:
        expected = ("iss", [issuer.token.issuer for issuer in policy.issuers])
    elif refusal.reason is Reason.AUDIENCE_MISMATCH:
        rules = (issuer.token for issuer in policy.issuers if issuer.name == refusal.issuer)
        expected = ("aud", sorted(audience for each in rules for audience in each.audiences or ()))
    else:
        return
    claim, values = expected
    say("the configuration has", "dim")
    say(f"  {claim}  {' or '.join(json.dumps(value, ensure_ascii=False) for value in values)}")


def _header(compact: Compact) -> dict[str, Any]:
    header = compact.header
    members = {"alg": header.algorithm, "kid": header.kid, "typ": header.type}
    return {name: value for name, value in members.items() if value is not None}


def _when(name: str, value: object) -> str:
    if name not in _TIMES or isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    away = value - time.time()
    span = f"{abs(away):,.0f} s {'from now' if away > 0 else 'ago'}"
    return f"  ({instant(value)}, {span})"
