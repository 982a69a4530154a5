"""Makes keys and signs tokens for tests, with `cryptography` alone: a second opinion on what the daemon verifies.

pair = key_pair("RSA")                      one per (kind, kid) and process
token = pair.token(claims(sub="alice"))     a valid token of ISSUER for AUDIENCE at NOW
token = compact(b'{"alg": 7}', b"[]", pair.sign)   raw bytes, whatever they are
keys = StaticKeys.of(idp=[pair])            a `ports.Keys` over fixed keys
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from usherd.authenticate.keys import load_key_set
from usherd.authenticate.verifier import Verifier
from usherd.domain import VerificationKey, VerifiedToken
from usherd.errors import KeysUnavailable, Refusal
from usherd.policy import IssuerPolicy, Policy, TokenRules
from usherd.reasons import Reason

NOW = 1_800_000_000.0
"""The instant at which the tests' tokens are made."""
ISSUER_NAME = "idp"
ISSUER = "https://idp.example"
AUDIENCE = "api://gateway"
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})

DEFAULT_ALGORITHM = {
    "RSA": "RS256",
    "RSA-1024": "RS256",
    "RSA-3072": "RS256",
    "RSA-4096": "RS256",
    "P-256": "ES256",
    "P-384": "ES384",
    "P-521": "ES512",
    "Ed25519": "EdDSA",
    "Ed448": "EdDSA",
}
"""The kinds of keys, each with the algorithm that it signs with unless told otherwise."""

_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


def encode(data: bytes) -> str:
    """Base64url without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode_int(number: int, size: int | None = None) -> str:
    """Base64urlUInt (RFC 7518, section 2), or of exactly `size` bytes."""
    return encode(number.to_bytes(size or (number.bit_length() + 7) // 8 or 1, "big"))


def as_json(value: object) -> bytes:
    """The value as compact JSON; bytes are taken as they are."""
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def compact(header: object, payload: object, sign: Callable[[bytes], bytes] | bytes) -> str:
    """The compact serialization of any header and payload (values, or raw bytes); `sign` may be a signature itself."""
    signing_input = f"{encode(as_json(header))}.{encode(as_json(payload))}"
    signature = sign if isinstance(sign, bytes) else sign(signing_input.encode())
    return f"{signing_input}.{encode(signature)}"


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a valid token at NOW that lives for ten minutes, changed; the value `...` leaves a claim out."""
    valid = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": int(NOW), "exp": int(NOW) + 600}
    return {name: value for name, value in (valid | changes).items() if value is not ...}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyPair:
    """A private key, with everything that a test wants of it."""

    kind: str
    kid: str | None
    private: PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The algorithm that it signs with unless told otherwise."""
        return DEFAULT_ALGORITHM[self.kind]

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """The public JWK, with `use` and `alg`, changed; the value `...` leaves a member out."""
        members: dict[str, Any] = {"kid": self.kid or ..., "use": "sig", "alg": self.algorithm}
        public: Any = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            members |= {"kty": "RSA", "n": encode_int(numbers.n), "e": encode_int(numbers.e)}
        elif isinstance(public, ec.EllipticCurvePublicKey):
            point, size = public.public_numbers(), (public.key_size + 7) // 8
            x, y = encode_int(point.x, size), encode_int(point.y, size)
            members |= {"kty": "EC", "crv": self.kind, "x": x, "y": y}
        else:
            members |= {"kty": "OKP", "crv": self.kind, "x": encode(public.public_bytes_raw())}
        return {name: value for name, value in (members | changes).items() if value is not ...}

    def sign(self, signing_input: bytes, algorithm: str | None = None) -> bytes:
        """The JWS signature (RFC 7518, section 3; RFC 8037) of the bytes."""
        algorithm = algorithm or self.algorithm
        key = self.private
        if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
            return key.sign(signing_input)
        digest = _HASHES[algorithm[2:]]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(key.sign(signing_input, ec.ECDSA(digest)))
            size = (key.key_size + 7) // 8
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if algorithm.startswith("PS"):
            return key.sign(signing_input, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(signing_input, padding.PKCS1v15(), digest)

    def header(self, **changes: Any) -> dict[str, Any]:
        """The header of a valid token, changed; the value `...` leaves a member out."""
        members = {"alg": self.algorithm, "kid": self.kid or ..., "typ": "JWT"}
        return {name: value for name, value in (members | changes).items() if value is not ...}

    def token(self, payload: object = None, *, header: object = None, algorithm: str | None = None) -> str:
        """A signed token; `payload` and `header` default to valid ones, and may be raw bytes."""
        algorithm = algorithm or self.algorithm
        return compact(
            self.header(alg=algorithm) if header is None else header,
            claims() if payload is None else payload,
            lambda signing_input: self.sign(signing_input, algorithm),
        )


@functools.cache
def _private_key(kind: str, kid: str | None) -> PrivateKey:
    if kind.startswith("RSA"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[4:] or 2048))
    # The same key in every process: a failing example can be run again.
    seed = hashlib.shake_256(f"{kind}/{kid}".encode()).digest(66)
    if kind in _CURVES:
        return ec.derive_private_key(1 + int.from_bytes(seed[: 31 if kind == "P-256" else 47]), _CURVES[kind])
    if kind == "Ed448":
        return ed448.Ed448PrivateKey.from_private_bytes(seed[:57])
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed[:32])


@functools.cache
def key_pair(kind: str = "RSA", kid: str | None = "key-1") -> KeyPair:
    """The key pair of that kind (see DEFAULT_ALGORITHM) and key id; the same one each time."""
    return KeyPair(kind=kind, kid=kid, private=_private_key(kind, kid))


def key_set(*pairs: KeyPair) -> dict[str, Any]:
    """The JWKS document of the public keys."""
    return {"keys": [pair.jwk() for pair in pairs]}


def session_token(payload: object, secret: bytes, header: object = None) -> str:
    """A token of LiteLLM's form: HS256 over the master key."""
    header = {"alg": "HS256", "typ": "JWT"} if header is None else header
    return compact(header, payload, lambda data: hmac.new(secret, data, hashlib.sha256).digest())


