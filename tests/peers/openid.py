"""Runs a real OpenID provider (npm's oidc-provider) as a process, and gets tokens of it as gateways' callers do.

async with OpenIdProvider.started(folder) as provider:
    token = await provider.machine_token()          client credentials
    token = await provider.person_token("alice")    authorization code with PKCE, through the provider's own pages
    await provider.rotate()                         restarts it with a new key that signs, beside the older ones
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa

from keyring import KeyPair, encode, encode_int
from peers.programs import build, tool
from tools.ports import free_port

HOME = Path(__file__).parent / "oidc"
RESOURCE = "https://gateway.example"
REDIRECT = "http://127.0.0.1/callback"
MACHINE, BRIEF = "machine", "brief"
SECRET = "the secret of a test"
PATIENCE = 60.0
MAX_STEPS = 12
"""Redirects and pages on the way to a code."""


@functools.cache
def installed() -> list[str]:
    """The command that runs the provider, with what it needs."""
    build([tool("npm"), "ci", "--no-progress", "--no-audit", "--no-fund"], HOME)
    return [tool("node"), str(HOME / "provider.mjs")]


def private_jwk(pair: KeyPair) -> dict[str, Any]:
    """The RSA key with its private part (RFC 7518, section 6.3.2)."""
    assert isinstance(pair.private, rsa.RSAPrivateKey)
    numbers = pair.private.private_numbers()
    private = {"d": numbers.d, "p": numbers.p, "q": numbers.q}
    private |= {"dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
    return pair.jwk(alg="RS256") | {name: encode_int(number) for name, number in private.items()}


class OpenIdProvider:
    """The provider, and the keys that it has."""

    def __init__(self, command: list[str], folder: Path, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.pairs: list[KeyPair] = []
        """Its keys; the first signs."""
        self._command = [*command, str(port), str(folder / "jwks.json")]
        self._keys = folder / "jwks.json"
        self._process: asyncio.subprocess.Process | None = None
        self._made = 0

    @classmethod
    @asynccontextmanager
    async def started(cls, folder: Path) -> AsyncIterator[Self]:
        """A provider with one key, that ends with the block."""
        provider = cls(await asyncio.to_thread(installed), folder, free_port())
        try:
            await provider.rotate()
            yield provider
        finally:
            await provider.stop()

    @property
    def kids(self) -> list[str]:
        """The ids of its keys."""
        return [pair.kid or "" for pair in self.pairs]

    async def rotate(self, keep: int = 1) -> None:
        """Starts it anew with a new key, and the newest `keep` of the older ones."""
        self._made += 1
        private = await asyncio.to_thread(rsa.generate_private_key, 65537, 2048)
        self.pairs = [KeyPair(kind="RSA", kid=f"rsa-{self._made}", private=private), *self.pairs[:keep]]
        await self.restart()

    async def restart(self) -> None:
        """Starts it anew with the keys that `pairs` has."""
        await self.stop()
        self._keys.write_text(json.dumps({"keys": [private_jwk(pair) for pair in self.pairs]}))
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while b"listens" not in (line := await self._process.stdout.readline()):
                assert line, "the provider ended"

    async def stop(self) -> None:
        """Ends it."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(PATIENCE):
                await process.communicate()

    async def machine_token(self, client_id: str = MACHINE) -> str:
        """An access token by client credentials (RFC 6749, section 4.4); one of BRIEF lives for three seconds."""
        async with client() as asking:
            form = {"grant_type": "client_credentials", "scope": "chat", "resource": RESOURCE}
            return token_of(
                await asking.post(f"{self.origin}/token", data=form, auth=(client_id, SECRET)), "access_token"
            )

    async def person_token(self, name: str) -> str:
        """An access token by authorization code with PKCE (RFC 7636), after that person has logged in and consented."""
        return token_of(await self._person_tokens(name), "access_token")

    async def identity_token(self, name: str) -> str:
        """The ID token that comes with such an access token."""
        return token_of(await self._person_tokens(name), "id_token")

    async def _person_tokens(self, name: str) -> httpx.Response:
        verifier, challenge = pkce()
        asked = {
            "client_id": "person",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": "openid chat",
            "resource": RESOURCE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        async with client() as asking:
            answer = await asking.get(f"{self.origin}/auth", params=asked)
            code = await self._code(asking, answer, name)
            form = {
                "grant_type": "authorization_code",
                "client_id": "person",
                "code": code,
                "redirect_uri": REDIRECT,
                "code_verifier": verifier,
                "resource": RESOURCE,
            }
            return await asking.post(f"{self.origin}/token", data=form)

    async def _code(self, asking: httpx.AsyncClient, answer: httpx.Response, name: str) -> str:
        for _ in range(MAX_STEPS):
            if answer.has_redirect_location:
                where = urljoin(str(answer.url), answer.headers["location"])
                if where.startswith(REDIRECT):
                    return parse_qs(urlsplit(where).query)["code"][0]
                answer = await asking.get(where)
                continue
            assert answer.status_code == httpx.codes.OK, answer.text
            # Its page has a form that says what it is for.
            form = {"prompt": "login", "login": name, "password": "any"}
            if 'value="consent"' in answer.text:
                form = {"prompt": "consent"}
            answer = await asking.post(str(answer.url), data=form)
        raise AssertionError("the provider asks for more and more")


def pkce() -> tuple[str, str]:
    """A code verifier and its challenge (RFC 7636, section 4)."""
    verifier = secrets.token_urlsafe(48)
    return verifier, encode(hashlib.sha256(verifier.encode()).digest())


def client() -> httpx.AsyncClient:
    """A client for providers on loopback, whatever proxy the environment names."""
    return httpx.AsyncClient(trust_env=False, timeout=PATIENCE)


def token_of(answer: httpx.Response, name: str) -> str:
    """The token of that name in a token endpoint's answer."""
    assert answer.status_code == httpx.codes.OK, answer.text
    token: str = answer.json()[name]
    return token
