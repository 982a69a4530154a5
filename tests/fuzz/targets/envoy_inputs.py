"""Inputs of the Envoy target: requests that mean something, and changes of them that keep to their form."""

from __future__ import annotations

from random import Random
from typing import Any

from google.protobuf.message import DecodeError

from fuzz.mutators import changed_text, json_mutator, mutate_bytes
from fuzz.proto_mutator import mutate_message
from fuzz.targets.rpc_company import tokens
from fuzz.targets.rpc_inputs import TEXTS
from tools.envoy_requests import body_of, cases, check_request
from usherd.inbound.handed_on import FIELDS, GatewayRules
from usherd.inbound.request import ReadingRules
from usherd.rpc.envoy.wire import CheckRequest
from worlds import CHAT

ORIGIN = "https://ui.example"
RULES = {
    "d": GatewayRules(),
    "h": GatewayRules(
        reading=ReadingRules(
            credential_header="x-key",
            base_path="/ai",
            model_header="x-model",
            team_header="x-team",
            team_alias_header="x-team-alias",
        ),
        identity_headers={f"x-{each.replace('_', '-')}": each for each in FIELDS},
        max_body=1000,
    ),
    "m": GatewayRules(
        reading=ReadingRules(origins=frozenset({ORIGIN}), team_alias_header="x-team-alias"),
        model_metadata=("of.a.filter", "model"),
        forward_credential=True,
    ),
}
"""Configurations, by the letter that an input begins with."""

_NAMES = (
    *("authorization", "api-key", "x-api-key", "x-goog-api-key", "x-key", "cookie", "origin", "upgrade"),
    *("content-type", "content-encoding", "content-length", "transfer-encoding", "x-envoy-auth-partial-body"),
    *("x-model", "x-team", "x-team-alias", "x-request-id", "x-usherd-user", "x_usherd_user", "x-usherd_team", "x_user"),
    *("model", "base_path", "of.a.filter"),
)
_VALUES = (
    *("application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain"),
    *(
        "multipart/form-data; boundary=b",
        'multipart/form-data; boundary="b c"',
        "identity",
        "gzip",
        "chunked",
        "0",
        "17",
    ),
    *(
        "true",
        "false",
        "websocket",
        "Upgrade, WebSocket",
        ORIGIN,
        "https://evil.example",
        "null",
        "",
        " ",
        "a,b",
        "\x00",
    ),
    *("gpt-4o", "o1", "a", "b", "Alpha", "Beta", "/ai", "r-1", "\xff", "é"),
)
_PATHS = (
    *(CHAT, f"/ai{CHAT}", "/v1/models", "/health/liveliness", "/key/generate", "/v1//models", "/v1/%2e", "*", ""),
    *("/v1/realtime?model=gpt-4o", "/v1/realtime?model=gpt-4o&Model=o1", f"{CHAT}?model=o1", "/v1/x?%zz", "/\xff"),
    *("/openai/deployments/o1/chat/completions", "/v1/models?model[]=%67pt-4o&team=a+b"),
)
_FIELD = b'--b\r\ncontent-disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
_BODIES = (
    b'{"model":"gpt-4o"}',
    b'{"model":"gpt-4o","fallbacks":["o1",{"model":"gpt-4o-mini"}],"user":"customer","metadata":{"user_id":"blocked"}}',
    b'{"model":"gpt-4o","guardrails":["x"],"organization_id":"acme","litellm_metadata":{"user":"customer"}}',
    b'{"model":"gpt-4o","MODEL":"o1"}',
    b'{"model":"\\ud800","user":"\\u0000","organization_id":1e999,"fallbacks":{"model":["o1"]}}',
    b'{"model":"gpt-4o","fallbacks":["' + b'","'.join([b"gpt-4o"] * 20) + b'"]}',
    b"[" * 2000,
    b'{"a":' * 2000,
    b'{"model":"gpt-4o","x":"\xff"}',
    b"model=gpt-4o&user=customer",
    b"model=gpt-4o&model%5B%5D=o1&organization_id=%zz",
    _FIELD % (b"model", b"", b"gpt-4o") + b"--b--\r\n",
    _FIELD % (b"file", b'; filename="a.wav"', b"RIFF\x00\xff") + _FIELD % (b"model", b"", b"gpt-4o") + b"--b--",
    _FIELD % (b"model", b'; filename="m"', b"gpt-4o") + b"--b--\r\n",
    b"",
)

_json = json_mutator(
    ("gpt-4o", "o1", "customer", "blocked", "acme", ["gpt-4o"], {"model": "o1"}, {"user_id": "customer"}),
    ("model", "Model", "model[]", "fallbacks", "user", "metadata", "litellm_metadata", "guardrails", "organization_id"),
)


