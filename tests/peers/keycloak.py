"""Runs a real Keycloak as a process, and gets tokens of it as gateways' callers do.

async with Keycloak.started() as keycloak:
    token = await keycloak.machine_token()         client credentials
    token = await keycloak.person_token("alice")    authorization code with PKCE, through the login page
    await keycloak.rotate()                         a new key signs from now on; the older one stays published
    await keycloak.remove_oldest()
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from oracle.provider import AUDIENCE
from peers.openid import BRIEF, MACHINE, REDIRECT, SECRET, client, pkce, token_of
from tools.ports import free_port

HOME = Path(__file__).resolve().parents[2] / "build" / "keycloak"
"""Where `make test-keycloak` puts it."""
PERSON = "person"
PASSWORD = "a password of a test"
PATIENCE = 400.0
"""Seconds that its start may take on a busy machine."""
KEY_PROVIDER = "org.keycloak.keys.KeyProvider"

_AUDIENCE = {
    "name": "audience",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-audience-mapper",
    "config": {"included.custom.audience": AUDIENCE, "access.token.claim": "true"},
}


def _machine(name: str, **attributes: str) -> dict[str, Any]:
    return {
        "clientId": name,
        "secret": SECRET,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "protocolMappers": [_AUDIENCE],
        "attributes": attributes,
    }


REALM = {
    "realm": "demo",
    "enabled": True,
    "accessTokenLifespan": 3600,
    "clients": [
        _machine(MACHINE),
        _machine(BRIEF, **{"access.token.lifespan": "3"}),
        {"clientId": PERSON, "publicClient": True, "redirectUris": [REDIRECT], "protocolMappers": [_AUDIENCE]},
    ],
    "users": [
        {
            "username": name,
            "enabled": True,
            "email": f"{name}@example.com",
            "emailVerified": True,
            "firstName": name,
            "lastName": "Example",
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }
        for name in ("alice", "bob")
    ],
}


class Keycloak:
    """The server, and its realm `demo`."""

    def __init__(self, process: asyncio.subprocess.Process, origin: str, password: str) -> None:
        self.process = process
        self.origin = origin
        self.issuer = f"{origin}/realms/demo"
        self.keys_path = "/realms/demo/protocol/openid-connect/certs"
        self._token = f"{self.issuer}/protocol/openid-connect/token"
        self._password = password
        self._priority = 200

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator[Self]:
        """A Keycloak with its realm, that ends with the block. Its database is in its memory."""
        assert (HOME / "bin" / "kc.sh").is_file(), "make test-keycloak brings it"
        port, password = free_port(), secrets.token_urlsafe(16)
        with tempfile.TemporaryFile() as log:
            process = await asyncio.create_subprocess_exec(
                *(
                    str(HOME / "bin" / "kc.sh"),
                    "start",
                    "--optimized",
                    "--http-enabled=true",
                    "--hostname-strict=false",
                ),
                *("--http-host=127.0.0.1", f"--http-port={port}", "--cache=local"),
                start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
                    "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
                    "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
                },
            )
            keycloak = cls(process, f"http://127.0.0.1:{port}", password)
            try:
                async with asyncio.timeout(PATIENCE):
                    while not await keycloak._listens():
                        if process.returncode is not None:
                            log.seek(0)
                            raise AssertionError(log.read()[-2000:].decode())
                        await asyncio.sleep(0.5)
                await keycloak._admin("POST", "/admin/realms", REALM)
                yield keycloak
            finally:
                if process.returncode is None:
                    keycloak.go_on()
                    keycloak._signal(signal.SIGTERM)
                await process.wait()

    async def machine_token(self, client_id: str = MACHINE) -> str:
        """An access token by client credentials; one of BRIEF lives for three seconds."""
        async with client() as asking:
            return token_of(
                await asking.post(self._token, data={"grant_type": "client_credentials"}, auth=(client_id, SECRET)),
                "access_token",
            )

    async def person_token(self, name: str) -> str:
        """An access token by authorization code with PKCE, after that person has logged in."""
        verifier, challenge = pkce()
        asked = {
            "client_id": PERSON,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": "openid",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        async with client() as asking:
            page = await asking.get(f"{self.issuer}/protocol/openid-connect/auth", params=asked)
            form = re.search(r'action="([^"]+)"', page.text)
            assert form is not None, page.text
            # Its cookies are for secure connections, as which browsers take those to loopback.
            cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in page.cookies.jar)
            credentials = {"username": name, "password": PASSWORD}
            answer = await asking.post(html.unescape(form[1]), data=credentials, headers={"Cookie": cookies})
            assert answer.has_redirect_location, answer.text
            code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
            grant = {"grant_type": "authorization_code", "client_id": PERSON, "redirect_uri": REDIRECT}
            grant |= {"code": code, "code_verifier": verifier}
            return token_of(await asking.post(self._token, data=grant), "access_token")

    async def kids(self) -> list[str]:
        """The ids of the keys that it publishes for signatures."""
        async with client() as asking:
            keys = (await asking.get(self.origin + self.keys_path)).json()["keys"]
        return [key["kid"] for key in keys if key["use"] == "sig"]

    async def rotate(self) -> None:
        """A new key signs from now on; the older ones stay published."""
        self._priority += 1
        config = {"priority": [str(self._priority)], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"]}
        made = {"name": f"rsa-{self._priority}", "providerId": "rsa-generated", "providerType": KEY_PROVIDER}
        await self._admin("POST", "/admin/realms/demo/components", made | {"config": config})

    async def remove_oldest(self) -> None:
        """Publishes all keys for RS256 but the oldest."""
        found = await self._admin("GET", f"/admin/realms/demo/components?type={KEY_PROVIDER}")
        keys = [each for each in found if each["providerId"] == "rsa-generated"]
        oldest = min(keys, key=lambda each: int(each["config"]["priority"][0]))
        await self._admin("DELETE", f"/admin/realms/demo/components/{oldest['id']}")

    def pause(self) -> None:
        """It stands still from now on: it takes connections, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It runs again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # Java is a child of the script that was started.
        os.killpg(self.process.pid, number)

    async def _listens(self) -> bool:
        async with client() as asking:
            try:
                return (await asking.get(f"{self.origin}/realms/master")).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

    async def _admin(self, method: str, path: str, body: Any = None) -> Any:
        grant = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": self._password}
        async with client() as asking:
            master = f"{self.origin}/realms/master/protocol/openid-connect/token"
            access = token_of(await asking.post(master, data=grant), "access_token")
            headers = {"Authorization": f"Bearer {access}"}
            answer = await asking.request(method, self.origin + path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None
