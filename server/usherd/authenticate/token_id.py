"""Gives each token an id that every replica computes alike, and that tells nothing about the token."""

from __future__ import annotations

import hashlib


class TokenIds:
    """Ids of one issuer's tokens."""

    def __init__(self, digest: str, store_key: bytes | None = None) -> None:
        """`store_key` is that of the store which all replicas share: then a token has one id for good, whatever becomes
        of its issuer's configuration, as what was revoked must stay revoked. Without a store nothing is revoked, and
        the configuration's `digest` is the key: one configuration, one id."""
        secret = digest.encode() if store_key is None else store_key
        key = hashlib.blake2b(secret, digest_size=32, person=b"usherd token id").digest()
        self._keyed = hashlib.blake2b(digest_size=16, key=key)

    def of(self, signing_input: bytes) -> str:
        """The id of the token with that header and payload, 32 hexadecimal digits.

        The signature is left out: one can be changed into another valid one (ECDSA), and would give a revoked token
        a new id.
        """
        keyed = self._keyed.copy()
        keyed.update(signing_input)
        return keyed.hexdigest()
