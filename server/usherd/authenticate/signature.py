"""Verifies signatures: the one place where bytes of a token meet the crypto library.

It asks the library's algorithm for the bytes as they were received. The library's own token classes are not used:
they verify over a re-encoding, keep looser rules, and cost five times as much.
"""

from __future__ import annotations

from typing import Any

from jwcrypto.jwa import JWA

from usherd.domain import VerificationKey
from usherd.errors import Refusal
from usherd.reasons import Reason

_VERIFIERS: dict[str, Any] = {
    name: JWA.signing_alg(name)
    for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
}
"""All algorithms that there are here; what is not in it cannot be verified, whatever a policy says."""

ALGORITHMS = frozenset(_VERIFIERS)
"""Names of the signature algorithms that can be verified (RFC 7518, section 3.1; RFC 8037)."""


def verify(key: VerificationKey, algorithm: str, signing_input: bytes, signature: bytes) -> None:
    """Returns if the signature is the key's, by an algorithm that the key is bound to.

    The size is compared first: the library would read an ECDSA signature of any size (RFC 7518, section 3.4).
    Raises Refusal: ALGORITHM_KEY_MISMATCH, SIGNATURE_INVALID.
    """
    verifier = _VERIFIERS.get(algorithm)
    if verifier is None or algorithm not in key.algorithms:
        raise Refusal(Reason.ALGORITHM_KEY_MISMATCH)
    if len(signature) != key.signature_size[algorithm] or not _fits(verifier, key, signing_input, signature):
        raise Refusal(Reason.SIGNATURE_INVALID)


def _fits(verifier: Any, key: VerificationKey, signing_input: bytes, signature: bytes) -> bool:
    try:
        verifier.verify(key.material, signing_input, signature)
    except Exception:  # the library says "invalid" with an open set of errors; none of them may pass, or be quoted
        return False
    return True