def policy(**token_rules: Any) -> Policy:
    """A policy with one issuer (ISSUER_NAME, ISSUER, AUDIENCE), its token rules changed."""
    rules: dict[str, Any] = {"issuer": ISSUER, "audiences": frozenset({AUDIENCE}), "algorithms": ALGORITHMS}
    token = TokenRules(**(rules | token_rules))
    return Policy(issuers=(IssuerPolicy(name=ISSUER_NAME, token=token, digest="issuer-digest"),), digest="digest")


def verification_keys(issuer: str, documents: Sequence[Mapping[str, Any]]) -> tuple[VerificationKey, ...]:
    """The usable keys of the JWKs, as the daemon loads them for the issuer of that name."""
    return load_key_set({"keys": list(documents)}, issuer=issuer, algorithms=ALGORITHMS).keys


async def reason_of(verifier: Verifier, token: str) -> Reason | None:
    """Why the verifier refuses the token; None: it is genuine."""
    try:
        await verifier.verify(token, patience=1.0)
    except Refusal as refusal:
        return refusal.reason
    return None


def recalled(verifier: Verifier, token: str) -> VerifiedToken | None:
    """The token, if the verifier remembers it."""
    return verifier.recall(verifier.digest(token))


class StaticKeys:
    """`ports.Keys` over fixed keys, by the issuer's name. What a test changes in it holds from then on."""

    def __init__(self, sets: Mapping[str, Sequence[VerificationKey]]) -> None:
        self.sets = {issuer: list(keys) for issuer, keys in sets.items()}
        self.arriving: dict[str, list[VerificationKey]] = {}
        """Keys that the next forced refresh finds, by the issuer's name."""
        self.unavailable: set[str] = set()
        """Names of issuers whose keys are out of reach."""
        self.refreshes: list[tuple[str, str | None, float]] = []
        """(issuer, kid, patience) of each forced refresh."""
        self.lasting: dict[str, float] = {}
        """Seconds that a key stays trusted for, by its thumbprint; others do for ever."""

    @classmethod
    def of(cls, **pairs: Sequence[KeyPair]) -> StaticKeys:
        """The public keys of the pairs, by the issuer's name."""
        return cls({name: verification_keys(name, [pair.jwk() for pair in each]) for name, each in pairs.items()})

    def find(self, issuer: str, kid: str | None) -> VerificationKey | None:
        if issuer in self.unavailable or issuer not in self.sets:
            raise KeysUnavailable
        keys = self.sets[issuer]
        if kid is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.kid == kid), None)

    async def find_fresh(self, issuer: str, kid: str | None, patience: float) -> VerificationKey | None:
        self.refreshes.append((issuer, kid, patience))
        self.sets.setdefault(issuer, []).extend(self.arriving.pop(issuer, []))
        return self.find(issuer, kid)

    def trusts(self, key: VerificationKey) -> bool:
        if key.issuer in self.unavailable:
            raise KeysUnavailable
        return any(
            (known.kid, known.thumbprint) == (key.kid, key.thumbprint) for known in self.sets.get(key.issuer, ())
        )

    def usable_for(self, key: VerificationKey) -> float:
        return self.lasting.get(key.thumbprint, math.inf)
