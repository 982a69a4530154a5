"""Plays an issuer that is asked about its tokens (RFC 7662), and fails in every way that a test asks for.

async with IntrospectionServer() as server:
    server.issue("opaque-1", sub="alice")
    server.revoke("opaque-1")
    await server.fail(Fault.HANG, PATH)
    assert server.asked == ["opaque-1"]
"""

from __future__ import annotations

import base64
import json
import ssl
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from tools.key_server import KeyServer, Request

PATH = "/introspect"


class IntrospectionServer(KeyServer):
    """Knows some tokens, and says of all others that they are not active."""

    def __init__(
        self, *, client_id: str = "usherd", client_secret: str = "s3cret", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(tls=tls)
        self.credentials = (client_id, client_secret)
        self.tokens: dict[str, dict[str, Any]] = {}
        self.raw: bytes | None = None
        """Answered to everything, whatever it is."""
        self.documents[PATH] = b""

    @property
    def url(self) -> str:
        return self.origin + PATH

    @property
    def asked(self) -> list[str]:
        """The tokens that it was asked about, in order."""
        return [_form(request)["token"] for request in self.requests if request.path == PATH]

    def issue(self, token: str, **claims: Any) -> None:
        """From now on that token is active."""
        self.tokens[token] = claims

    def revoke(self, token: str) -> None:
        """From now on it is not."""
        del self.tokens[token]

    async def answer_to(self, request: Request) -> bytes | None:
        if request.path != PATH:
            return await super().answer_to(request)
        if self.raw is not None:
            return self.raw
        form = _form(request)
        if request.method != "POST" or _credentials(request, form) != self.credentials:
            return None
        claims = self.tokens.get(form["token"])
        # Real servers say more of a token that is not active than they should.
        answer = {"active": False, "sub": "mallory"} if claims is None else {"active": True, **claims}
        return json.dumps(answer).encode()


def _form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode("ascii"), strict_parsing=True).items()}


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Client id and secret as RFC 6749, section 2.3.1 has them."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme != "Basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    client_id, _, secret = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
