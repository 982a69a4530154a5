"""What the page about Keycloak says is so with a real one: its configuration, its claims, and asking it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import server_beside
from peers.keycloak import PASSWORD, Keycloak
from peers.openid import SECRET, client
from providers.pages import written
from usherd.domain import Decision, PrincipalKind, Question
from usherd.rpc.dial import dial

pytestmark = [pytest.mark.keycloak, pytest.mark.timeout(900)]

CHAT = "/v1/chat/completions"
AUDIENCE = {
    "name": "audience",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-audience-mapper",
    "config": {"included.client.audience": "ai-gateway", "access.token.claim": "true"},
}
GROUPS = {
    "name": "groups",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-group-membership-mapper",
    "config": {
        "claim.name": "groups",
        "full.path": "false",
        "access.token.claim": "true",
        "introspection.token.claim": "true",
    },
}
KIND = {
    "name": "kind",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-hardcoded-claim-mapper",
    "config": {
        "claim.name": "kind",
        "claim.value": "service",
        "access.token.claim": "true",
        "introspection.token.claim": "true",
    },
}


def _service(name: str, *mappers: Mapping[str, Any]) -> dict[str, Any]:
    flows = {"serviceAccountsEnabled": True, "standardFlowEnabled": False}
    return {"clientId": name, "secret": SECRET, "protocolMappers": mappers, **flows}


def _application(name: str, *mappers: Mapping[str, Any]) -> dict[str, Any]:
    return {"clientId": name, "secret": SECRET, "directAccessGrantsEnabled": True, "protocolMappers": mappers}


def _person(name: str, **more: Any) -> dict[str, Any]:
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@example.com",
        "firstName": name,
        "lastName": "Example",
        "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        **more,
    }


REALM = {
    "realm": "company",
    "enabled": True,
    "roles": {
        "realm": [{"name": "researcher"}],
        "client": {"ai-gateway": [{"name": "models.use"}, {"name": "models.chat"}], "other": [{"name": "models.use"}]},
    },
    "groups": [{"name": "red"}, {"name": "contractors", "subGroups": [{"name": "red"}]}],
    "clients": [
        {"clientId": "ai-gateway", "secret": SECRET, "standardFlowEnabled": False},
        {"clientId": "other", "secret": SECRET},
        _service("batch", AUDIENCE, GROUPS, KIND),
        _service("idle", AUDIENCE),
        _service("elsewhere", AUDIENCE),
        _application("chat-ui", AUDIENCE, GROUPS),
        _application("payroll"),
        _application("narrow") | {"fullScopeAllowed": False},
    ],
    "users": [
        _person("chatter", clientRoles={"ai-gateway": ["models.chat"]}),
        _person("pretender", clientRoles={"ai-gateway": ["models.use"]}),
        _person("scholar", realmRoles=["researcher"]),
        _person("member", groups=["/red"]),
        _person("contractor", groups=["/contractors/red"]),
        _person("nobody"),
    ],
}


@dataclass
class Realm:
    """The realm of the page."""

    keycloak: Keycloak

    @property
    def issuer(self) -> str:
        return f"{self.keycloak.origin}/realms/company"

    async def tokens(self, client_id: str, person: str | None = None) -> dict[str, Any]:
        """What its token endpoint gives a service, or a person who has signed in at an application."""
        form = {"grant_type": "client_credentials"}
        if person is not None:
            form = {"grant_type": "password", "username": person, "password": PASSWORD, "scope": "openid"}
        async with client() as asking:
            asked = await asking.post(f"{self._protocol}/token", data=form, auth=(client_id, SECRET))
        assert asked.is_success, asked.text
        found: dict[str, Any] = asked.json()
        return found

    async def token(self, client_id: str, person: str | None = None) -> str:
        return str((await self.tokens(client_id, person))["access_token"])

    async def revoke(self, client_id: str, token: str) -> None:
        async with client() as asking:
            done = await asking.post(f"{self._protocol}/revoke", data={"token": token}, auth=(client_id, SECRET))
        assert done.is_success, done.text

    @property
    def _protocol(self) -> str:
        return f"{self.issuer}/protocol/openid-connect"


@pytest.fixture(name="realm")
async def _realm() -> AsyncIterator[Realm]:
    async with Keycloak.started() as keycloak:
        await keycloak._admin("POST", "/admin/realms", REALM)
        for service, home in (("batch", "ai-gateway"), ("elsewhere", "other")):
            await _give(keycloak, service, "models.use", home)
        yield Realm(keycloak)


async def _give(keycloak: Keycloak, service: str, role: str, home: str) -> None:
    """Gives a service account a role of that client, as its page of service account roles does."""
    at = "/admin/realms/company"
    ids = {each["clientId"]: each["id"] for each in await keycloak._admin("GET", f"{at}/clients")}
    account = await keycloak._admin("GET", f"{at}/clients/{ids[service]}/service-account-user")
    found = await keycloak._admin("GET", f"{at}/clients/{ids[home]}/roles/{role}")
    await keycloak._admin("POST", f"{at}/users/{account['id']}/role-mappings/clients/{ids[home]}", [found])


@dataclass
class Asking:
    """A server with the page's configuration."""

    ask: Any

    async def decision(self, token: str, model: str) -> Decision:
        found: Decision = await self.ask.check(Question(token=token, route=CHAT, model=model), timeout=20.0)
        return found

    async def reason(self, token: str, model: str = "gpt-4o") -> str:
        return (await self.decision(token, model)).verdict.reason.name


