"""A daemon whose files a test changes while it answers: one issuer, and one team that may use gpt-4o."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

from commands import server
from keyring import KeyPair, key_pair, key_set
from tools.log_lines import log_events
from tools.waiting import until
from usher_client import Client

ROUTE = "/v1/chat/completions"
PAIR = key_pair("Ed25519", "k1")


class Daemon:
    """A server that runs, its files, and a client."""

    process: Popen[str]
    client: Client
    address: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.issuer: dict[str, Any] = {
            "name": "idp",
            "issuer": "https://idp.example",
            "audiences": ["gateway"],
            "keys": {"jwks_file": "keys.json"},
            "claims": {"teams": "groups"},
        }
        self.write("keys.json", key_set(PAIR))
        self.write("directory.yaml", {"teams": [{"id": "red", "models": ["gpt-4o"]}]})
        self.configure()

    def write(self, name: str, content: Any) -> None:
        (self.folder / name).write_text(json.dumps(content))

    def configure(self, *, issuer: dict[str, Any] | None = None, **keys: Any) -> None:
        common = {
            "issuers": [self.issuer | (issuer or {})],
            "teams": {"routes": [ROUTE]},
            "directory": {"seed": "directory.yaml"},
            "server": {"address": "127.0.0.1:0"},
        }
        self.write("usherd.yaml", common | keys)

    def token(self, pair: KeyPair = PAIR, **claims: Any) -> str:
        now = int(time.time())
        valid = {"iss": "https://idp.example", "aud": "gateway", "sub": "alice", "iat": now, "exp": now + 600}
        return pair.token(valid | {"groups": ["red"]} | claims)

    def reason(self, token: str) -> str:
        return self.client.authorize(token, ROUTE, "gpt-4o", deadline=10.0).reason

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in log_events(self.folder / "server.log") if event["event"] == name]

    def wait_for(self, name: str, count: int = 1) -> dict[str, Any]:
        until(lambda: len(self.events(name)) >= count)
        return self.events(name)[-1]


@contextmanager
def running(folder: Path, made: Callable[[Path], Daemon] = Daemon) -> Iterator[Daemon]:
    daemon = made(folder)
    with server(folder / "usherd.yaml") as (process, address), Client(address) as client:
        daemon.process, daemon.client, daemon.address = process, client, address
        yield daemon
