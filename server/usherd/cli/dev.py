"""`usherd dev`: an identity provider and a demonstration, to try usherd without having either."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from usherd.cli import dev_demo
from usherd.cli.console import HELP, Exit, fail, say, say_json, warn
from usherd.cli.dev_issuer import HOST, Signer, published
from usherd.cli.dev_people import DIRECTORY_TEXT, KEPT, PEOPLE, config_text, token_of
from usherd.cli.dev_state import StateUnusable, remembered, running

_EXAMPLES = """\b
Examples:
  usherd dev                    an issuer on this machine, until Ctrl-C; shows a configuration to paste
  usherd dev --into try         the same, and writes the configuration
  usherd dev token alice        a token of that issuer, good for an hour
  usherd dev demo               an issuer and a server, and questions with their answers"""

app = typer.Typer(
    help="An issuer and a demonstration, for this machine only.", epilog=_EXAMPLES, invoke_without_command=True, **HELP
)


@app.callback()
def dev(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The issuer's port; 0: any free one.")] = 8088,
    into: Annotated[
        Path | None, typer.Option(help="A folder in which usherd.yaml and directory.yaml are written.")
    ] = None,
) -> None:
    """Runs a signing issuer on loopback until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    try:
        with published(port) as signer, remembered(signer):
            texts = {"usherd.yaml": config_text(signer.issuer, directory=KEPT), "directory.yaml": DIRECTORY_TEXT}
            if into is not None:
                _write(into, texts)
                say(f"An issuer runs at {signer.issuer}. {' and '.join(texts)} are written in {into}.")
            else:
                say(f"An issuer runs at {signer.issuer}. Save this as usherd.yaml (--into FOLDER does it):")
                say()
                _say_lines(texts["usherd.yaml"])
                say("and this as directory.yaml beside it:")
                say()
                _say_lines(texts["directory.yaml"])
            where = Path("usherd.yaml") if into is None else into / "usherd.yaml"
            say(f"Then: usherd serve --config {where}; tokens: usherd dev token {' | '.join(PEOPLE)}")
            _wait_for_the_end()
    except StateUnusable as error:
        fail(str(error))
    except OSError as error:
        fail(f"{HOST}:{port}: {error.strerror or 'cannot be used'}; expected a free port (--port, 0 for any)")


@app.command("token", epilog="\b\nExample:\n  usherd dev token alice | usherd ask - /v1/chat/completions gpt-4o")
def token(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help=f"One of {', '.join(PEOPLE)}.")],
    issuer: Annotated[str, typer.Option(metavar="URL", help="Which one, where several run.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Answers in JSON: names and tokens.")] = False,
) -> None:
    """Makes tokens of the issuer that `usherd dev` runs."""
    if unknown := [name for name in names if name not in PEOPLE]:
        fail(f"nobody is called {unknown[0]}; expected {', '.join(PEOPLE)}")
    signer = _signer(issuer)
    tokens = {name: token_of(PEOPLE[name], signer) for name in names}
    if as_json:
        say_json(tokens)
        return
    for text in tokens.values():
        sys.stdout.write(f"{text}\n")


def _signer(issuer: str) -> Signer:
    """That of the issuer, or of the only one that runs."""
    try:
        signers = running()
    except StateUnusable as error:
        fail(str(error))
    if not signers:
        fail("no issuer runs; expected `usherd dev` in another terminal")
    if issuer and issuer not in signers:
        fail(f"--issuer: {issuer} does not run; expected {' or '.join(signers)}")
    if not issuer and len(signers) > 1:
        fail(f"several issuers run; expected --issuer {' or '.join(signers)}")
    return signers[issuer] if issuer else next(iter(signers.values()))


@app.command("demo", epilog="Exit codes: 0 every answer was as it must be, 2 otherwise.")
def demo(
    stay: Annotated[
        bool | None, typer.Option("--stay/--no-stay", help="Goes on serving until Ctrl-C; on a terminal, unless told.")
    ] = None,
) -> None:
    """Starts an issuer and a server, asks questions, and shows the answers."""
    # Ending without a handler would leave the server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.NO_ANSWER))
    try:
        with dev_demo.running() as (signer, address, folder):
            say(f"issuer {signer.issuer}, usherd {address}, configuration {folder / 'usherd.yaml'}", "dim")
            say()
            right = dev_demo.show(address, signer)
            say()
            if not right:
                warn("an answer was not as it must be")
                raise typer.Exit(Exit.NO_ANSWER)
            say(f"All {len(dev_demo.SCENES)} answers were as they must be.", "yes")
            if stay if stay is not None else sys.stdout.isatty():
                _stay(signer, address)
    except dev_demo.DemoFailed as error:
        fail(str(error))


def _stay(signer: Signer, address: str) -> None:
    with _remembered_if_possible(signer):
        say("It serves until Ctrl-C. In another terminal:")
        say(f"  usherd dev token alice | usherd ask - /v1/chat/completions gpt-4o --explain --server {address}")
        _wait_for_the_end()


@contextlib.contextmanager
def _remembered_if_possible(signer: Signer) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(remembered(signer))
        except (StateUnusable, OSError):
            warn("usherd dev token will not work: the folder for the issuer's key cannot be used")
        yield


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """New files, or none: whoever has a usherd.yaml wants to keep it."""
    if there := [name for name in texts if (folder / name).exists()]:
        fail(f"{folder / there[0]}: is there already; expected a folder without")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        fail(f"{folder}: cannot be written: {error.strerror or 'unknown error'}")


def _say_lines(text: str) -> None:
    for line in text.splitlines():
        say(f"    {line}")
    say()


def _wait_for_the_end() -> None:
    """Returns on Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: ended.set())
    # A wait without a timeout would not let the handler run on every platform.
    while not ended.wait(0.5):
        pass
