"""An identity provider for demonstrations: it signs for sample people, and publishes its key on this machine only."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HOST = "127.0.0.1"
_COORDINATE = 32


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """One ES256 key, and the issuer that it signs for."""

    issuer: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def new(cls, issuer: str) -> Signer:
        """A signer with a fresh key."""
        return cls(issuer=issuer, key=ec.generate_private_key(ec.SECP256R1()))

    def public_jwk(self) -> dict[str, str]:
        """The public key, with its RFC 7638 thumbprint as key id."""
        numbers = self.key.public_key().public_numbers()
        x, y = (_b64(number.to_bytes(_COORDINATE, "big")) for number in (numbers.x, numbers.y))
        canonical = json.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":"))
        kid = _b64(hashlib.sha256(canonical.encode()).digest())
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"}

    def sign(self, claims: Mapping[str, Any], *, kid: str | None = None) -> str:
        """A token with those claims; `kid` None names the signer's own key."""
        header = {"alg": "ES256", "kid": kid or self.public_jwk()["kid"], "typ": "at+jwt"}
        signing_input = ".".join(_b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self.key.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
        return f"{signing_input}.{_b64(signature)}"


class _Handler(BaseHTTPRequestHandler):
    documents: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        """One of the two documents, or 404."""
        found = self.documents.get(self.path)
        body = json.dumps(found if found is not None else {"error": "not found"}).encode()
        self.send_response(200 if found is not None else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: what is asked for here is of no interest."""


@contextmanager
def published(port: int = 0) -> Iterator[Signer]:
    """A fresh signer, whose discovery document and key set are served on loopback as long as the block lasts.

    Raises OSError when the port is taken.
    """

    class Handler(_Handler):
        documents: ClassVar[dict[str, Any]] = {}

    with ThreadingHTTPServer((HOST, port), Handler) as server:
        issuer = f"http://{HOST}:{server.server_address[1]}"
        signer = Signer.new(issuer)
        Handler.documents |= {
            "/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": f"{issuer}/jwks.json"},
            "/jwks.json": {"keys": [signer.public_jwk()]},
        }
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield signer
        finally:
            server.shutdown()
            thread.join()
