"""Turns what an issuer publishes into usable keys, one by one, and counts what it drops and why.

Only listed members of a JWK reach the crypto library: others can make it generate keys, or carry private parts.
Published keys are public, so their encoding is no security border: padding, plain base64 and leading zeros, which
real issuers send, are read, while the keys themselves must be strong, on their curve and meant for signatures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwcrypto.jwk import JWK

from usherd.authenticate import strict_json
from usherd.authenticate.key_rules import (
    DEFAULT_RSA_ALGORITHMS,
    Dropped,
    KeyDropped,
    encode,
    encode_unsigned,
    usable_algorithms,
    usable_members,
)
from usherd.domain import VerificationKey

MAX_KEYS = 100
"""Keys in one document."""
MAX_DOCUMENT_SIZE = 1024 * 1024
"""Bytes of one document."""
MAX_KEY_ID = 256
"""Characters of a key id."""


class KeySetError(Exception):
    """The document as a whole is no key set: nothing of it is used. The text never quotes the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """What one document gave."""

    keys: tuple[VerificationKey, ...]
    dropped: Mapping[Dropped, int]
    """How many keys were dropped, by cause."""
    withdrawn: frozenset[str] = frozenset()
    """Ids under which the document has only dropped keys: the issuer speaks of them, and not as usable ones."""


def load_key_set(
    document: object,
    *,
    issuer: str,
    algorithms: frozenset[str],
    rsa_algorithms: frozenset[str] = DEFAULT_RSA_ALGORITHMS,
    denied: frozenset[str] = frozenset(),
) -> KeySet:
    """The usable keys of a key document, for the issuer of that name.

    `document` is a JWK Set (RFC 7517, section 5), a list of JWKs, or an object of key ids with PEM text; parsed
    strictly, or the bytes of it. `algorithms` are the issuer's; `rsa_algorithms` those that an RSA key may verify
    when its JWK names none: the ones that the configuration names for the issuer, or RS256 if it names none.
    `denied` holds key ids and thumbprints.

    Raises KeySetError when the document is none of these, or has more than `MAX_KEYS` keys. A single bad key never
    raises: it is dropped.
    """
    if isinstance(document, bytes):
        document = _parsed(document)
    loader = _Loader(issuer, algorithms, rsa_algorithms, denied)
    for jwk in _entries(document):
        loader.add(jwk)
    return loader.key_set()


def load_pem(
    text: bytes,
    *,
    issuer: str,
    algorithms: frozenset[str],
    rsa_algorithms: frozenset[str] = DEFAULT_RSA_ALGORITHMS,
    denied: frozenset[str] = frozenset(),
    kid: str | None = None,
) -> KeySet:
    """The key of a PEM public key or X.509 certificate, under the same rules as `load_key_set`.

    A certificate is only a wrapping for its key here: its dates, names and issuer are not judged, because whoever
    configured it vouches for the key. Raises KeySetError when the text holds neither.
    """
    jwk = _pem_jwk(text, kid)
    if jwk is None:
        raise KeySetError("neither a PEM public key nor a certificate")
    return load_key_set(
        {"keys": [jwk]}, issuer=issuer, algorithms=algorithms, rsa_algorithms=rsa_algorithms, denied=denied
    )


def _parsed(document: bytes) -> object:
    try:
        return strict_json.load(document, max_size=MAX_DOCUMENT_SIZE)
    except strict_json.StrictJsonError:
        raise KeySetError("not strict JSON, or too large") from None


def _entries(document: object) -> list[object]:
    """The JWKs of the document; None for an entry that cannot be one."""
    if isinstance(document, Mapping):
        if "keys" in document:
            document = document["keys"]
        elif document and all(isinstance(pem, str) and "-----BEGIN " in pem for pem in document.values()):
            if len(document) > MAX_KEYS:
                raise KeySetError("too many keys")
            return [_pem_jwk(pem.encode("utf-8", "replace"), kid) for kid, pem in document.items()]
    if not isinstance(document, list):
        raise KeySetError("not a key set")
    if len(document) > MAX_KEYS:
        raise KeySetError("too many keys")
    return document