def seeds() -> list[bytes]:
    """A letter for the configuration, and a CheckRequest."""
    kind = ("content-type", "application/json")
    bearers = [("authorization", f"Bearer {token}") for token in tokens()]
    found = [b"d" + check_request(headers=[each, kind], body=_BODIES[0]) for each in bearers]
    found += [
        letter + check_request(headers=[bearers[0], ("x-key", tokens()[0]), ("content-type", each)], body=body)
        for letter in (b"d", b"h")
        for body in _BODIES
        for each in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b")
    ]
    for raw in (True, False):
        found += [
            _letter(case) + check_request(case["method"], case["target"], [bearers[0], ("x-key", tokens()[0]),
            *case["headers"]], body_of(case), raw=raw)
            for case in cases("requests.json")
        ]  # fmt: skip
        found += [
            _letter(case) + check_request(case["method"], "/v1/models", _genuine(case["headers"]), raw=raw)
            for case in cases("credentials.json")
        ]
    session = [(kind), ("cookie", f"a=1; litellm_ui_token_7={tokens()[0]}"), ("origin", ORIGIN)]
    found += [letter + check_request("GET", "/v1/models", session) for letter in (b"d", b"m")]
    found_out = ({"of.a.filter": {"model": "gpt-4o"}}, {"of.a.filter": {}}, {"other": {"model": "o1"}})
    found += [b"m" + check_request(headers=[*session, ("x_usherd_user", "evil")], metadata=each) for each in found_out]
    found += [
        b"d" + check_request("GET", path, [bearers[0], ("upgrade", "websocket")], context=each)
        for path in _PATHS
        if path.isascii()
        for each in ({}, {"model": "gpt-4o", "base_path": "/ai"})
    ]
    return [*(each for each in found if len(each) <= 16384), b"d", b"d\xff\xff", b"d\x0a\x00"]


def _letter(case: dict[str, Any]) -> bytes:
    return b"h" if any(each.endswith("header") for each in case["options"]) else b"d"


def _genuine(headers: list[list[str]]) -> list[tuple[str, str]]:
    """The headers, with a token that is one in place of that of the cases."""
    return [(name, value.replace("eyJhbGciOiJFZERTQSJ9.e30.c2ln", tokens()[0])) for name, value in headers]


def mutate(data: bytes, random: Random) -> bytes:
    """Another input that is like it."""
    letter, body = data[:1], data[1:]
    choice = random.randrange(20)
    if choice == 0:
        return random.choice(b"dhm").to_bytes() + body
    if choice < 3:
        return letter + mutate_bytes(body, random)
    try:
        message = CheckRequest.FromString(body)
    except DecodeError:
        return letter + mutate_bytes(body, random)
    http = message.attributes.request.http
    for _ in range(random.choice((1, 1, 2, 4))):
        place = random.randrange(10)
        if place < 3:
            field = "raw_body" if http.raw_body or random.random() < 0.8 else "body"
            setattr(http, field, _bytes(field, getattr(http, field), random))
        elif place < 6 and (http.header_map.headers or random.random() < 0.8):
            _change_headers(http.header_map.headers, random)
        else:
            mutate_message(message, random, lambda _, text, __: text, _bytes)
    return letter + bytes(message.SerializeToString())


def _change_headers(headers: Any, random: Random) -> None:
    if headers and random.random() < 0.5:
        one = random.choice(headers)
        one.raw_value = _bytes("raw_value", one.raw_value, random)
    else:
        headers.add(key=random.choice(_NAMES).encode(), raw_value=_bytes("raw_value", b"", random))


def _bytes(name: str, value: bytes, random: Random) -> bytes:
    """Bytes for the field of that name."""
    if random.random() < 0.05:
        return mutate_bytes(value, random)
    match name:
        case "path":
            return _some(_PATHS, value, random)
        case "method":
            return _some(TEXTS["method"], value, random)
        case "key":
            return _some(_NAMES, value, random)
        case "body" | "raw_body":
            known = random.random()
            if known < 0.3:
                return random.choice(_BODIES)
            return _json(value, random) if known < 0.8 else mutate_bytes(value, random)
    if random.random() < 0.4:
        form = random.choice(
            ("%s", "Bearer %s", "basic  %s", "a=1; litellm_ui_token_7=%s", "litellm_ui_token_x=%s;b=2")
        )
        return (form % random.choice(tokens())).encode()
    return _some(_VALUES, value, random)


def _some(texts: tuple[str, ...], value: bytes, random: Random) -> bytes:
    if random.random() < 0.8:
        return random.choice(texts).encode(random.choice(("utf-8", "utf-8", "latin-1")))
    return changed_text(value.decode("latin-1"), random).encode(errors="replace")
