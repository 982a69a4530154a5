"""`usherd config`: checks a configuration, or shows what it means and what one may hold."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from usherd.cli import config_reference, config_show
from usherd.cli.console import HELP, Exit, fail, say, say_json, warn
from usherd.cli.litellm import Ignore, LitellmVersion, Version, checked, imported
from usherd.config.problems import ConfigError, Problem

if TYPE_CHECKING:
    from usherd.config.settings import Settings

app = typer.Typer(help="Checks configurations.", no_args_is_help=True, **HELP)

_CHECK_EXAMPLES = """\b
Examples:
  usherd config check usherd.yaml
  usherd config check usherd.yaml --json

Exit codes: 0 it loads, 2 it does not; then every mistake is one line, FILE:LINE: KEY: what is wrong."""

_SCHEMA_EXAMPLES = """\b
Examples:
  usherd config schema > usherd.schema.json
  usherd config schema --directory > directory.schema.json
  usherd config schema --stories > stories.schema.json"""

_IMPORT_EXAMPLES = """\b
Examples:
  usherd config import-litellm config.yaml --out usherd.yaml
  usherd config import-litellm config.yaml --litellm-version 1.63 --ignore allowed_ips

LiteLLM's environment is read as well: JWT_PUBLIC_KEY_URL, JWT_AUDIENCE, JWT_ISSUER and what os.environ/NAME names.
Exit codes: 0 it was written, 2 LiteLLM would not take it, or usherd cannot mean the same; every reason is one line."""


@app.command("check", epilog=_CHECK_EXAMPLES)
def check(
    file: Annotated[Path, typer.Argument(help="The configuration file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Answers in JSON.")] = False,
) -> None:
    """Checks a configuration as `serve` would, without fetching anything."""
    from usherd.config.load import load

    try:
        settings = load(file)
    except ConfigError as error:
        _refuse(error.problems, as_json=as_json)
    if text := _unusable(settings):
        _refuse([Problem(str(file), 0, "", text)], as_json=as_json)
    policy, rows = settings.policy, settings.directory
    if as_json:
        say_json(
            {
                "valid": True,
                "digest": policy.digest,
                "issuers": [issuer.name for issuer in policy.issuers],
                "warnings": list(policy.warnings),
            }
        )
        return
    for warning in policy.warnings:
        warn(warning)
    say(f"{file} is valid", "yes")
    say(f"  issuers  {', '.join(issuer.name for issuer in policy.issuers)}")
    rules = (_count(policy.roles, "role"), _count(policy.admin, "admin rule"), _count(policy.models, "model"))
    people = (_count(rows.teams, "team"), _count(rows.users, "user"), _count(rows.organizations, "organization"))
    say(f"  rules    {', '.join(rules)}")
    say(f"  people   {', '.join(people)}")
    say(f"  digest   {policy.digest}")


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")


def _refuse(problems: Sequence[Problem], *, as_json: bool) -> NoReturn:
    if not as_json:
        fail("\n".join(map(str, problems)))
    told = [{"file": each.file, "line": each.line, "key": each.key, "problem": each.text} for each in problems]
    say_json({"valid": False, "problems": told})
    raise typer.Exit(Exit.NO_ANSWER)


def _unusable(settings: Settings) -> str | None:
    """What is wrong beyond the file itself: keys that it gives, the address, TLS."""
    # Only now: the house takes longer to import than a file that does not load takes to refuse.
    from usherd.app import check as check_house
    from usherd.call_listeners import DecisionLogUnusable
    from usherd.rpc.address import AddressUnusable
    from usherd.rpc.tls import TlsUnusable
    from usherd.stores.key_sets import GivenKeysUnusable

    try:
        check_house(settings)
    except (GivenKeysUnusable, AddressUnusable, TlsUnusable, DecisionLogUnusable) as error:
        return str(error)
    return None


app.command("show", epilog=config_show.SHOW_EXAMPLES)(config_show.show)
app.command("diff", epilog=config_show.DIFF_EXAMPLES)(config_show.diff)
app.command("reference", epilog=config_reference.EXAMPLES)(config_reference.reference)


@app.command("schema", epilog=_SCHEMA_EXAMPLES)
def schema(
    directory: Annotated[bool, typer.Option("--directory", help="That of a directory file.")] = False,
    stories: Annotated[bool, typer.Option("--stories", help="That of a file of stories.")] = False,
) -> None:
    """Shows the JSON schema of a configuration, for editors."""
    from usherd.config.json_schema import json_schema, stories_schema

    if directory and stories:
        fail("expected --directory or --stories, not both")
    say_json(stories_schema() if stories else json_schema(directory=directory))


@app.command("import-litellm", epilog=_IMPORT_EXAMPLES)
def import_litellm(
    file: Annotated[Path, typer.Argument(metavar="CONFIG", help="LiteLLM's config.yaml.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A new file; standard output unless given.")] = None,
    litellm_version: Version = LitellmVersion.LATEST,
    ignore: Ignore = None,
) -> None:
    """Makes a configuration of LiteLLM's, with `preset: litellm`, that says where strict would differ."""
    from usherd.config.litellm.files import text_of

    found = imported(file, litellm_version, ignore)
    checked(found, file)
    text = text_of(found, file, litellm_version.value)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        with out.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        fail(f"{out}: cannot be written: {error.strerror or 'unknown error'}")
    say(f"{out} is written", "yes")
