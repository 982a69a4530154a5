"""Keys that sign sessions of usherd's own: made, sealed, opened and used here, and nowhere in clear but in memory."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from usherd.authenticate.key_rules import encode
from usherd.authenticate.keys import load_key_set
from usherd.domain import SESSION_ISSUER

ALGORITHM = "EdDSA"
SECRET_SIZE = 32
"""Bytes of a secret that keys are sealed under: an AES-256 key."""

_VERSION = b"\x01"
_NONCE = 12
_ABOUT = b"usherd session key\x00"
_SIZE = 32


class SigningKey:
    """An Ed25519 key (RFC 8037)."""

    __slots__ = ("_private", "kid", "public_jwk", "verification_key")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        members = {"crv": "Ed25519", "kty": "OKP", "x": encode(private.public_key().public_bytes_raw())}
        # RFC 7638, section 3: the members in this order and without spaces.
        thumbprint = encode(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())
        self.kid = thumbprint
        self.public_jwk: Mapping[str, str] = members | {"kid": self.kid, "use": "sig", "alg": ALGORITHM}
        loaded = load_key_set([dict(self.public_jwk)], issuer=SESSION_ISSUER, algorithms=frozenset({ALGORITHM}))
        (self.verification_key,) = loaded.keys

    @classmethod
    def new(cls) -> SigningKey:
        """A new one."""
        return cls(Ed25519PrivateKey.generate())

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"

    def token(self, claims: Mapping[str, object], token_type: str) -> str:
        """A compact JWS with these claims (RFC 7515, section 7.1)."""
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": token_type}
        signing_input = f"{_part(header)}.{_part(claims)}"
        return f"{signing_input}.{encode(self._private.sign(signing_input.encode()))}"

    def sealed(self, encryption: KeyEncryption) -> bytes:
        """The private half, encrypted."""
        return encryption.seal(self.kid, self._private.private_bytes_raw())


class KeyEncryption:
    """Seals private keys with AES-256-GCM (NIST SP 800-38D). The first secret seals; every one opens."""

    def __init__(self, secret_keys: Sequence[bytes]) -> None:
        """Raises ValueError for no secret, or one that is not `SECRET_SIZE` bytes long."""
        if not secret_keys or any(len(each) != SECRET_SIZE for each in secret_keys):
            raise ValueError(f"expected one or more secrets of {SECRET_SIZE} bytes")
        self._ciphers = [AESGCM(each) for each in secret_keys]

    def seal(self, kid: str, private: bytes) -> bytes:
        """The sealed key, which opens under this id and no other."""
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, private, _ABOUT + kid.encode())

    def open(self, kid: str, data: bytes) -> tuple[SigningKey, bool] | None:
        """The key, and whether it was sealed under the first secret.

        None when no secret opens it, or what comes out is not the key of that id: whoever can write where keys are
        kept, and does not know a secret, makes no key that counts.
        """
        if data[:1] != _VERSION:
            return None
        nonce, rest = data[1 : 1 + _NONCE], data[1 + _NONCE :]
        for place, cipher in enumerate(self._ciphers):
            try:
                private = cipher.decrypt(nonce, rest, _ABOUT + kid.encode())
            except (InvalidTag, ValueError):
                continue
            if len(private) != _SIZE:
                return None
            key = SigningKey(Ed25519PrivateKey.from_private_bytes(private))
            return (key, place == 0) if key.kid == kid else None
        return None


def _part(value: Mapping[str, object]) -> str:
    return encode(json.dumps(dict(value), separators=(",", ":"), ensure_ascii=False).encode())
