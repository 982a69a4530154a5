"""The sample people of the development issuer, the company they work for, and what they may do there."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from usherd.cli.dev_issuer import Signer

AUDIENCE = "api://ai-gateway"
LIFETIME = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a token."""

    about: str
    claims: Mapping[str, Any]
    age: int = 0
    """Seconds since the token was issued."""
    audience: str = AUDIENCE
    forged: bool = False
    """Whether somebody else's key signs, under the key id of the issuer's."""


PEOPLE: Mapping[str, Person] = {
    "alice": Person(
        about="works in the team research",
        claims={"sub": "alice", "email": "alice@example.com", "groups": ["research"], "scope": "models.read"},
    ),
    "ada": Person(
        about="administrates the gateway",
        claims={"sub": "ada", "email": "ada@example.com", "scope": "litellm_proxy_admin"},
    ),
    "bob": Person(
        about="works in the team research, and is blocked",
        claims={"sub": "bob", "email": "bob@example.com", "groups": ["research"]},
    ),
    "reader": Person(
        about="a service with the application role LiteLLM.Reader",
        claims={"sub": "reader", "azp": "reader", "idtyp": "app", "roles": ["LiteLLM.Reader"]},
    ),
    "mallory": Person(
        about="has a genuine token, and no business here",
        claims={"sub": "mallory", "email": "mallory@example.com", "groups": ["cleaning"]},
    ),
    "olivia": Person(
        about="has a genuine token for another service",
        claims={"sub": "olivia", "groups": ["research"]},
        audience="api://payroll",
    ),
    "eve": Person(
        about="signed a token herself, as alice",
        claims={"sub": "alice", "groups": ["research"]},
        forged=True,
    ),
    "rip": Person(
        about="works in the team research; his token expired an hour ago",
        claims={"sub": "alice", "groups": ["research"]},
        age=2 * LIFETIME,
    ),
}


def token_of(person: Person, signer: Signer, now: float | None = None) -> str:
    """A token for that person, good for an hour from its issue."""
    issued = int(time.time() if now is None else now) - person.age
    claims = {
        "iss": signer.issuer,
        "aud": person.audience,
        "iat": issued,
        "exp": issued + LIFETIME,
        "jti": secrets.token_hex(8),
        **person.claims,
    }
    if person.forged:
        return Signer.new(signer.issuer).sign(claims, kid=signer.public_jwk()["kid"])
    return signer.sign(claims)


KEPT = """\
# The file fills the database once. Then: usherd directory block team research, usherd directory apply FILE, ...
directory: {seed: directory.yaml, url: "sqlite:///directory.db"}
"""
"""A directory that is written to, and not only read."""
READ = "directory: {seed: directory.yaml}\n"
"""A directory that is its file."""


def config_text(issuer: str, *, address: str = "127.0.0.1:50051", directory: str = READ) -> str:
    """A configuration that knows the issuer and the company."""
    return f"""\
issuers:
  - name: dev
    issuer: {issuer}
    audiences: [{AUDIENCE}]
    keys: {{discovery: true}}
    claims: {{teams: groups}}
    may_grant: {{admin: true}}
roles:
  - name: reader
    when: {{roles: LiteLLM.Reader}}
    for: [service]
    grants: {{routes: [openai_routes], models: [access-group/embeddings]}}
admin: {{scopes: [litellm_proxy_admin], routes: [management_routes, info_routes]}}
routes: {{public: [/health/liveliness]}}
models:
  - {{name: gpt-4o, provider: openai}}
  - {{name: gpt-4o-mini, provider: openai, aliases: [cheap]}}
  - {{name: o3, provider: openai}}
  - {{name: text-embedding-3-small, provider: openai, groups: [embeddings]}}
{directory}server: {{address: "{address}"}}
insecure: {{loopback_http: true}}   # the development issuer has no TLS; yours has
"""


DIRECTORY_TEXT = """\
organizations:
  - {id: acme, models: ["gpt-4o*", text-embedding-3-small]}
teams:
  - {id: research, alias: Research, organization: acme, models: ["gpt-4o*", o3], rpm: 600}
users:
  - {id: alice, email: alice@example.com, teams: [research]}
  - {id: bob, email: bob@example.com, teams: [research], blocked: true}
"""
