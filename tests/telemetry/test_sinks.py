"""Nothing of tokens, claims and questions is in anything that a daemon writes or sends, but what was asked for by name.

The daemon is a real one, tells all that it can, is asked in every way that fails, and dies in the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from tools.canaries import (
    ASKED,
    CALLER,
    CLAIMS,
    METADATA,
    REQUEST_ID,
    SECRETS,
    ask_in_every_way,
    broken_keys,
    canaries,
    config,
    tokens,
)
from tools.otlp_sink import Sink, sink

PATIENCE = 60.0


class Ended(NamedTuple):
    """A daemon that is no more, and what is left of it."""

    folder: Path
    spans: Sink
    pages: str
    """What it said over HTTP before it died."""


SINKS: dict[str, Callable[[Ended], str]] = {
    "standard output": lambda ended: (ended.folder / "out").read_text(),
    "standard error": lambda ended: (ended.folder / "err").read_text(),
    "decision log": lambda ended: (ended.folder / "decisions.jsonl").read_text(),
    "metrics": lambda ended: ended.pages,
    "spans": lambda ended: "\n".join(map(str, ended.spans.requests)) + str(ended.spans.headers),
}
"""Everything that a daemon writes or sends. A new one belongs here."""

NAMED = {
    "decision log": {ASKED["route"], ASKED["model"], CLAIMS["department"]},
    # It is the receiver's own.
    "spans": {SECRETS["receiver"][:24]},
}
"""What the configuration (`canaries.config`) asks for by name: it must be there, and in no other place."""

REACHED: dict[str, tuple[str, ...]] = {
    "standard error": (
        "internal_fault",
        "library_error",
        "library_warning",
        "no_decision",
        '"decision"',
        REQUEST_ID,
        CALLER,
        "introspection_failed",
        "shared_cache_failed",
        "Fatal Python error",
    ),
    "decision log": ("ALLOWED", "SIGNATURE_INVALID", "TEAM_NOT_ALLOWED", "TOKEN_INACTIVE", REQUEST_ID, CALLER),
    "metrics": ("usherd_decisions_total", "TEAM_NOT_ALLOWED", "usherd_decision_log_written_total"),
    "spans": ("usherd.decision_id", "UNAVAILABLE", "INTERNAL", REQUEST_ID, CALLER),
}
"""Words that show that a sink was really written to, and that each way was gone."""


@pytest.mark.parametrize(
    ("death", "loud"),
    [(signal.SIGABRT, {"GRPC_VERBOSITY": "debug"}), (signal.SIGSEGV, {"PYTHONASYNCIODEBUG": "1"})],
    ids=["abort", "segv"],
)
async def test_no_sink_of_a_daemon_that_tells_all_it_can_holds_a_canary(
    tmp_path: Path, death: signal.Signals, loud: dict[str, str]
) -> None:
    asked = tokens()
    async with broken_keys() as keys_at, sink("http/protobuf") as spans:
        config(tmp_path, keys_at, spans)
        process, address = await _started(tmp_path, loud)
        try:
            async with grpc.aio.insecure_channel(address, options=(("grpc.enable_retries", 0),)) as channel:
                codes = await ask_in_every_way(channel, asked)
            # Decisions are written and spans are sent a moment later.
            async with asyncio.timeout(PATIENCE):
                before = -1
                while len(spans.spans) != before or before == 0:
                    before = len(spans.spans)
                    await asyncio.sleep(3)
            pages = await asyncio.to_thread(_pages, tmp_path, asked["good"])
        finally:
            process.send_signal(death)
            await process.wait()
    ended = Ended(tmp_path, spans, pages)

    code = grpc.StatusCode
    assert codes == {
        code.OK,
        code.INVALID_ARGUMENT,
        code.UNAUTHENTICATED,
        code.PERMISSION_DENIED,
        code.UNAVAILABLE,
        code.INTERNAL,
    }
    for name, read in SINKS.items():
        text = read(ended)
        found = {
            what for what, canary in canaries(asked).items() if canary in text and canary not in NAMED.get(name, ())
        }
        assert found == set(), name
        assert [word for word in (*REACHED.get(name, ()), *NAMED.get(name, ())) if word not in text] == [], name
        # No token of any kind, whoever made it.
        assert re.search(r"eyJ[A-Za-z0-9_-]{20,}", text) is None, name


def _pages(folder: Path, token: str) -> str:
    """All that is said over HTTP: each page, in both forms, and what is said of pages that there are not."""
    lines = (folder / "err").read_text().splitlines()
    (address,) = [json.loads(line)["address"] for line in lines if '"metrics_served"' in line]
    said = ""
    for path in ("/metrics", "/healthz", "/readyz", f"/{token[:500]}", f"/metrics?{token[:500]}"):
        for form in ("text/plain", "application/openmetrics-text; version=1.0.0"):
            connection = HTTPConnection(address, timeout=PATIENCE)
            connection.request("GET", path, headers={"accept": form, "authorization": token[:500], **METADATA})
            answer = connection.getresponse()
            said += f"{answer.status} {answer.getheaders()}\n{answer.read().decode()}\n"
            connection.close()
    return said


async def _started(folder: Path, loud: dict[str, str]) -> tuple[asyncio.subprocess.Process, str]:
    paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "usherd", "serve", "--config", str(folder / "usherd.yaml")),
            stdout=out,
            stderr=err,
            env=os.environ | loud | {"PYTHONPATH": paths, "PYTHONFAULTHANDLER": "1"},
            cwd=folder,
        )
    try:
        async with asyncio.timeout(PATIENCE):
            while not (said := (folder / "out").read_text()).endswith("\n"):
                assert process.returncode is None, (folder / "err").read_text()
                await asyncio.sleep(0.05)
    except BaseException:
        if process.returncode is None:
            process.kill()
        raise
    return process, said.strip().rpartition(" ")[2]
