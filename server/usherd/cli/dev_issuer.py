"""An identity provider for demonstrations: it signs for sample people, and publishes its key on this machine only."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HOST = "127.0.0.1"
_COORDINATE = 32


class StateUnusable(Exception):
    """The folder for the issuer's key cannot be trusted or written. The text says why."""


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


def state_file() -> Path:
    """Where a running issuer leaves its key for `usherd dev token`: in a folder of this user's own.

    Raises StateUnusable when somebody else could read or change what is in it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "usherd-dev" if runtime else Path(tempfile.gettempdir()) / f"usherd-dev-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StateUnusable(f"{folder}: {error.strerror or 'cannot be used'}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise StateUnusable(f"{folder}: expected a folder of this user's, which nobody else can read")
    return folder / "issuer.json"


@contextmanager
def remembered(signer: Signer) -> Iterator[Path]:
    """Leaves the signer's key in the state file as long as the block lasts. Raises StateUnusable."""
    file = state_file()
    pem = signer.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        json.dump({"issuer": signer.issuer, "key": pem.decode()}, opened)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def recalled() -> Signer | None:
    """The signer of the issuer that runs now; None when none does. Raises StateUnusable."""
    try:
        state = json.loads(state_file().read_text("utf-8"))
        key = serialization.load_pem_private_key(state["key"].encode(), password=None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StateUnusable(f"{state_file()}: cannot be read; start `usherd dev` again") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StateUnusable(f"{state_file()}: holds a key of another kind; start `usherd dev` again")
    return Signer(issuer=str(state["issuer"]), key=key)
