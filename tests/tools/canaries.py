"""Words that must come out nowhere, and a daemon that is asked with all of them while it tells all that it can."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
from google.protobuf.message import Message

from keyring import KeyPair, key_pair, key_set
from tools.otlp_sink import Sink
from tools.rpc_world import call
from usher.v1 import authorization_service_pb2 as api
from usher.v1 import question_pb2

ISSUER, BROKEN, FAR = "https://here.example", "https://broken.example", "https://far.example"
ASKED_ABOUT = "https://asked.example"
PAIR = key_pair("RSA", "canary-kid")
REQUEST_ID = "request-7d1f"
"""No canary: lines are found by it."""

CLAIMS = {
    name: f"canary-{name}-c1a1"
    for name in ("sub", "jti", "azp", "email", "name", "user", "department", "team", "org", "end_user", "deep")
}
ASKED = {
    name: f"canary-{name}-a5e4"
    for name in ("route", "method", "model", "fallback", "team_wish", "end_user_id", "organization_id", "query")
}
METADATA = {name: f"canary-{name}-4e7a" for name in ("x-api-key", "cookie", "tracestate")}
CREDENTIAL, OTHER_CREDENTIAL = "canary-credential-6c2e" * 2, "canary-stolen-3d9b" * 2
CALLER = "gateway-one"
"""No canary: it says who asked."""
KEY_SET = "canary-keyset-0b5d"
OPAQUE = {mode: f"canary-opaque-{mode}-" + "7c0d" * 12 for mode in ("active", "inactive", "broken", "refused")}
"""Tokens that their issuer is asked about, by what it answers; after failures it is left alone for a while."""
SECRETS = {
    name: f"canary-{name}-e3b8-" + "0123456789abcdef" * 2 for name in ("client", "cache", "cache-password", "receiver")
}
"""Of files and addresses, by whose they are."""
EXCEPTION = "canary-exception-91c4"

HOOK = f'''
import asyncio, logging, warnings

async def check(claims):
    mode = claims.get("mode")
    text = "{EXCEPTION} " + repr(dict(claims))
    if mode == "raise":
        raise ValueError(text)
    if mode == "chain":
        try:
            raise KeyError(text)
        except KeyError as error:
            raise RuntimeError(text) from error
    if mode == "task":
        async def fail():
            raise ValueError(text)
        asyncio.ensure_future(fail())
    if mode == "callback":
        asyncio.get_running_loop().call_soon(lambda: 1 / len("" if text else "x"))
    if mode == "hang":
        await asyncio.sleep(60)
    if mode == "exit":
        raise SystemExit(text)
    if mode == "talk":
        logging.getLogger("operator").error(text)
        logging.getLogger("operator").error("%s", text, extra={{"claims": dict(claims)}})
        warnings.warn(text)
    return mode != "no"
'''
MODES = ("raise", "chain", "task", "callback", "hang", "exit", "talk", "no")


def claims(**changes: object) -> dict[str, object]:
    """Valid ones, each with a canary for its value that can have one."""
    now = int(time.time())
    valid: dict[str, object] = {"iss": ISSUER, "aud": "gateway", "iat": now, "exp": now + 600, "roles": ["Caller"]}
    return valid | CLAIMS | {"groups": [CLAIMS["team"]], "address": {"street": CLAIMS["deep"]}} | changes


def tokens(pair: KeyPair = PAIR) -> dict[str, str]:
    """By what is wrong with them."""
    good = pair.token(claims())
    header, payload, signature = good.split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    now = int(time.time())
    return {
        "good": good,
        "allowed": pair.token({name: value for name, value in claims().items() if name not in ("groups", "org")}),
        "bad signature": f"{header}.{payload}.{flipped}",
        "other key": key_pair("RSA", "other").token(claims()),
        "unknown kid": pair.token(claims(), header=pair.header(kid="canary-unknown-kid")),
        "expired": pair.token(claims(iat=now - 7200, exp=now - 3600)),
        "not yet": pair.token(claims(nbf=now + 3600)),
        "other audience": pair.token(claims(aud="canary-audience")),
        "no issuer": pair.token(claims(iss="https://canary-issuer.example")),
        "keys that are no keys": pair.token(claims(iss=BROKEN)),
        "keys out of reach": pair.token(claims(iss=FAR)),
        "no claims": f"{header}.bm90IGpzb24.{signature}",
        "scheme": f"Bearer {good}",
        "cut": good[: len(good) // 2],
        "long": good + "A" * 9000,
        "two": f"{good} {good}",
        "wrong types": pair.token(claims(groups={"canary-group-91": ["canary-member-17"]}, email=7)),
        **{mode: pair.token(claims(mode=mode)) for mode in MODES},
        **{f"opaque {mode}": token for mode, token in OPAQUE.items()},
    }


def canaries(asked: Mapping[str, str]) -> dict[str, str]:
    """What must come out nowhere, by what it is: of tokens the payloads and signatures."""
    found = {f"claim {name}": text for name, text in CLAIMS.items()}
    found |= {f"question's {name}": text for name, text in ASKED.items()}
    found |= {f"metadata {name}": text for name, text in METADATA.items()}
    found |= {"credential": CREDENTIAL[:22], "other credential": OTHER_CREDENTIAL[:18]}
    found |= {"key set": KEY_SET, "exception": EXCEPTION, "audience": "canary-audience", "kid": "canary-unknown-kid"}
    found |= {"issuer": "canary-issuer.example", "group": "canary-group-91", "member": "canary-member-17"}
    found |= {f"secret of {name}": text[:24] for name, text in SECRETS.items()}
    found |= {f"opaque {name}": text[:24] for name, text in OPAQUE.items()}
    for name, token in asked.items():
        for place, part in enumerate(token.removeprefix("Bearer ").split(".")[1:3]):
            found[f"token {name} part {place}"] = part[:40]
    return found


def config(folder: Path, keys_at: str, sink: Sink) -> Path:
    """The file of a daemon that tells all it can. Of the questions route and model, of the claims one are asked for."""
    (folder / "canary_hook.py").write_text(HOOK)
    (folder / "credential").write_text(CREDENTIAL)
    for name, text in SECRETS.items():
        (folder / f"{name}.secret").write_text(text)
    (folder / "cache.address").write_text(f"redis://usherd:{SECRETS['cache-password']}@127.0.0.1:1/0")
    introspection: dict[str, Any] = {"client_id": "usherd", "client_secret": "file:client.secret"}
    introspection |= {"opaque": ["canary-opaque-"], "timeout": "9s"}
    issuers: list[dict[str, Any]] = [
        {"name": "here", "issuer": ISSUER, "keys": {"jwks": key_set(PAIR)}, "answer_claims": ["department", "name"]},
        {"name": "broken", "issuer": BROKEN, "keys": {"jwks_url": keys_at}},
        {"name": "far", "issuer": FAR, "keys": {"jwks_url": "https://127.0.0.1:1/jwks"}},
        {"name": "asked", "issuer": ASKED_ABOUT, "keys": {"introspection": {"url": keys_at, **introspection}}},
    ]
    words = {"teams": "groups", "user": "user", "organization": "org", "end_user": "end_user", "email": "email"}
    role = {"name": "caller", "issuer": "here", "when": {"roles": "Caller"}, "for": ["user", "service"]}
    content = {
        "issuers": [{**each, "audiences": ["gateway"], "claims": words} for each in issuers],
        "roles": [{**role, "grants": {"routes": ["openai_routes"], "models": ["gpt-4o"]}}],
        "models": [{"name": "gpt-4o"}],
        "callers": [{"name": CALLER, "credential": "file:credential", "rpcs": ["AuthorizationService/*"]}],
        "cache": {
            "identity_provider": "file:cache.address",
            "identity_provider_key": "file:cache.secret",
        },
        "hooks": {"validate": "canary_hook:check", "timeout": "100ms"},
        "insecure": {"loopback_http": True},
        "server": {"address": "127.0.0.1:0"},
        "telemetry": {
            "log": "json",
            "level": "debug",
            "metrics": "127.0.0.1:0",
            "decision_log": {"file": "decisions.jsonl", "include": ["route", "model"], "claims": ["department"]},
            "traces": {
                "endpoint": sink.endpoint,
                "protocol": "http/protobuf",
                "sample": 1,
                "headers": {"x-receiver-key": "file:receiver.secret"},
            },
        },
    }
    path = folder / "usherd.yaml"
    path.write_text(json.dumps(content))
    return path


@contextlib.asynccontextmanager
async def broken_keys() -> AsyncIterator[str]:
    """Where a key set would be, if it were one. It is asked about opaque tokens, too."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"keys": [{"kty": "%s"}, "%s"' % ((KEY_SET.encode(),) * 2))

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"])).decode()
            mode = next((mode for mode, token in OPAQUE.items() if token in asked), "")
            self.send_response(401 if mode == "refused" else 200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            answer = json.dumps({"active": mode != "inactive", **claims(iss=ASKED_ABOUT)})
            self.wfile.write(answer[: -1 if mode == "broken" else None].encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{KEY_SET}"
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


async def ask_in_every_way(channel: grpc.aio.Channel, asked: Mapping[str, str]) -> set[grpc.StatusCode]:
    """Asks with each token by each method, whole and broken, with canaries wherever a word can be."""
    metadata = (
        *METADATA.items(),
        ("authorization", f"Bearer {CREDENTIAL}"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    )
    stolen, twice = (("authorization", f"Bearer {OTHER_CREDENTIAL}"),), (("authorization", OTHER_CREDENTIAL),) * 2
    seen = set()
    for token in asked.values():
        for others in (stolen, twice, (("authorization", token[:4000]),), ()):
            seen.add((await call(channel, "Check", b"", metadata=others)).code)
        for method, request in _requests(token):
            data = request.SerializeToString()
            for sent in (data, data[:-1], data + b"\xff", data.replace(b"canary-route", b"canary\xff\xfe-rou")):
                outcome = await call(channel, method, sent, metadata=metadata)
                seen.add(outcome.code)
        for name in (f"/{token[:200]}/Check", f"/usher.v1.AuthorizationService/{ASKED['method']}"):
            with contextlib.suppress(grpc.aio.AioRpcError):
                await channel.unary_unary(name)(b"", timeout=5, metadata=metadata)
    return seen


def _requests(token: str) -> list[tuple[str, Message]]:
    options = api.Options(request_id=REQUEST_ID)
    good = question_pb2.Question(token=token, route="/v1/chat/completions", method="POST", model="gpt-4o")
    bad = question_pb2.Question(
        token=token,
        route=f"/{ASKED['route']}?{ASKED['query']}={token}",
        method=ASKED["method"],
        model=ASKED["model"],
        fallback_models=[ASKED["fallback"]],
        team_id=ASKED["team_wish"],
        end_user_id=ASKED["end_user_id"],
        organization_id=ASKED["organization_id"],
    )
    misplaced = question_pb2.Question(token=good.token, route=f"/v1/{token}", method=token, model=token)
    item = api.BatchCheckRequest.Item
    found: list[tuple[str, Message]] = []
    for question in (good, bad, misplaced):
        found += [
            ("Authorize", api.AuthorizeRequest(question=question, options=options)),
            ("Check", api.CheckRequest(question=question, options=options)),
            ("ListModels", api.ListModelsRequest(question=question, options=options)),
        ]
    return [
        *found,
        ("BatchCheck", api.BatchCheckRequest(items=[item(id="1", question=good), item(id="2", question=bad)])),
        ("BatchCheck", api.BatchCheckRequest(items=[item(id=token[:100], question=bad)], options=options)),
        ("Authorize", api.AuthorizeRequest(question=bad, mode=3)),
        ("Check", api.CheckRequest(question=good, options=api.Options(explain=True))),
        ("Check", api.CheckRequest(question=good, options=api.Options(request_id=token[:128]))),
        ("Check", api.CheckRequest(question=good, options=api.Options(request_id=f"{token}\n"))),
        ("Check", api.CheckRequest(question=good, options=api.Options(at_least_as_fresh=token))),
        ("ListModels", api.ListModelsRequest(question=good, page_token=token)),
    ]
