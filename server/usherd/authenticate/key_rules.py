"""Says which published keys are fit to verify signatures, and with which algorithms each."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from enum import Enum

DEFAULT_RSA_ALGORITHMS = frozenset({"RS256"})
"""For an RSA key that names no algorithm, when the issuer's are not configured: the one that every issuer has."""

_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {
    # (kty, crv): algorithm, bytes of a coordinate, bytes of a signature (RFC 7518, section 3.4; RFC 8032, section 5)
    ("EC", "P-256"): ("ES256", 32, 64),
    ("EC", "P-384"): ("ES384", 48, 96),
    ("EC", "P-521"): ("ES512", 66, 132),
    ("OKP", "Ed25519"): ("EdDSA", 32, 64),
    ("OKP", "Ed448"): ("EdDSA", 57, 114),
}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_MIN_RSA_BITS, _MAX_RSA_BITS = 2048, 8192
_MIN_EXPONENT, _MAX_EXPONENT = 65537, 2**32
_TO_BASE64URL = str.maketrans("+/", "-_")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+\Z")
# CVE-2017-15361: moduli of a flawed generator are powers of 65537 modulo each small prime; others almost never
# are modulo all of these at once.
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
_ROCA_RESIDUES = {prime: frozenset(pow(65537, power, prime) for power in range(prime)) for prime in _ROCA_PRIMES}


class Dropped(Enum):
    """Why a published key is not used. A closed set, fit for metric labels."""

    MALFORMED = "malformed"
    PRIVATE = "private"
    SYMMETRIC = "symmetric"
    NOT_FOR_SIGNATURES = "not_for_signatures"
    KEY_TYPE = "key_type"
    ALGORITHM = "algorithm"
    WEAK = "weak"
    DUPLICATE_KID = "duplicate_kid"
    DENIED = "denied"

    @property
    def alarming(self) -> bool:
        """Whether it tells of a secret that was published, or of an issuer that contradicts itself."""
        return self in (Dropped.PRIVATE, Dropped.SYMMETRIC, Dropped.DUPLICATE_KID)


class KeyDropped(Exception):
    """This key is not used."""

    def __init__(self, cause: Dropped) -> None:
        super().__init__(cause.value)
        self.cause = cause


def usable_members(jwk: Mapping[str, object], *, purpose_obeyed: bool = True) -> dict[str, str]:
    """The members that make the public key, in canonical encoding: all that the crypto library gets to see.

    RSA: 2048 to 8192 bits, an odd exponent from 65537 to 2^32. EC: P-256, P-384, P-521. OKP: Ed25519, Ed448.
    If the purpose is obeyed, `use` must be absent or `sig`, `key_ops` absent or with `verify` (RFC 7517, sections 4.2
    and 4.3). Raises KeyDropped.
    """
    kty, crv = jwk.get("kty"), jwk.get("crv")
    if kty == "oct":
        raise KeyDropped(Dropped.SYMMETRIC)
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise KeyDropped(Dropped.PRIVATE)
    if purpose_obeyed:
        _check_purpose(jwk)
    if kty == "RSA":
        return _rsa_members(_unsigned(jwk.get("n")), _unsigned(jwk.get("e")))
    if not isinstance(kty, str) or not isinstance(crv, str) or (kty, crv) not in _CURVES:
        raise KeyDropped(Dropped.KEY_TYPE)
    size = _CURVES[kty, crv][1]
    names = ("x", "y") if kty == "EC" else ("x",)
    return {"kty": kty, "crv": crv} | {name: encode(_coordinate(jwk.get(name), size)) for name in names}


def usable_algorithms(
    members: Mapping[str, str], named: object, issuers: frozenset[str], rsa: frozenset[str]
) -> dict[str, int]:
    """The algorithms that the key may verify, each with the exact size of its signatures in bytes.

    `named` is the JWK's `alg`, `...` if it has none: a key that names its algorithm has no other (RFC 8725, section
    3.1). `issuers` are the issuer's algorithms, `rsa` those of an RSA key that names none.
    Raises KeyDropped when none is left.
    """
    if members["kty"] == "RSA":
        size = len(_decode(members["n"]))
        possible = dict.fromkeys(_RSA_ALGORITHMS & (rsa if named is ... else issuers), size)
    else:
        algorithm, _, size = _CURVES[members["kty"], members["crv"]]
        possible = {algorithm: size}
    usable = {
        algorithm: size
        for algorithm, size in possible.items()
        if algorithm in issuers and (named is ... or named == algorithm)
    }
    if not usable:
        raise KeyDropped(Dropped.ALGORITHM)
    return usable


def encode(data: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def encode_unsigned(number: int, size: int | None = None) -> str:
    """Base64urlUInt (RFC 7518, section 2), or the number in exactly `size` bytes."""
    return encode(number.to_bytes(size or max(1, (number.bit_length() + 7) // 8), "big"))


def _check_purpose(jwk: Mapping[str, object]) -> None:
    if "use" in jwk and jwk["use"] != "sig":
        raise KeyDropped(Dropped.NOT_FOR_SIGNATURES)
    if "key_ops" in jwk:
        operations = jwk["key_ops"]
        if not isinstance(operations, list) or "verify" not in operations:
            raise KeyDropped(Dropped.NOT_FOR_SIGNATURES)


def _rsa_members(n: int, e: int) -> dict[str, str]:
    strong = _MIN_RSA_BITS <= n.bit_length() <= _MAX_RSA_BITS and n % 2 == 1
    if not strong or not _MIN_EXPONENT <= e <= _MAX_EXPONENT or e % 2 == 0 or _is_roca(n):
        raise KeyDropped(Dropped.WEAK)
    return {"kty": "RSA", "n": encode_unsigned(n), "e": encode_unsigned(e)}


def _is_roca(n: int) -> bool:
    return all(n % prime in residues for prime, residues in _ROCA_RESIDUES.items())


def _unsigned(text: object) -> int:
    return int.from_bytes(_decode(text), "big")


def _coordinate(text: object, size: int) -> bytes:
    data = _decode(text)
    if len(data) != size:
        raise KeyDropped(Dropped.MALFORMED)
    return data


def _decode(text: object) -> bytes:
    if not isinstance(text, str):
        raise KeyDropped(Dropped.MALFORMED)
    bare = text.rstrip("=")
    padding = -len(bare) % 4
    if len(text) - len(bare) not in (0, padding):
        raise KeyDropped(Dropped.MALFORMED)
    # Plain base64 is what some issuers send for base64url: the same number, in letters that cannot mean another.
    bare = bare.translate(_TO_BASE64URL)
    if not _BASE64URL.match(bare):
        raise KeyDropped(Dropped.MALFORMED)
    try:
        data = base64.urlsafe_b64decode(bare + "=" * padding)
    except binascii.Error:
        raise KeyDropped(Dropped.MALFORMED) from None
    if encode(data) != bare:
        raise KeyDropped(Dropped.MALFORMED)
    return data