def _pem_jwk(text: bytes, kid: str | None) -> dict[str, object] | None:
    try:
        if b"-----BEGIN CERTIFICATE-----" in text:
            public: object = x509.load_pem_x509_certificate(text).public_key()
        else:
            public = serialization.load_pem_public_key(text)
    except Exception:  # the library's errors for text of strangers are an open set
        return None
    named: dict[str, object] = {} if kid is None else {"kid": kid}
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return named | {"kty": "RSA", "n": encode_unsigned(numbers.n), "e": encode_unsigned(numbers.e)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        curve = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}.get(public.curve.name, "")
        point, size = public.public_numbers(), (public.key_size + 7) // 8
        x, y = encode_unsigned(point.x, size), encode_unsigned(point.y, size)
        return named | {"kty": "EC", "crv": curve, "x": x, "y": y}
    if isinstance(public, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        curve = "Ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else "Ed448"
        return named | {"kty": "OKP", "crv": curve, "x": encode(public.public_bytes_raw())}
    return named | {"kty": ""}


class _Loader:
    """Collects the keys of one document."""

    def __init__(
        self, issuer: str, algorithms: frozenset[str], rsa_algorithms: frozenset[str], denied: frozenset[str]
    ) -> None:
        self._issuer = issuer
        self._algorithms = algorithms
        self._rsa_algorithms = rsa_algorithms
        self._denied = denied
        self._keys: list[VerificationKey] = []
        self._dropped: Counter[Dropped] = Counter()
        self._dropped_ids: set[str] = set()

    def add(self, jwk: object) -> None:
        """Takes the JWK, or counts why not."""
        try:
            key = self._usable(jwk)
        except KeyDropped as drop:
            self._dropped[drop.cause] += 1
            if isinstance(jwk, Mapping) and isinstance(kid := jwk.get("kid"), str):
                self._dropped_ids.add(kid)
            return
        # A key that is published twice is one key.
        if not any((key.kid, key.thumbprint) == (known.kid, known.thumbprint) for known in self._keys):
            self._keys.append(key)

    def key_set(self) -> KeySet:
        """The collected keys, without those that share a key id: which one is meant, nobody can tell."""
        named = Counter(key.kid for key in self._keys if key.kid is not None)
        shared = {kid for kid, count in named.items() if count > 1}
        keys = tuple(key for key in self._keys if key.kid not in shared)
        if shared:
            self._dropped[Dropped.DUPLICATE_KID] += len(self._keys) - len(keys)
        withdrawn = (self._dropped_ids | shared) - {key.kid for key in keys}
        return KeySet(keys=keys, dropped=dict(self._dropped), withdrawn=frozenset(withdrawn))

    def _usable(self, jwk: object) -> VerificationKey:
        if not isinstance(jwk, Mapping):
            raise KeyDropped(Dropped.MALFORMED)
        kid = jwk.get("kid")
        if "kid" in jwk and not (isinstance(kid, str) and 1 <= len(kid) <= MAX_KEY_ID):
            raise KeyDropped(Dropped.MALFORMED)
        members = usable_members(jwk)
        sizes = usable_algorithms(members, jwk.get("alg", ...), self._algorithms, self._rsa_algorithms)
        material, thumbprint = _import(members)
        if kid in self._denied or thumbprint in self._denied:
            raise KeyDropped(Dropped.DENIED)
        return VerificationKey(
            issuer=self._issuer,
            kid=kid,
            thumbprint=thumbprint,
            algorithms=frozenset(sizes),
            signature_size=sizes,
            material=material,
        )


def _import(members: Mapping[str, str]) -> tuple[JWK, str]:
    try:
        material = JWK(**members)
        # Makes the library check the key now (points on their curve), and not at some token's expense.
        material.get_op_key("verify", members.get("crv"))
        return material, material.thumbprint()
    except Exception:  # the library's errors for values of strangers are an open set
        raise KeyDropped(Dropped.MALFORMED) from None
