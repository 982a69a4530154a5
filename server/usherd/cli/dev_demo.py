"""Shows usherd at work: an issuer, a server in a process of its own, and real questions over gRPC."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table

from usherd.cli.console import console, styled
from usherd.cli.dev_issuer import Signer, published
from usherd.cli.dev_people import DIRECTORY_TEXT, PEOPLE, config_text, token_of
from usherd.decide import allows
from usherd.domain import Decision, Question
from usherd.errors import Fault
from usherd.reasons import Reason

_START_PATIENCE = 30.0
_STOP_PATIENCE = 15.0
_ROOMY = 130
"""Columns of a terminal on which there is room for what each answer shows."""
CHAT = "/v1/chat/completions"


class DemoFailed(Exception):
    """The server did not come up. The text says so in one line."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One question, and the answer that it must get."""

    who: str
    method: str
    route: str
    model: str | None
    reason: Reason
    shows: str


SCENES = (
    Scene("alice", "POST", CHAT, "gpt-4o", Reason.ALLOWED, "her team may use it"),
    Scene("alice", "POST", CHAT, "cheap", Reason.ALLOWED, "an alias of gpt-4o-mini"),
    Scene("alice", "POST", CHAT, "o3", Reason.MODEL_NOT_GRANTED, "her team may, the organization's ceiling does not"),
    Scene("alice", "POST", CHAT, None, Reason.MODEL_REQUIRED, "this route means nothing without a model"),
    Scene("alice", "POST", "/key/generate", None, Reason.ROUTE_NOT_GRANTED, "management is for administrators"),
    Scene("alice", "POST", "/v1/chat/../../key/generate", None, Reason.ROUTE_AMBIGUOUS, "no route is repaired"),
    Scene("ada", "POST", "/key/generate", None, Reason.ALLOWED, "the admin scope"),
    Scene("reader", "POST", "/v1/embeddings", "text-embedding-3-small", Reason.ALLOWED, "a service with a named role"),
    Scene("reader", "POST", CHAT, "gpt-4o", Reason.MODEL_NOT_GRANTED, "the role grants embeddings only"),
    Scene("bob", "POST", CHAT, "gpt-4o", Reason.USER_BLOCKED, "blocked in the directory"),
    Scene("mallory", "POST", CHAT, "gpt-4o", Reason.NOT_ENTITLED, "a genuine token is not yet a right"),
    Scene("olivia", "POST", CHAT, "gpt-4o", Reason.AUDIENCE_MISMATCH, "a token for another service"),
    Scene("rip", "POST", CHAT, "gpt-4o", Reason.TOKEN_EXPIRED, "an hour too late"),
    Scene("eve", "POST", CHAT, "gpt-4o", Reason.SIGNATURE_INVALID, "signed with a key of her own"),
    Scene("", "POST", CHAT, "gpt-4o", Reason.TOKEN_MISSING, "nobody in particular"),
    Scene("", "GET", "/health/liveliness", None, Reason.PUBLIC_ROUTE, "a public route"),
)


@contextmanager
def stage(folder: Path, signer: Signer) -> Iterator[str]:
    """A server for the sample company; gives its address. Raises DemoFailed."""
    (folder / "directory.yaml").write_text(DIRECTORY_TEXT, "utf-8")
    config = folder / "usherd.yaml"
    config.write_text(config_text(signer.issuer, address="127.0.0.1:0"), "utf-8")
    command = [sys.executable, "-m", "usherd", "serve", "--config", str(config)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("USHERD_")}
    with (folder / "usherd.log").open("w", encoding="utf-8") as log:
        # Its own session: a Ctrl-C here must not reach it before this process ends it in order.
        server = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True, start_new_session=True
        )
    try:
        yield _address(server)
    finally:
        server.terminate()
        try:
            server.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        if server.stdout is not None:
            server.stdout.close()


def _address(server: subprocess.Popen[str]) -> str:
    alarm = threading.Timer(_START_PATIENCE, server.kill)
    alarm.start()
    try:
        line = server.stdout.readline() if server.stdout is not None else ""
    finally:
        alarm.cancel()
    address = line.strip().rpartition(" ")[2]
    if not address:
        raise DemoFailed("the server did not start")
    return address


def show(address: str, signer: Signer) -> bool:
    """Asks every question, shows every answer; whether all were as they must be."""
    answers = asyncio.run(_ask_all(address, signer))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    out = console()
    columns = ["who", "asks for", "model", "answer", "reason", "shows"]
    for column in columns if out.width >= _ROOMY else columns[:-1]:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    right = True
    for scene, answer in zip(SCENES, answers, strict=True):
        as_expected = isinstance(answer, Decision) and answer.verdict.reason is scene.reason
        right = right and as_expected
        if isinstance(answer, Decision):
            allowed = allows(answer.verdict)
            effect, reason = styled(answer.verdict.effect.name, "yes" if allowed else "no"), answer.verdict.reason.name
        else:
            effect, reason = styled("NO DECISION", "fault"), answer.reason.name
        shows = scene.shows if as_expected else f"EXPECTED {scene.reason.name}"
        asked = f"{scene.method} {scene.route}"
        cells = [styled(scene.who or "-"), styled(asked), styled(scene.model or "-"), effect, styled(reason)]
        table.add_row(*[*cells, styled(shows)][: len(table.columns)])
    out.print(table)
    return right


async def _ask_all(address: str, signer: Signer) -> list[Decision | Fault]:
    from usherd.rpc.dial import dial

    async with dial(address) as client:
        answers: list[Decision | Fault] = []
        for scene in SCENES:
            token = token_of(PEOPLE[scene.who], signer) if scene.who else ""
            question = Question(token=token, method=scene.method, route=scene.route, model=scene.model)
            try:
                answers.append(await client.check(question, timeout=10.0))
            except Fault as fault:
                answers.append(fault)
        return answers


@contextmanager
def running() -> Iterator[tuple[Signer, str, Path]]:
    """The whole demonstration: (signer, address of the server, folder of its files). Raises DemoFailed."""
    with tempfile.TemporaryDirectory(prefix="usherd-demo-") as name, published() as signer:
        folder = Path(name)
        with stage(folder, signer) as address:
            yield signer, address, folder
