"""A real usherd in a process of its own: one issuer whose key it has, and one whose keys are out of reach.

async with daemon() as running:
    running.target               where it listens
    running.tokens["allow"]      a service that may call MODEL on ROUTE
    running.tokens["deny"]       the same, an hour too late
    running.tokens["fault"]      of the issuer whose keys are out of reach
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from commands import server_beside
from usherd.cli.dev_issuer import Signer

ROUTE = "/v1/chat/completions"
MODEL = "gpt-4o"
HERE = "https://here.example"
FAR = "https://far.example"
AUDIENCE = "api://gateway"


@dataclass(frozen=True, slots=True)
class Running:
    """An usherd that answers."""

    target: str
    tokens: Mapping[str, str] = field(repr=False)


@asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[Running]:
    """Starts it with its files in that folder, and ends it."""
    signer = Signer.new(HERE)
    config = folder / "usherd.yaml"
    config.write_text(_config(signer))
    async with server_beside(config) as (_, target):
        yield Running(target, _tokens(signer))


def _tokens(signer: Signer) -> dict[str, str]:
    now = int(time.time())
    claims = {
        "iss": HERE,
        "aud": AUDIENCE,
        "sub": "caller",
        "azp": "caller",
        "idtyp": "app",
        "roles": ["Caller"],
        "iat": now,
        "exp": now + 3600,
    }
    return {
        "allow": signer.sign(claims),
        "deny": signer.sign(claims | {"iat": now - 7200, "exp": now - 3600}),
        "fault": signer.sign(claims | {"iss": FAR}),
    }


def _config(signer: Signer) -> str:
    return json.dumps(
        {
            "issuers": [
                {
                    "name": "here",
                    "issuer": HERE,
                    "audiences": [AUDIENCE],
                    "keys": {"jwks": {"keys": [signer.public_jwk()]}},
                },
                {
                    "name": "far",
                    "issuer": FAR,
                    "audiences": [AUDIENCE],
                    "keys": {"jwks_url": "https://127.0.0.1:1/jwks"},
                },
            ],
            "roles": [
                {
                    "name": "caller",
                    "issuer": "here",
                    "when": {"roles": "Caller"},
                    "for": ["service"],
                    "grants": {"routes": ["openai_routes"], "models": [MODEL]},
                }
            ],
            "models": [{"name": MODEL}, {"name": "o3"}],
            "server": {"address": "127.0.0.1:0"},
        }
    )
