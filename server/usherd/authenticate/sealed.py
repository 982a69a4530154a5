"""Seals what leaves the process and comes back: without the secret nobody can read, make or move it."""

from __future__ import annotations

import hmac
import secrets
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MIN_SECRET = 32
"""Bytes of a secret: fewer can be found by trying."""
OVERHEAD = 1 + 16 + 12 + 16
"""Bytes that sealing adds: a version, the two dates, the nonce, the tag."""

_VERSION = b"\x01"
_DATES = struct.Struct(">dd")
_NONCE = 12


class Seal:
    """Seals under one secret, by AES-256-GCM (NIST SP 800-38D).

    Name and dates are authenticated with the value: what was sealed under one name opens under no other, and lives no
    longer than was meant. Each name has a key of its own, so that random nonces never meet, however much is sealed.
    """

    def __init__(self, secret: bytes) -> None:
        """Raises ValueError for a secret of fewer than `MIN_SECRET` bytes."""
        if len(secret) < MIN_SECRET:
            raise ValueError(f"a secret of at least {MIN_SECRET} bytes is needed")
        self._key = hmac.digest(secret, b"usherd sealed values", "sha256")

    def seal(self, name: str, made_at: float, expires_at: float, value: bytes) -> bytes:
        """The sealed value. Dates are seconds since the epoch."""
        head = _VERSION + _DATES.pack(made_at, expires_at)
        nonce = secrets.token_bytes(_NONCE)
        return head + nonce + self._cipher(name).encrypt(nonce, value, head)

    def open(self, name: str, data: bytes) -> tuple[float, float, bytes] | None:
        """(made at, expires at, value) of what was sealed under that name; None for everything else."""
        if len(data) < OVERHEAD or data[:1] != _VERSION:
            return None
        head, nonce, rest = data[:17], data[17 : 17 + _NONCE], data[17 + _NONCE :]
        try:
            value = self._cipher(name).decrypt(nonce, rest, head)
        except InvalidTag:
            return None
        made_at, expires_at = _DATES.unpack(head[1:])
        return made_at, expires_at, value

    def _cipher(self, name: str) -> AESGCM:
        return AESGCM(hmac.digest(self._key, name.encode(), "sha256"))
