"""A daemon that is looked at: with an issuer that runs, metrics, a candidate policy, and a lax option."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import company, server
from tools.log_lines import log_events
from usher_client import Client
from usherd.cli.dev_people import PEOPLE, token_of

CHAT = "/v1/chat/completions"
PATIENCE = 30.0
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def watched(folder: Path, *, kept: bool = False) -> Iterator[str]:
    """Where its metrics are, once it has allowed and denied. `kept`: its directory is in a database."""
    with company(folder) as (signer, config):
        telemetry = "{metrics: '127.0.0.1:0', log: json, decision_log: {file: decisions.jsonl}}"
        more = f"\ntelemetry: {telemetry}\naccess: {{shadow: litellm}}\n"
        text = config.read_text("utf-8") + more
        if kept:
            assert text.count("{seed: directory.yaml}") == 1, text
            text = text.replace("{seed: directory.yaml}", "{url: 'sqlite:///kept.db', seed: directory.yaml}")
        config.write_text(text, "utf-8")
        with server(config) as (_, address), Client(address) as client:
            token = token_of(PEOPLE["alice"], signer)
            for model in ("gpt-4o", "gpt-4o", "none"):
                client.authorize(token, CHAT, model, deadline=10.0)
            yield metrics_address(folder)


def metrics_address(folder: Path) -> str:
    """Where a daemon says in its log that metrics are."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in log_events(folder / "server.log"):
            if event["event"] == "metrics_served":
                return str(event["address"])
        time.sleep(0.05)
    raise AssertionError("metrics are served nowhere")


def scraped(address: str, path: str = "/metrics") -> str:
    """The page, whatever its status."""
    return fetched(address, path)[1]


def fetched(address: str, path: str = "/metrics", accept: str = "") -> tuple[int, str]:
    """Status and page."""
    request = urllib.request.Request(f"http://{address}{path}", headers={"accept": accept} if accept else {})
    try:
        with _NO_PROXY.open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
