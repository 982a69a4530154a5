"""Makes cases for tests: an allowed question of a known user, unless a test changes it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from keyring import key_pair, key_set
from usherd.parity.answers import Answer, Ids, Outcome
from usherd.parity.cases import Case, KeyDocuments

FOLDER = Path(__file__).parent
CASES = FOLDER / "cases.jsonl.xz"
DOCUMENTS = KeyDocuments(FOLDER / "jwks")
URL = "https://idp.example.com/.well-known/jwks.json"
KEYS = key_set(key_pair("RSA"))

ALLOWED_HTTP = {"allowed": True, "status": 200, "user_role": "internal_user"}
DENIED_HTTP = {"allowed": False, "status": 401}


def ids(**changed: Any) -> dict[str, Any]:
    """What LiteLLM says of an allowed request."""
    nobody = {"is_proxy_admin": False, "team_id": None, "user_id": None, "org_id": None, "end_user_id": None}
    return nobody | {"has_team_object": False} | changed


def allowed(**changed: Any) -> dict[str, Any]:
    """LiteLLM's answer to an allowed request."""
    return {
        "allowed": True,
        "status": 200,
        "ids": ids(**changed),
        "post_checks": {"allowed": True, "status": 200},
        "role": None,
        "final_allowed": True,
        "http": dict(ALLOWED_HTTP),
        "alternatives": [],
    }


def denied(status: object = "error", http: int = 401) -> dict[str, Any]:
    """LiteLLM's answer to a denied request."""
    return {
        "allowed": False,
        "status": status,
        "role": None,
        "final_allowed": False,
        "http": {"allowed": False, "status": http},
        "alternatives": [],
    }


def case(
    jwtauth: dict[str, Any] | None = None, claims: dict[str, Any] | None = None, *, token: str = "", **changed: Any
) -> Case:
    """A case under some `litellm_jwtauth`, of a token that says `claims`; other members by name."""
    claims = {"sub": "u-1"} if claims is None else claims
    config = {
        "general_settings": {"enable_jwt_auth": True, "litellm_jwtauth": jwtauth or {}},
        "env": {"JWT_PUBLIC_KEY_URL": URL},
        "leeway": 0,
    }
    members: dict[str, Any] = {
        "id": "test.case",
        "area": "test",
        "config": config | changed.pop("config", {}),
        "keys": "single",
        "jwks_http": None,
        "token": token or key_pair("RSA").token(claims),
        "claims": claims,
        "directory": {},
        "route": "/chat/completions",
        "method": "POST",
        "model": "gpt-4o",
        "request": {},
        "expected": allowed(),
        "latest": {},
        "tags": frozenset(),
    }
    return Case(**(members | changed))


def answer(outcome: Outcome = Outcome.ALLOWED, **changed: Any) -> Answer:
    """An answer of usherd's; `ids` by name."""
    told = {key: changed.pop(key) for key in list(changed) if key in Ids.__dataclass_fields__}
    reason = {"reason": "ALLOWED" if outcome is Outcome.ALLOWED else "MODEL_NOT_GRANTED"}
    return Answer(outcome=outcome, ids=Ids(**told), **(reason | changed))


def part(value: object) -> str:
    """A part of a token: base64url of JSON, or of bytes as they are."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Documents(KeyDocuments):
    """The tests' own key, whatever document is named."""

    def __init__(self) -> None:
        super().__init__(FOLDER)

    def body(self, name: str) -> bytes:
        return json.dumps(KEYS).encode()

    def value(self, name: str) -> object:
        return KEYS
