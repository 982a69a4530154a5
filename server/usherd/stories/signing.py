"""Signs the tokens of stories with keys that are made for one run, and trusted by nobody else."""

from __future__ import annotations

import base64
import functools
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from usherd.config.schema_stories import KeyType

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

ALGORITHMS: dict[KeyType, tuple[str, ...]] = {
    "Ed25519": ("EdDSA",),
    "P-256": ("ES256",),
    "RSA": ("RS256", "PS256", "RS384", "RS512", "PS384", "PS512"),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "RSA-1024": ("RS256", "PS256", "RS384", "RS512", "PS384"),
}
"""What each type of key signs with, its favourite first; the types in the order in which they are chosen from."""

_CURVES: dict[KeyType, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_RSA_BITS: dict[KeyType, int] = {"RSA": 2048, "RSA-1024": 1024}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoryKey:
    """A private key of one issuer."""

    kid: str
    type: KeyType
    private: PrivateKey = field(repr=False)

    def jwk(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The public key (RFC 7517) with `kid`, `use` and `alg`, changed; None leaves a member out."""
        members: dict[str, Any] = {"kid": self.kid, "use": "sig", "alg": ALGORITHMS[self.type][0]}
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            members |= {"kty": "RSA", "n": _encode_int(numbers.n), "e": _encode_int(numbers.e)}
        elif isinstance(public, ec.EllipticCurvePublicKey):
            point, size = public.public_numbers(), (public.key_size + 7) // 8
            x, y = _encode_int(point.x, size), _encode_int(point.y, size)
            members |= {"kty": "EC", "crv": self.type, "x": x, "y": y}
        else:
            members |= {"kty": "OKP", "crv": self.type, "x": _encode(public.public_bytes_raw())}
        return _changed(members, changes)

    def token(self, claims: Mapping[str, Any], algorithm: str, header: Mapping[str, Any]) -> str:
        """A token (RFC 7515, section 7.1) with those claims; `header` changes its header, None leaves a member out.

        Where the header names an algorithm that the key cannot sign with, `algorithm` signs all the same.
        """
        members = _changed({"alg": algorithm, "kid": self.kid, "typ": "at+jwt"}, header)
        signing = members["alg"] if members.get("alg") in ALGORITHMS[self.type] else algorithm
        signing_input = f"{_json(members)}.{_json(claims)}"
        return f"{signing_input}.{_encode(self._sign(signing_input.encode(), signing))}"

    def _sign(self, signing_input: bytes, algorithm: str) -> bytes:
        """The signature (RFC 7518, section 3; RFC 8037, section 3.1)."""
        key = self.private
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(signing_input)
        digest = _HASHES[algorithm[2:]]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            size = (key.key_size + 7) // 8
            r, s = decode_dss_signature(key.sign(signing_input, ec.ECDSA(digest)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if algorithm.startswith("PS"):
            return key.sign(signing_input, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(signing_input, padding.PKCS1v15(), digest)


@functools.cache
def story_key(issuer: str, kid: str, key_type: KeyType) -> StoryKey:
    """The key of that type and id of the issuer of that name: the same one for the whole run."""
    return StoryKey(kid=kid, type=key_type, private=_new(key_type))


def session_token(claims: Mapping[str, Any], secret: bytes, header: Mapping[str, Any]) -> str:
    """A session of LiteLLM's user interface: HS256 over the master key."""
    signing_input = f"{_json(_changed({'alg': 'HS256', 'typ': 'JWT'}, header))}.{_json(claims)}"
    return f"{signing_input}.{_encode(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


def _new(key_type: KeyType) -> PrivateKey:
    if key_type in _CURVES:
        return ec.generate_private_key(_CURVES[key_type])
    if key_type in _RSA_BITS:
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS[key_type])
    return ed25519.Ed25519PrivateKey.generate()


def _changed(members: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (members | dict(changes)).items() if value is not None}


def _json(value: object) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    """Base64url without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode_int(number: int, size: int | None = None) -> str:
    """Base64urlUInt (RFC 7518, section 2), or of exactly `size` bytes."""
    return _encode(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))
