"""Makes the company that is measured: 1,000 known users with tokens, 20 models, teams, organizations, budgets, roles.

Each question reads a user, two teams, an organization and the budgets of all of them, and that of everyone together.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from keyring import key_pair, key_set
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2

TOKENS = 1000
MODELS = 20
TEAMS = 100
ORGANIZATIONS = 10
ROUTE = "/v1/chat/completions"
_KEY = key_pair("RSA", "bench")


@dataclass(frozen=True)
class Company:
    """A configuration on disk, and requests: first one for each token, in the end one for each token and model."""

    config: Path
    tokens: tuple[str, ...]
    authorize: tuple[bytes, ...]
    check: tuple[bytes, ...]


def company(folder: Path, port: int) -> Company:
    """Writes configuration and directory into the folder, for a daemon on that port of the loopback."""
    models = [f"model-{number}" for number in range(MODELS)]
    (folder / "keys.json").write_text(json.dumps(key_set(_KEY)))
    (folder / "directory.yaml").write_text(
        yaml.safe_dump(
            {
                "organizations": [
                    {"id": f"org-{number}", "models": ["*"], "max_budget": 100_000, "budget_period": "30d"}
                    for number in range(ORGANIZATIONS)
                ],
                "teams": [
                    {
                        "id": f"team-{number}",
                        "organization": f"org-{number % ORGANIZATIONS}",
                        "models": ["access-group/all"],
                        "max_budget": 10_000,
                        "budget_period": "30d",
                        "members": [{"user": _user(each), "max_budget": 100} for each in range(number, TOKENS, TEAMS)],
                    }
                    for number in range(TEAMS)
                ],
                "users": [
                    {"id": _user(number), "role": "internal_user", "models": ["*"], "max_budget": 500, "tpm": 100_000}
                    for number in range(TOKENS)
                ],
            }
        )
    )
    config = folder / "usherd.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "issuers": [
                    {
                        "name": "idp",
                        "issuer": "https://idp.example",
                        "audiences": ["gateway"],
                        "keys": {"jwks_file": "keys.json"},
                        "claims": {"teams": "groups", "organization": "org"},
                    }
                ],
                "roles": [{"name": "staff", "when": {"roles": "Staff"}, "grants": {"routes": ["info_routes"]}}],
                "teams": {"routes": ["openai_routes"]},
                "users": {"routes": ["openai_routes"]},
                "budgets": {"global": {"max": 1_000_000, "period": "30d"}},
                "models": [{"name": name, "provider": "p", "groups": ["all"]} for name in models],
                "directory": {"seed": "directory.yaml"},
                "server": {"address": f"127.0.0.1:{port}"},
            }
        )
    )
    tokens = tuple(_token(number) for number in range(TOKENS))
    questions = [
        question_pb2.Question(token=token, route=ROUTE, method="POST", model=models[(number + turn) % MODELS])
        for turn in range(MODELS)
        for number, token in enumerate(tokens)
    ]
    return Company(
        config,
        tokens,
        tuple(api.AuthorizeRequest(question=each).SerializeToString() for each in questions),
        tuple(api.CheckRequest(question=each).SerializeToString() for each in questions),
    )


def _user(number: int) -> str:
    return f"auth0|{number:024d}"


def _token(number: int) -> str:
    now = int(time.time())
    return _KEY.token(
        {
            "iss": "https://idp.example",
            "aud": ["gateway", "https://idp.example/userinfo"],
            "sub": _user(number),
            "iat": now,
            "exp": now + 3600,
            "azp": "f0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5",
            "scope": "openid profile email",
            "email": f"holder-{number}@example.com",
            # The first of a token's teams by code points is the one that is chosen.
            "groups": [f"team-{number % TEAMS}", "zz-another", "everyone"],
            "org": f"org-{number % ORGANIZATIONS}",
            "roles": ["Staff"],
        }
    )