@asynccontextmanager
async def serving(folder: Path, realm: Realm, **issuer: Any) -> AsyncIterator[Asking]:
    """The page's configuration, for this realm; `issuer` has other keys of it."""
    config = yaml.safe_load((written("keycloak", folder) / "usherd.yaml").read_text())
    config["issuers"][0] |= {"issuer": realm.issuer} | issuer
    if "introspection" in config["issuers"][0]["keys"]:
        del config["issuers"][0]["algorithms"]
    config |= {"insecure": {"loopback_http": True}}
    config["server"] = {"address": "127.0.0.1:0", "limits": {"deadline": "10s"}}
    (folder / "usherd.yaml").write_text(json.dumps(config))
    env = {"USHERD_TEST_SECRET": SECRET}
    async with server_beside(folder / "usherd.yaml", env=env) as (_, address), dial(address) as asking:
        yield Asking(asking)


async def test_the_answers_of_the_page_are_those_to_real_tokens(realm: Realm, tmp_path: Path) -> None:
    async with serving(tmp_path, realm) as usherd:
        service = await usherd.decision(await realm.token("batch"), "gpt-4o")
        person = await usherd.decision(await realm.token("chat-ui", "chatter"), "gpt-4o-mini")
        of_another = await realm.tokens("chat-ui", "chatter")
        reasons = {
            "no role": await usherd.reason(await realm.token("idle")),
            "another client's role": await usherd.reason(await realm.token("elsewhere")),
            "a service's role": await usherd.reason(await realm.token("chat-ui", "pretender")),
            "a realm role": await usherd.reason(await realm.token("chat-ui", "scholar"), "o1"),
            "a group": await usherd.reason(await realm.token("chat-ui", "member")),
            "a subgroup of that name": await usherd.reason(await realm.token("chat-ui", "contractor")),
            "nothing": await usherd.reason(await realm.token("chat-ui", "nobody")),
            "any application": await usherd.reason(await realm.token("payroll", "chatter"), "gpt-4o-mini"),
            "without full scope": await usherd.reason(await realm.token("narrow", "chatter"), "gpt-4o-mini"),
            "without role and mapper": await usherd.reason(await realm.token("payroll", "nobody"), "gpt-4o-mini"),
            "an ID token": await usherd.reason(of_another["id_token"], "gpt-4o-mini"),
            "a refresh token": await usherd.reason(of_another["refresh_token"], "gpt-4o-mini"),
        }

    kinds = [each.verdict.principal and each.verdict.principal.kind for each in (service, person)]
    assert [service.verdict.reason.name, person.verdict.reason.name] == ["ALLOWED", "ALLOWED"]
    assert kinds == [PrincipalKind.SERVICE, PrincipalKind.USER]
    assert reasons == {
        "no role": "NOT_ENTITLED",
        "another client's role": "NOT_ENTITLED",
        "a service's role": "NOT_ENTITLED",
        "a realm role": "ALLOWED",
        "a group": "ALLOWED",
        "a subgroup of that name": "ALLOWED",
        "nothing": "NOT_ENTITLED",
        "any application": "ALLOWED",
        "without full scope": "AUDIENCE_MISMATCH",
        "without role and mapper": "AUDIENCE_MISMATCH",
        "an ID token": "AUDIENCE_MISMATCH",
        "a refresh token": "ALGORITHM_NOT_ALLOWED",
    }


async def test_it_can_be_asked_about_its_tokens(realm: Realm, tmp_path: Path) -> None:
    asked = {
        "url": f"{realm.issuer}/protocol/openid-connect/token/introspect",
        "client_id": "ai-gateway",
        "client_secret": "env:USHERD_TEST_SECRET",
        "timeout": "9s",
        "cache_for": "1s",
        "cache_inactive_for": "0s",
    }
    keys = {"keys": {"introspection": asked}}
    async with (
        serving(_made(tmp_path / "as-written"), realm, **keys) as as_written,
        serving(_made(tmp_path / "kind"), realm, **keys, service_when={"kind": "service"}) as by_kind,
    ):
        service, person = await realm.token("batch"), await realm.token("chat-ui", "chatter")
        found = [
            (await each.decision(token, model)).verdict
            for each in (as_written, by_kind)
            for token, model in ((service, "gpt-4o"), (person, "gpt-4o-mini"))
        ]
        await realm.revoke("batch", service)
        # What it said of the token counts for a second.
        while (revoked := await by_kind.reason(service)) == "ALLOWED":
            pass

    assert [(each.reason.name, each.principal and each.principal.kind) for each in found[2:]] == [
        ("ALLOWED", PrincipalKind.SERVICE),
        ("ALLOWED", PrincipalKind.USER),
    ]
    # As the page warns: a person is taken for a service by what only answers name.
    assert [each.principal and each.principal.kind for each in found[:2]] == [PrincipalKind.SERVICE] * 2
    assert revoked == "TOKEN_INACTIVE"


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
