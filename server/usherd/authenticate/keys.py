"""Turns what an issuer publishes into usable keys, one by one, and counts what it drops and why.

Only listed members of a JWK reach the crypto library: others can make it generate keys, or carry private parts.
Published keys are public, so their encoding is no security border: padding, plain base64 and leading zeros, which
real issuers send, are read, while the keys themselves must be strong, on their curve and meant for signatures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from jwcrypto.jwk import JWK

from usherd.authenticate import strict_json
from usherd.authenticate.key_rules import (
    DEFAULT_RSA_ALGORITHMS,
    Dropped,
    KeyDropped,
    usable_algorithms,
    usable_members,
)
from usherd.authenticate.pem import jwk_of_pem
from usherd.domain import VerificationKey
from usherd.options import STRICT, Options

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
    published: int
    """Entries of the document, whatever they are: usable keys, dropped ones, and each copy of a key."""
    withdrawn: frozenset[str] = frozenset()
    """Ids under which the document has only dropped keys: the issuer speaks of them, and not as usable ones."""


def load_key_set(
    document: object,
    *,
    issuer: str,
    algorithms: frozenset[str],
    rsa_algorithms: frozenset[str] = DEFAULT_RSA_ALGORITHMS,
    denied: frozenset[str] = frozenset(),
    options: Options = STRICT,
) -> KeySet:
    """The usable keys of a key document, for the issuer of that name.

    `document` is a JWK Set (RFC 7517, section 5), a list of JWKs, or an object of key ids with PEM text (the last
    only with `keys.documents: every`); parsed strictly, or the bytes of it. `algorithms` are the issuer's;
    `rsa_algorithms` those that an RSA key may verify when its JWK names none: the ones that the configuration names
    for the issuer, or RS256 if it names none. `denied` holds key ids and thumbprints. `options` say which documents
    and key types there are, whether a JWK's metadata binds it, and what becomes of different keys of one id.

    Raises KeySetError when the document is none of these, or has more than `MAX_KEYS` keys. A single bad key never
    raises: it is dropped.
    """
    if isinstance(document, bytes):
        document = _parsed(document)
    loader = _Loader(issuer, algorithms, rsa_algorithms, denied, options)
    for jwk in _entries(document, pem_too=options.key_documents == "every"):
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
    options: Options = STRICT,
) -> KeySet:
    """The key of a PEM public key or X.509 certificate, under the same rules as `load_key_set`.

    A certificate is only a wrapping for its key here: its dates, names and issuer are not judged, because whoever
    configured it vouches for the key. Raises KeySetError when the text holds neither, and without
    `keys.documents: every`.
    """
    if options.key_documents != "every":
        raise KeySetError("PEM is not read")
    jwk = jwk_of_pem(text, kid)
    if jwk is None:
        raise KeySetError("neither a PEM public key nor a certificate")
    return load_key_set(
        {"keys": [jwk]},
        issuer=issuer,
        algorithms=algorithms,
        rsa_algorithms=rsa_algorithms,
        denied=denied,
        options=options,
    )


def _parsed(document: bytes) -> object:
    try:
        return strict_json.load(document, max_size=MAX_DOCUMENT_SIZE)
    except strict_json.StrictJsonError:
        raise KeySetError("not strict JSON, or too large") from None


def _entries(document: object, *, pem_too: bool) -> list[object]:
    """The JWKs of the document; None for an entry that cannot be one."""
    if isinstance(document, Mapping):
        if "keys" in document:
            document = document["keys"]
        elif pem_too and document and all(isinstance(pem, str) and "-----BEGIN " in pem for pem in document.values()):
            if len(document) > MAX_KEYS:
                raise KeySetError("too many keys")
            return [jwk_of_pem(pem.encode("utf-8", "replace"), kid) for kid, pem in document.items()]
    if not isinstance(document, list):
        raise KeySetError("not a key set")
    if len(document) > MAX_KEYS:
        raise KeySetError("too many keys")
    return document


class _Loader:
    """Collects the keys of one document."""

    def __init__(
        self,
        issuer: str,
        algorithms: frozenset[str],
        rsa_algorithms: frozenset[str],
        denied: frozenset[str],
        options: Options,
    ) -> None:
        self._issuer = issuer
        self._algorithms = algorithms
        self._rsa_algorithms = rsa_algorithms
        self._denied = denied
        self._metadata_obeyed = options.key_metadata == "obeyed"
        self._last_wins = options.duplicate_kid == "last"
        self._rsa_only = options.key_documents == "reference"
        self._published = 0
        self._keys: list[VerificationKey] = []
        self._dropped: Counter[Dropped] = Counter()
        self._dropped_ids: set[str] = set()

    def add(self, jwk: object) -> None:
        """Takes the JWK, or counts why not."""
        self._published += 1
        kid = jwk.get("kid") if isinstance(jwk, Mapping) else None
        if self._last_wins and isinstance(kid, str):
            # Even if this one turns out unusable: an id never means a key that its document overwrote.
            self._keys = [key for key in self._keys if key.kid != kid]
        try:
            key = self._usable(jwk)
        except KeyDropped as drop:
            self._dropped[drop.cause] += 1
            if isinstance(kid, str):
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
            self._dropped[Dropped.DUPLICATE_KID] = len(self._keys) - len(keys)
        withdrawn = (self._dropped_ids | shared) - {key.kid for key in keys}
        return KeySet(keys=keys, dropped=dict(self._dropped), published=self._published, withdrawn=frozenset(withdrawn))

    def _usable(self, jwk: object) -> VerificationKey:
        if not isinstance(jwk, Mapping):
            raise KeyDropped(Dropped.MALFORMED)
        kid = self._key_id(jwk)
        members = usable_members(jwk, purpose_obeyed=self._metadata_obeyed)
        if self._rsa_only and members["kty"] != "RSA":
            raise KeyDropped(Dropped.KEY_TYPE)
        if self._metadata_obeyed:
            sizes = usable_algorithms(members, jwk.get("alg", ...), self._algorithms, self._rsa_algorithms)
        else:
            sizes = usable_algorithms(members, ..., self._algorithms, self._algorithms)
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

    def _key_id(self, jwk: Mapping[str, object]) -> str | None:
        """The JWK's id; None: it has none, or where metadata is ignored, none that a token could name."""
        if "kid" not in jwk:
            return None
        kid = jwk["kid"]
        if isinstance(kid, str) and len(kid) <= MAX_KEY_ID and (kid or not self._metadata_obeyed):
            return kid
        if isinstance(kid, str) or self._metadata_obeyed:
            raise KeyDropped(Dropped.MALFORMED)
        return None


def _import(members: Mapping[str, str]) -> tuple[JWK, str]:
    try:
        material = JWK(**members)
        # Makes the library check the key now (points on their curve), and not at some token's expense.
        material.get_op_key("verify")
        return material, material.thumbprint()
    except Exception:  # the library's errors for values of strangers are an open set
        raise KeyDropped(Dropped.MALFORMED) from None
