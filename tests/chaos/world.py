"""The issuer, the configuration and the people of the chaos."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

from keyring import key_pair
from tools.key_server import DISCOVERY_PATH, KeyServer

AUDIENCE = "https://gateway.example"
ROUTE = "/v1/chat/completions"
MODEL = "gpt-4o"
ISSUER = "https://chaos.example"
NAME = "chaos"
LIFETIME = 12 * 3600
"""Seconds that a token lives: longer than any run."""
MAX_STALENESS = 2.0
CHECKPOINT_EVERY = 0.5
MAX_SILENCE = 3 * CHECKPOINT_EVERY

BLOCKED = ("team-1", "team-2", "team-3", "team-4")
"""Teams that are blocked and unblocked."""
SPENDING = ("team-5", "team-6")
"""Teams whose budget is lowered below what they have spent, and raised again."""
STEADY = "team-7"
"""The team of the tokens that are revoked."""
SPENT = 10
"""Micro-USD that a spending team has spent."""
AMPLE = 1_000_000
CACHE_KEY = "cache.key"


class Tokens:
    """The issuer of all tokens."""

    def __init__(self) -> None:
        self.server = KeyServer()
        self._pair = key_pair("Ed25519", "chaos-1")
        self._numbers = itertools.count(1)

    def publish(self) -> None:
        """Has its keys where they are looked for."""
        self.server.describe(issuer=ISSUER)
        self.server.publish(self._pair.jwk())

    def token(self, team: str) -> str:
        """Another token of that team."""
        now, number = int(time.time()), next(self._numbers)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": f"user-{number}",
            "jti": f"jti-{number}",
            "groups": [team],
            "iat": now - 5,
            "exp": now + LIFETIME,
        }
        return self._pair.token(claims)


def configuration(database: str, cache: str, tokens: Tokens, address: str) -> dict[str, Any]:
    """Of one replica."""
    return {
        "issuers": [
            {
                "name": NAME,
                "issuer": ISSUER,
                "audiences": [AUDIENCE],
                "keys": {"discovery": tokens.server.origin + DISCOVERY_PATH, "refresh": {"every": "10s"}},
                "claims": {"teams": "groups"},
            }
        ],
        "models": [{"name": MODEL}],
        "directory": {"url": database, "max_staleness": f"{MAX_STALENESS:g}s"},
        "cache": {"identity_provider": cache, "identity_provider_key": f"file:{CACHE_KEY}"},
        "server": {"address": address, "checkpoint_every": f"{CHECKPOINT_EVERY * 1000:g}ms"},
        "insecure": {"loopback_http": True},
    }


def configure(file: Path, content: dict[str, Any]) -> None:
    """Writes a configuration, and beside it the key that replicas share."""
    (file.parent / CACHE_KEY).write_text("a key of the chaos, of more than 32 bytes")
    file.write_text(json.dumps(content))


def teams() -> list[dict[str, Any]]:
    """All teams, as DirectoryService takes them."""
    models = {"only": {"models": [MODEL]}}
    ample = {"max_budget_micro_usd": AMPLE}
    return [
        *({"id": each, "models": models} for each in (*BLOCKED, STEADY)),
        *({"id": each, "models": models, "limit": ample} for each in SPENDING),
    ]
