"""`usherd revoke`: revokes a token, or those of a subject or issuer, on a server that runs."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

import typer

from usherd.changes import Lookup, Sought
from usherd.cli.caller import caller_link
from usherd.cli.console import fail, say, say_json, token_from
from usherd.cli.directory_link import DEFAULT_SERVER, AsJson, Ca, Cert, CredentialFile, Key, Server, Timeout
from usherd.cli.links import done
from usherd.cli.revocations import revocation_json, show
from usherd.config.problems import Unusable
from usherd.config.scalars import seconds
from usherd.revocation_store import Revocation

EXAMPLES = """\b
TOKEN is - for standard input, or @FILE: in the arguments every user of the machine could see it.
It must be genuine still. Everything else is named by its words:
  --token-id ID                    one token, as decisions and the decision log name it
  --issuer NAME --jti JTI          one token, as its issuer names it
  --issuer NAME --subject SUBJECT  all tokens of somebody that were issued before --before (now)
  --issuer NAME                    all tokens of an issuer that were issued before --before (now)
NAME is the issuer's name in the configuration.

\b
Examples:
  pass show leaked | usherd revoke - --note "in a public repository"
  usherd revoke @token.txt
  usherd revoke --issuer corp --subject alice
  usherd revoke --issuer corp --before 2026-05-01T08:00:00Z --note "keys were stolen"
  usherd revoke --issuer corp --jti 7f9c --keep 30d --json

Exit codes: 0 it is revoked, 2 it is not (a fault, or wrong usage)."""


def revoke(
    ctx: typer.Context,
    token: Annotated[str | None, typer.Argument(metavar="[TOKEN]", show_default=False)] = None,
    issuer: Annotated[str, typer.Option(help="The issuer's name in the configuration.")] = "",
    jti: Annotated[str, typer.Option(help="The issuer's id of a token.")] = "",
    subject: Annotated[str, typer.Option(help="Whose tokens: their claim sub, or their user id.")] = "",
    token_id: Annotated[str, typer.Option(help="The id of a token in decisions.")] = "",
    before: Annotated[
        str, typer.Option(help="Only those issued before: a moment (RFC 3339), or a duration back from now, as 10m.")
    ] = "",
    keep: Annotated[
        str, typer.Option(help="Keeps it at least until then: a duration from now, as 30d, or a moment (RFC 3339).")
    ] = "",
    note: Annotated[str, typer.Option(help="What operators want to read beside it; no tokens, no secrets.")] = "",
    request_id: Annotated[str, typer.Option(help="Makes it safe to repeat; takes moments, and no durations.")] = "",
    server: Server = DEFAULT_SERVER,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    credential_file: CredentialFile = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Revokes TOKEN, or the tokens that the options name."""
    _demand_given(ctx)
    which = _which(issuer, jti, subject, token_id)
    if (token is None) == (which is None):
        fail("expected TOKEN, or --token-id, or --issuer (alone, or with --jti or --subject)")
    if before and (which is None or which.sought not in (Sought.SUBJECT, Sought.ISSUER)):
        fail("--before: one token is meant, whenever it was issued; expected it with --issuer or --subject")
    if token is not None and token != "-" and not token.startswith("@"):  # noqa: S105 (no password)
        fail("a token in the arguments can be seen by every user of this machine; expected - or @FILE")
    moment = _moment("--before", before, -1, repeatable=bool(request_id))
    until = _moment("--keep", keep, 1, repeatable=bool(request_id))
    link = caller_link(ca, cert, key, credential_file)
    text = "" if token is None else _sendable(token_from(token))

    async def work() -> tuple[Revocation | None, str]:
        from usherd.rpc.revocation.dial import ToRevoke, dial

        what = ToRevoke(
            token=text, which=which, issued_before=moment, keep_until=until, note=note, request_id=request_id
        )
        async with dial(server, timeout=timeout, **link) as client:
            return await client.revoke(what)

    revocation, revision = done(server, work, as_json=as_json)
    if as_json:
        say_json({"revocation": revocation and revocation_json(revocation), "revision": revision})
    elif revocation is None:
        say("REVOKED before, by the same request; it has changed or gone since")
    else:
        show(revocation, "REVOKED")


def _demand_given(ctx: typer.Context) -> None:
    # A variable of a script that has nothing in it would revoke all of an issuer's tokens instead of one user's.
    for name in ("issuer", "jti", "subject", "token_id", "before", "keep"):
        source = ctx.get_parameter_source(name)
        if ctx.params[name] == "" and source is not None and source.name != "DEFAULT":
            fail(f"--{name.replace('_', '-')}: is empty; expected a value, or not to be there")


def _which(issuer: str, jti: str, subject: str, token_id: str) -> Lookup | None:
    if sum(map(bool, (jti, subject, token_id))) > 1 or (token_id and issuer):
        fail("expected one of --token-id, --jti and --subject, the latter two with --issuer")
    if (jti or subject) and not issuer:
        fail("expected --issuer with --jti and --subject: another issuer's may be called the same")
    if token_id:
        return Lookup(Sought.TOKEN, (token_id,))
    if jti:
        return Lookup(Sought.JTI, (issuer, jti))
    if subject:
        return Lookup(Sought.SUBJECT, (issuer, subject))
    return Lookup(Sought.ISSUER, (issuer,)) if issuer else None


def _sendable(token: str) -> str:
    # What is no text is no token either; it is never shown.
    return token if token.isascii() else fail("TOKEN: expected the ASCII letters of a token")


def _moment(option: str, text: str, way: int, *, repeatable: bool) -> float | None:
    """The moment that the option names, itself or by a duration from now on (`way` 1) or back (-1); None: none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        duration = _duration(option, text)
        if repeatable:
            # The same words would be another request each time, and be refused for its id.
            fail(f"{option}: counts from now; expected a moment with --request-id, as 2026-05-01T08:00:00Z")
        return time.time() + way * duration
    if found.tzinfo is None:
        fail(f"{option}: expected a moment with its zone, as 2026-05-01T08:00:00Z")
    return found.timestamp()


def _duration(option: str, text: str) -> float:
    try:
        return seconds(text)
    except Unusable as error:
        fail(f"{option}: {error}")
