"""Key sets: of whatever an issuer publishes or an operator gives come only fit public keys, or a closed word why not.

An input is two letters and a body. The first says how the body is read: `j` a key document, `p` PEM, `d` a discovery
document and the key document that it names (a record separator between them), `u` a key document at a URL, `f` and `g`
a file of keys, `v` a key document in the configuration. The second letter chooses the options.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import binascii
import datetime
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256, shake_256
from pathlib import Path
from random import Random
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fuzz.mutators import json_mutator, mutate_bytes
from fuzz.target import Target
from keyring import encode_int, key_pair
from usherd.authenticate.key_rules import Dropped
from usherd.authenticate.keys import MAX_KEYS, KeySet, KeySetError, load_key_set, load_pem
from usherd.options import LITELLM, STRICT, Options, with_values
from usherd.policy import ANY_ISSUER
from usherd.stores.documents import Cause, Document, LoadFailed
from usherd.stores.key_loader import KeySetLoader, load_given
from usherd.stores.key_sources import Discovery, GivenKeySet, IssuerKeys, PemFile
from usherd.stores.provider_cache import DocumentCache
from usherd.stores.provider_http import ProviderHttp

ISSUER = "https://idp.example"
ALGORITHMS = frozenset({"RS256", "PS256", "ES256", "ES512", "EdDSA"})
OPTIONS: tuple[Options, ...] = (
    STRICT,
    LITELLM,
    with_values(STRICT, {"keys.metadata": "ignored"}),
    with_values(STRICT, {"keys.duplicate_kid": "last"}),
    with_values(LITELLM, {"keys.documents": "every"}),
)
# Numbers of the right form are RSA keys here: nothing is ever signed or verified with them.
MODULUS = int.from_bytes(b"\xc0" + shake_256(b"n").digest(255), "big") | 1
ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
PAIRS = [key_pair(kind, kind.lower()) for kind in ("P-256", "P-384", "P-521", "Ed25519", "Ed448")]
RSA_JWK = {"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": encode_int(MODULUS), "e": "AQAB"}
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")
DENIED = frozenset({"denied"})
SEPARATOR = b"\x1e"
METADATA = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}


def _roca() -> int:
    product = 1
    for prime in ROCA_PRIMES:
        product *= prime
    return 65537 + product * ((1 << 2000) // product * (1 << 100))


JWKS: list[dict[str, Any]] = [pair.jwk() for pair in PAIRS] + [RSA_JWK]
WORDS = (
    *JWKS, RSA_JWK | {"alg": "PS256"}, "sig", "enc", "verify", ["verify"], ["sign"], "oct", "RSA", "EC", "OKP",
    "P-256", "P-521",
    "Ed25519", "Ed448", "X25519", "secp256k1", "RS256", "RS384", "ES512", "EdDSA", "none", "denied", "k" * 256,
    "k" * 257, "AQAB",
    "AQ", "Aw", "AQAAAAE", "AAEAAQ", encode_int(MODULUS) + "==", encode_int(MODULUS >> 1024 | 1),
    encode_int(MODULUS + 1),
    encode_int(MODULUS << 8192), encode_int(_roca()), encode_int(_roca() | 1 << 2047), f"{ISSUER}/keys",
        "http://idp.example/keys", ISSUER,
    "https://other.example", "not base64 url!", "+/+/", "A", "", *PRIVATE,
)  # fmt: skip
NAMES = ("keys", "kid", "kty", "crv", "use", "key_ops", "alg", "n", "e", "x", "y", "issuer", "jwks_uri", *PRIVATE)
_json = json_mutator(WORDS, NAMES, mostly=0.95)


@cache
def _pems() -> tuple[bytes, ...]:
    keys = [RSAPublicNumbers(65537, MODULUS).public_key(), *(pair.private.public_key() for pair in PAIRS)]
    keys += [x25519.X25519PrivateKey.from_private_bytes(b"x" * 32).public_key()]
    found = [key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in keys]  # type: ignore[attr-defined]
    name, day = x509.Name([]), datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    signer = ed25519.Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1).not_valid_before(day)
    certificate = made.not_valid_after(day.replace(year=2035)).public_key(signer.public_key()).sign(signer, None)
    return (*found, certificate.public_bytes(Encoding.PEM))


def _seeds() -> list[bytes]:
    # Few keys each: to load one takes a tenth of a millisecond.
    few = [JWKS[3], JWKS[5]]
    whole: list[Any] = [{"keys": few}, few, JWKS[0], {"keys": []}, {}, {"keys": [JWKS[3], JWKS[3]]}, {"keys": JWKS}]
    whole += [{"keys": [None] * (MAX_KEYS + 1)}]
    whole += [{"keys": [jwk, jwk | {"kid": "2"}, {**JWKS[5], "kid": jwk["kid"]}]} for jwk in JWKS]
    whole += [
        {"keys": [JWKS[number % 6] | {name: word}]}
        for number, word in enumerate(WORDS)
        for name in ("kid", "x", "use", "n", "e")
    ]
    whole += [{"keys": [{name: value for name, value in JWKS[0].items() if name != left} for left in JWKS[0]]}]
    pems = {f"k{number}": pem.decode() for number, pem in enumerate(_pems())}
    whole += [
        pems,
        {"k0": pems["k0"], "bad": "-----BEGIN "},
        dict.fromkeys(map(str, range(MAX_KEYS + 1)), "-----BEGIN "),
    ]
    texts = [json.dumps(each).encode() for each in whole]
    found = [b"j" + str(number % 5).encode() + text for number, text in enumerate(texts)]
    found += [
        form + b"%d" % number + text
        for form in (b"j", b"u", b"f", b"g", b"v")
        for number in range(5)
        for text in texts[:6]
    ]
    found += [form + b"%d" % number + pem for form in (b"p", b"g") for number in range(5) for pem in _pems()]
    metadata: list[Any] = [METADATA, METADATA | {"issuer": "x"}, METADATA | {"jwks_uri": 1}, [], {},
                           METADATA | {"jwks_uri": "http://x"}]  # fmt: skip
    found += [
        b"d%d" % number + json.dumps(each).encode() + SEPARATOR + texts[0] for number in (0, 1) for each in metadata
    ]
    many = json.dumps(
        {"keys": [jwk | {"kid": f"{number}-{jwk['kty']}"} for number in range(6) for jwk in JWKS]}
    ).encode()
    padded = json.dumps(METADATA | {"x": "y" * 9000}).encode()
    return [*found, b"u0" + many, b"d0" + padded + SEPARATOR + texts[0], b"d0" + padded, b"f0", b"f0 "]


def _mutate(data: bytes, random: Random) -> bytes:
    letters, body = data[:2], data[2:]
    if random.random() < 0.08:
        return bytes((random.choice(b"jpdufgv"), random.choice(b"01234"))) + body
    if b"-----BEGIN" in body[:20]:
        return letters + _changed_pem(body, random)
    first, separator, second = body.partition(SEPARATOR)
    if separator and random.random() < 0.6:
        return letters + _json(first, random) + separator + second
    return letters + (first + separator + _json(second, random) if separator else _json(first, random))


def _changed_pem(text: bytes, random: Random) -> bytes:
    lines = text.split(b"\n")
    if random.random() < 0.3:
        return mutate_bytes(text, random) if random.random() < 0.5 else random.choice(_pems())
    try:
        der = mutate_bytes(base64.b64decode(b"".join(lines[1:-2])), random)
    except (binascii.Error, ValueError):
        return mutate_bytes(text, random)
    return b"\n".join([lines[0], base64.b64encode(der), *lines[-2:]])


class File(type(Path())):  # type: ignore[misc]
    """A file in memory: to write each input to a disk would take longer than all the rest."""

    content = b""

    def open(self, *args: Any, **kwargs: Any) -> io.BytesIO:
        if not self.content:
            raise OSError
        return io.BytesIO(self.content)


@dataclass
class _Http:
    """A provider that answers with what an input says."""

    bodies: Mapping[str, bytes]

    async def get(self, url: str, *, timeout: float, known: Document | None = None) -> Document:
        if url not in self.bodies:
            raise LoadFailed(Cause.STATUS)
        return Document(body=self.bodies[url])


LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


def _check(data: bytes) -> object:
    form, which, body = data[:1].decode("latin-1"), data[1] if len(data) > 1 else 0, data[2:]
    options = OPTIONS[which % len(OPTIONS)]
    try:
        key_set = _loaded(form, body, options, any_issuer=which % 7 == 1)
    except KeySetError as error:
        assert str(error) in ("PEM is not read", "neither a PEM public key nor a certificate",
            "not strict JSON, or too large",
                              "too many keys", "not a key set")  # fmt: skip
        return str(error)
    except LoadFailed as failed:
        assert failed.cause in Cause and str(failed) == failed.cause.value
        assert not failed.withdrawn or failed.cause is Cause.NO_USABLE_KEY
        return f"{failed.cause} {sorted(failed.withdrawn)}"
    _check_keys(key_set, options)
    return [
        repr(key_set.keys),
        sorted((cause.value, count) for cause, count in key_set.dropped.items()),
        key_set.published,
    ]


def _loaded(form: str, body: bytes, options: Options, *, any_issuer: bool) -> KeySet:
    rules: dict[str, Any] = {"issuer": "idp", "algorithms": ALGORITHMS, "denied": DENIED, "options": options}
    if form == "p":
        return load_pem(body, kid=None, **rules)
    if form not in "dufgv":
        return load_key_set(body, **rules)
    issuer = IssuerKeys(
        name="idp", issuer=ANY_ISSUER if any_issuer else ISSUER, algorithms=ALGORITHMS, source=Discovery(),
            denied=DENIED, options=options
    )  # fmt: skip
    if form in "fg":
        file = File("keys")
        file.content = body
        return load_given(issuer, PemFile(path=file) if form == "g" else GivenKeySet(document=file))
    if form == "v":
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = []
        return load_given(issuer, GivenKeySet(document=document if isinstance(document, (dict, list)) else []))
    return _fetched(form, body, issuer)


def _fetched(form: str, body: bytes, issuer: IssuerKeys) -> KeySet:
    first, _, second = body.partition(SEPARATOR)
    known = {"https://d.example": first, f"{ISSUER}/keys": second}
    http = cast(ProviderHttp, _Http({"https://u.example": body} if form == "u" else known))
    source = "https://u.example" if form == "u" else Discovery(url="https://d.example")
    loader = KeySetLoader(issuer, source, http, DocumentCache(lambda: 0.0))

    async def twice() -> KeySet:
        key_set = (await loader.load()).key_set
        # The same bytes are not parsed again.
        assert (await loader.load()).key_set is key_set
        return key_set

    key_set = LOOP.run_until_complete(twice())
    if form == "d":
        metadata = json.loads(first)
        assert metadata["jwks_uri"] == f"{ISSUER}/keys", "keys from another place than the document names"
        assert issuer.issuer in (ANY_ISSUER, metadata.get("issuer")), "another issuer's document"
    return key_set


def _check_keys(key_set: KeySet, options: Options) -> None:
    kids = [key.kid for key in key_set.keys if key.kid is not None]
    assert len(set(kids)) == len(kids), "one id, two keys"
    assert not set(kids) & key_set.withdrawn and not DENIED & set(kids)
    assert len(key_set.keys) <= key_set.published <= MAX_KEYS
    assert all(cause in Dropped and count > 0 for cause, count in key_set.dropped.items())
    for key in key_set.keys:
        assert key.algorithms and key.algorithms <= ALGORITHMS and set(key.signature_size) == key.algorithms
        material: Any = key.material
        assert not material.has_private and material.has_public, "a private key was kept"
        members = {
            name: value
            for name, value in json.loads(material.export_public()).items()
            if name not in ("kid", "use", "alg")
        }
        assert set(members) <= {"kty", "crv", "x", "y", "n", "e"}
        assert key.thumbprint == _thumbprint(members), "another thumbprint than RFC 7638 has"
        assert options.key_documents == "every" or members["kty"] == "RSA"
        if members["kty"] == "RSA":
            size = int.from_bytes(base64.urlsafe_b64decode(members["n"] + "=="), "big").bit_length()
            assert 2048 <= size <= 8192 and key.algorithms <= {"RS256", "PS256"}
            assert set(key.signature_size.values()) == {(size + 7) // 8}
        else:
            expected = {
                "P-256": ("ES256", 64),
                "P-521": ("ES512", 132),
                "Ed25519": ("EdDSA", 64),
                "Ed448": ("EdDSA", 114),
            }
            assert list(key.signature_size.items()) == [expected[members["crv"]]]


def _thumbprint(members: Mapping[str, str]) -> str:
    text = json.dumps(dict(sorted(members.items())), separators=(",", ":"))
    return base64.urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


TARGET = Target(
    name="key_sets",
    seeds=_seeds,
    check=_check,
    mutate=_mutate,
    max_size=10240,
    out_of_reach={"stores/key_loader.py": "a file beyond 1 MiB is longer than any input"},
)
