"""Sessions of real daemons, in processes of their own, that share a database."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest

from commands import server_beside, usherd
from keyring import key_pair, key_set
from tools.directory_world import Client, Failed
from tools.log_lines import whole_lines
from tools.session_world import SERVICE
from usher.v1 import authorization_service_pb2, decision_pb2, question_pb2, reason_pb2

PAIR = key_pair("Ed25519", "daemons")
KEK, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (7, 8))
PEOPLE = {
    "users": [
        {"id": "canary-user-5e1f", "role": "internal_user", "email": "canary-mail-7a2b@example.com"},
        {"id": "root", "role": "proxy_admin"},
    ]
}
WHO = "canary-user-5e1f"


def config(folder: Path, url: str, **sessions: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "kek").write_text(KEK)
    (folder / "other").write_text(OTHER)
    (folder / "people.yaml").write_text(json.dumps(PEOPLE))
    chosen = {"key_encryption": "file:kek", "http": "127.0.0.1:0"} | sessions
    issuer = {"name": "idp", "issuer": "https://idp.example", "audiences": ["gateway"]}
    content = {
        "issuers": [issuer | {"keys": {"jwks": key_set(PAIR)}, "may_grant": {"admin": True}}],
        "directory": {"url": url, "seed": "people.yaml"},
        "server": {"address": "127.0.0.1:0"},
        "telemetry": {
            "log": "json",
            "level": "debug",
            "metrics": "127.0.0.1:0",
            "decision_log": {"file": "decisions.jsonl", "include": ["route", "model"]},
        },
        "sessions": {name: value for name, value in chosen.items() if value is not None},
    }
    path = folder / "usherd.yaml"
    path.write_text(json.dumps(content))
    return path


@dataclass
class Daemon:
    folder: Path
    call: Client
    channel: grpc.aio.Channel
    process: Any = field(repr=False)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in whole_lines(self.folder / "server.log") if line[:1] == "{"]

    def address(self, event: str) -> str:
        return next(line["address"] for line in self.log() if line["event"] == event)

    async def get(self, path: str, token: str = "") -> tuple[int, bytes]:
        url = f"http://{self.address('sessions_served')}{path}"
        return await asyncio.to_thread(fetched, url, token)

    async def reason(self, token: str, route: str = "/key/info") -> str:
        question = question_pb2.Question(token=token, route=route, method="GET")
        request = authorization_service_pb2.CheckRequest(question=question)
        made = self.channel.unary_unary("/usher.v1.AuthorizationService/Check")
        answer = authorization_service_pb2.CheckResponse.FromString(await made(request.SerializeToString(), timeout=20))
        allowed = answer.decision.effect == decision_pb2.EFFECT_ALLOW
        name = reason_pb2.Reason.Name(answer.decision.reason).removeprefix("REASON_")
        assert allowed == (name == "ALLOWED")
        return name

    async def becomes(self, token: str, reason: str) -> float:
        """Seconds until that is the reason."""
        began = time.monotonic()
        while await self.reason(token) != reason:
            assert time.monotonic() - began < 20
            await asyncio.sleep(0.01)
        return time.monotonic() - began


def fetched(url: str, token: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@asynccontextmanager
async def daemon(folder: Path, url: str, **sessions: Any) -> AsyncIterator[Daemon]:
    served = server_beside(config(folder, url, **sessions))
    async with served as (process, address), grpc.aio.insecure_channel(address) as channel:
        yield Daemon(folder, Client(channel, service=SERVICE), channel, process)


async def test_a_session_of_one_daemon_is_good_at_another_and_over_there_when_it_is_ended_here(
    tmp_path: Path, shared_url: str
) -> None:
    async with daemon(tmp_path / "one", shared_url) as one, daemon(tmp_path / "two", shared_url) as two:
        now = int(time.time())
        claims = {"iss": "https://idp.example", "aud": "gateway", "sub": WHO, "iat": now, "exp": now + 600}
        made = await one.call("CreateSession", token=PAIR.token(claims))
        kept = await two.call("CreateSessionForUser", user_id=WHO)
        for each in (one, two):
            assert await each.reason(made.token) == await each.reason(kept.token) == "ALLOWED"
            status, body = await each.get("/sso/session/validate", made.token)
            assert (status, json.loads(body)["data"]["user"]) == (200, WHO)

        published = [json.loads((await each.get("/.well-known/jwks.json"))[1]) for each in (one, two)]
        assert published[0] == published[1]
        (key,) = jwt.PyJWKSet.from_dict(published[0]).keys
        options = {"require": ["exp", "iat", "jti", "sub"]}
        seen = jwt.decode(made.token, key, algorithms=["EdDSA"], audience="usherd-ui", issuer="usherd", options=options)
        assert seen["user_id"] == WHO

        await one.call("RevokeSessions", session_id=made.session.id)
        assert await two.becomes(made.token, "TOKEN_REVOKED") < 2.0
        assert await one.becomes(made.token, "TOKEN_REVOKED") < 2.0
        assert (await two.get("/sso/session/validate", made.token))[0] == 401
        assert await two.reason(kept.token) == "ALLOWED"
        await two.call("RevokeSessions", user_id=WHO)
        assert await one.becomes(kept.token, "TOKEN_REVOKED") < 2.0


async def test_a_session_outlives_the_daemon_that_made_it_and_its_end_does_too(tmp_path: Path, sqlite_url: str) -> None:
    async with daemon(tmp_path / "one", sqlite_url) as one:
        made, ended = [await one.call("CreateSessionForUser", user_id="root") for _ in range(2)]
        await one.call("RevokeSessions", session_id=ended.session.id)
        one.process.kill()
    async with daemon(tmp_path / "two", sqlite_url) as two:
        assert await two.reason(made.token, "/team/info") == "ALLOWED"
        assert await two.reason(ended.token) == "TOKEN_REVOKED"


async def test_nothing_of_a_session_is_in_any_output(tmp_path: Path, sqlite_url: str) -> None:
    async with daemon(tmp_path / "one", sqlite_url) as one:
        made = await one.call("CreateSessionForUser", user_id=WHO)
        spoilt = made.token[:-6] + "AAAAAA"
        for token in (made.token, spoilt):
            await one.reason(token)
            await one.get("/sso/session/validate", token)
            await one.call("ValidateSession", token=token)
            await one.call("CreateSession", token=token)
        await one.call("RevokeSessions", session_id=made.session.id)
        await one.call("RevokeSessions", user_id=WHO)
        await one.reason(made.token)
        with pytest.raises(Failed):
            await one.call("CreateSessionForUser")
        await one.call("CreateSessionForUser", user_id="canary-stranger-1c9d")
        metrics = (await asyncio.to_thread(fetched, f"http://{one.address('metrics_served')}/metrics", ""))[1].decode()
        assert '"Session/CreateSessionForUser"' in metrics
        out = [(tmp_path / "one" / name).read_text() for name in ("server.log", "decisions.jsonl")] + [metrics]
        events = {line["event"] for line in one.log()}
        assert {"session_made", "sessions_ended", "session_key_made"} <= events
    words = [*made.token.split("."), WHO, "canary-mail", "canary-stranger", made.session.id, KEK]
    for word in words:
        assert not any(word[:40] in text for text in out), word


async def test_with_another_secret_a_daemon_does_not_start_and_says_why(tmp_path: Path, sqlite_url: str) -> None:
    async with daemon(tmp_path / "one", sqlite_url):
        pass
    path = config(tmp_path / "two", sqlite_url, key_encryption="file:other")
    done = await asyncio.to_thread(usherd, "serve", "--config", path)
    assert done.returncode != 0
    assert "sessions.key_encryption: none of its secrets opens the keys" in done.stderr
    assert "Traceback" not in done.stderr
    assert KEK not in done.stderr + done.stdout
    assert OTHER not in done.stderr + done.stdout
    async with daemon(tmp_path / "three", sqlite_url, key_encryption=["file:other", "file:kek"]):
        pass
    async with daemon(tmp_path / "four", sqlite_url, key_encryption="file:other") as four:
        assert (await four.call("CreateSessionForUser", user_id="root")).token


async def test_without_sessions_there_are_none(tmp_path: Path) -> None:
    path = config(tmp_path / "one", "sqlite:///one.db")
    content = json.loads(path.read_text())
    del content["sessions"]
    path.write_text(json.dumps(content))
    async with server_beside(path) as (_, address), grpc.aio.insecure_channel(address) as channel:
        call = Client(channel, service=SERVICE)
        for method, fields in (("CreateSessionForUser", {"user_id": "root"}), ("ListSessions", {})):
            with pytest.raises(Failed) as failed:
                await call(method, **fields)
            assert failed.value.reason == "NO_STORE"
