"""Runs the real command line, as people and scripts do."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from usherd.__main__ import main
from usherd.cli.dev_issuer import Signer, published
from usherd.cli.dev_people import DIRECTORY_TEXT, config_text

PATIENCE = 60
USHERD = ("-m", "usherd")
"""Python's arguments that run it."""


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without settings of usherd's own, changed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("USHERD_")}
    return kept | dict(changes or {})


def usherd(
    *arguments: object, typed: str = "", env: Mapping[str, str] | None = None, python: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """One finished run of `usherd`."""
    return subprocess.run(
        [sys.executable, *python, "-m", "usherd", *map(str, arguments)],
        input=typed,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def usherd_here(
    *arguments: object, typed: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """As `usherd`, in this process, which saves a start: where a test is about what a command says.

    Not for commands that set up a log, take signals or serve, nor in threads.
    """
    words = ["usherd", *map(str, arguments)]
    read, out, err = (io.TextIOWrapper(io.BytesIO(text), "utf-8") for text in (typed.encode(), b"", b""))
    code = None
    with (
        patch.object(sys, "argv", words),
        patch.object(sys, "stdin", read),
        patch.dict(os.environ, environment(env), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    said = []
    for stream in (out, err):
        stream.seek(0)
        said.append(stream.read())
    assert code is None or isinstance(code, int), code
    return subprocess.CompletedProcess(words, code or 0, *said)


@contextmanager
def company(folder: Path, address: str = "127.0.0.1:0") -> Iterator[tuple[Signer, Path]]:
    """An issuer that runs, and the path of a configuration that knows it."""
    with published() as signer:
        (folder / "directory.yaml").write_text(DIRECTORY_TEXT, "utf-8")
        config = folder / "usherd.yaml"
        config.write_text(config_text(signer.issuer, address=address), "utf-8")
        yield signer, config


@contextmanager
def server(config: Path, *, python: tuple[str, ...] = ()) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that runs, and its address; killed at the end if it has not ended by then."""
    with (config.parent / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *python, "-m", "usherd", "serve", "--config", str(config)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip().rpartition(" ")[2]
        assert address, (config.parent / "server.log").read_text()
        yield process, address
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@asynccontextmanager
async def server_beside(
    config: Path, *, program: Sequence[str] = USHERD, env: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """As `server`, beside what else the event loop does; at the end it is told to end, and killed if it does not."""
    with (config.parent / "server.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *program, "serve", "--config", str(config)),
            env=environment(env),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            address = (await process.stdout.readline()).decode().strip().rpartition(" ")[2]
        assert address, (config.parent / "server.log").read_text()
        yield process, address
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()
