"""A usherd that Envoy asks about the people of the development issuer."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from commands import company, server
from usherd.cli.dev_people import PEOPLE, token_of

FAR = "https://far.example"
"""An issuer whose keys are out of reach."""


@dataclass
class Asked:
    """It runs."""

    address: str
    process: subprocess.Popen[str]
    folder: Path
    tokens: Mapping[str, str] = field(repr=False)
    """Of each person, and `far`: of an issuer whose tokens get no answer."""

    def bearer(self, person: str) -> tuple[str, str]:
        """The header that the person's program sends."""
        return "authorization", f"Bearer {self.tokens[person]}"


@contextmanager
def asked_by_envoy(folder: Path, envoy: Mapping[str, Any] | None = None, **more: Any) -> Iterator[Asked]:
    """One with that section `envoy`, and `more` of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    with company(folder) as (signer, config):
        made = yaml.safe_load(config.read_text("utf-8"))
        far = {"name": "far", "issuer": FAR, "audiences": ["api://ai-gateway"]}
        made["issuers"].append(far | {"keys": {"jwks_url": "https://127.0.0.1:1/jwks"}})
        for rule in (*made["roles"], made["admin"]):
            rule["issuer"] = "dev"
        made |= {"envoy": dict(envoy or {}), **more}
        config.write_text(yaml.safe_dump(made), "utf-8")
        people = yaml.safe_load((folder / "directory.yaml").read_text("utf-8"))
        for team in people["teams"]:
            team["issuer"] = "dev"
        for user in people["users"]:
            user["identities"] = [{"issuer": "dev", "subject": user["id"]}]
        (folder / "directory.yaml").write_text(yaml.safe_dump(people), "utf-8")
        tokens = {name: token_of(person, signer) for name, person in PEOPLE.items()}
        now = int(time.time())
        claims = {"iss": FAR, "aud": "api://ai-gateway", "sub": "far", "iat": now, "exp": now + 600}
        tokens["far"] = signer.sign(claims)
        with server(config) as (process, address):
            yield Asked(address, process, folder, tokens)
