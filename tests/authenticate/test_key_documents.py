"""Key documents of every form: JWK Sets, bare lists, PEM keys, certificates, and maps of key ids with PEM."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

import keyring
from usherd.authenticate.key_rules import Dropped
from usherd.authenticate.keys import MAX_DOCUMENT_SIZE, MAX_KEYS, KeySetError, load_key_set, load_pem
from usherd.authenticate.pem import jwk_of_pem
from usherd.options import STRICT, with_values

RSA = keyring.key_pair("RSA", "rsa")
KINDS = ["RSA", "RSA-3072", "P-256", "P-384", "P-521", "Ed25519", "Ed448"]


@pytest.mark.parametrize(
    "document",
    [
        None,
        "keys",
        {},
        {"error": "x"},
        {"keys": {}},
        {"keys": None},
        b"<html>",
        b'{"keys": [], "keys": []}',
        b'{"keys": []',
        b'{"keys": [' + b"[" * 50 + b"]" * 50 + b"]}",
        b" " * MAX_DOCUMENT_SIZE + b'{"keys": []}',
        [None] * (MAX_KEYS + 1),
        {str(number): "-----BEGIN PUBLIC KEY-----" for number in range(MAX_KEYS + 1)},
    ],
    ids=lambda document: str(document)[:30],
)
def test_a_document_that_is_no_key_set_is_refused_whole(document: object) -> None:
    with pytest.raises(KeySetError):
        load_key_set(document, issuer="idp", algorithms=keyring.ALGORITHMS)


@pytest.mark.parametrize(
    "document",
    [[None] * MAX_KEYS, {str(number): "-----BEGIN PUBLIC KEY-----" for number in range(MAX_KEYS)}],
    ids=["list", "map"],
)
def test_a_document_may_have_as_many_keys_as_are_read(document: object) -> None:
    loaded = load_key_set(document, issuer="idp", algorithms=keyring.ALGORITHMS)

    assert (loaded.published, loaded.dropped) == (MAX_KEYS, {Dropped.MALFORMED: MAX_KEYS})


def test_bytes_and_bare_lists_are_key_sets_too() -> None:
    document = keyring.key_set(RSA)
    forms = [document, document["keys"], json.dumps(document).encode()]

    loaded = [load_key_set(form, issuer="idp", algorithms=keyring.ALGORITHMS) for form in forms]

    assert [[key.kid for key in each.keys] for each in loaded] == [["rsa"]] * 3


def certificate(private: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, private.public_key(), 1, long_ago, long_ago + datetime.timedelta(days=1))
    return made.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)


def pem(private: Any) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
def test_pem_keys_and_certificates_follow_the_same_rules(kind: str) -> None:
    pair = keyring.key_pair(kind)
    (expected,) = keyring.verification_keys("idp", [pair.jwk()])
    texts = [pem(pair.private)] + ([certificate(pair.private)] if kind[:2] in ("RS", "P-") else [])

    keys = [load_pem(text, issuer="idp", algorithms=keyring.ALGORITHMS, kid="k").keys[0] for text in texts]

    assert {(key.kid, key.thumbprint, key.algorithms) for key in keys} == {
        ("k", expected.thumbprint, expected.algorithms)
    }


def test_a_map_of_key_ids_with_pem_is_a_key_set() -> None:
    curve = keyring.key_pair("P-256").private
    weak = keyring.key_pair("RSA-1024").private
    document = {
        "one": pem(RSA.private).decode(),
        "two": certificate(curve).decode(),
        "weak": pem(weak).decode(),
        "other curve": pem(ec.generate_private_key(ec.SECP256K1())).decode(),
        "broken": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    }

    loaded = load_key_set(document, issuer="idp", algorithms=keyring.ALGORITHMS)

    assert [key.kid for key in loaded.keys] == ["one", "two"]
    assert loaded.dropped == {Dropped.WEAK: 1, Dropped.KEY_TYPE: 1, Dropped.MALFORMED: 1}


def test_pem_text_that_no_encoding_can_write_is_one_bad_key() -> None:
    document = {"odd": "-----BEGIN PUBLIC KEY-----\ud800", "one": pem(RSA.private).decode()}

    loaded = load_key_set(document, issuer="idp", algorithms=keyring.ALGORITHMS)

    assert ([key.kid for key in loaded.keys], loaded.dropped) == (["one"], {Dropped.MALFORMED: 1})


def test_dropped_keys_are_counted_by_cause() -> None:
    loaded = load_key_set([None, 7, RSA.jwk(d="AQ")], issuer="idp", algorithms=keyring.ALGORITHMS)

    assert loaded.dropped == {Dropped.MALFORMED: 2, Dropped.PRIVATE: 1}


@pytest.mark.parametrize(
    "text", [b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", b"\xff"]
)
def test_text_without_a_key_is_refused(text: bytes) -> None:
    with pytest.raises(KeySetError):
        load_pem(text, issuer="idp", algorithms=keyring.ALGORITHMS)


def test_a_private_key_in_pem_is_no_public_key() -> None:
    text = RSA.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(KeySetError):
        load_pem(text, issuer="idp", algorithms=keyring.ALGORITHMS)


def test_a_pem_key_follows_every_rule_of_a_key_document() -> None:
    text = pem(RSA.private)
    ignored = with_values(STRICT, {"keys.metadata": "ignored"})

    def load(**rules: Any) -> Any:
        return load_pem(text, issuer="idp", algorithms=keyring.ALGORITHMS, **rules)

    (key,) = load().keys
    assert (key.issuer, key.kid, key.algorithms) == ("idp", None, {"RS256"})
    assert load(rsa_algorithms=frozenset({"PS256"})).keys[0].algorithms == {"PS256"}
    assert load(denied=frozenset({key.thumbprint})).dropped == {Dropped.DENIED: 1}
    assert load(options=ignored).keys[0].algorithms == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def test_a_key_of_a_kind_that_no_jwk_here_has_is_dropped_as_such() -> None:
    other_kind = x25519.X25519PrivateKey.generate()
    other_curve = ec.derive_private_key(7, ec.SECP256K1())

    assert jwk_of_pem(pem(other_kind), "k") == {"kid": "k", "kty": ""}
    assert (jwk_of_pem(pem(other_curve), "k") or {})["crv"] == ""
    for private in (other_kind, other_curve):
        loaded = load_pem(pem(private), issuer="idp", algorithms=keyring.ALGORITHMS, kid="k")
        assert (loaded.keys, loaded.dropped, loaded.withdrawn) == ((), {Dropped.KEY_TYPE: 1}, {"k"})


@pytest.mark.parametrize("coordinate", ["x", "y"])
def test_leading_zeros_of_a_coordinate_are_kept(coordinate: str) -> None:
    # RFC 7518, section 6.2.1.2: always as long as the curve; about one key in 256 begins with a zero byte.
    keys = (ec.derive_private_key(number, ec.SECP256R1()) for number in range(1, 5000))
    private = next(key for key in keys if getattr(key.public_key().public_numbers(), coordinate) < 1 << 248)

    assert len(load_pem(pem(private), issuer="idp", algorithms=keyring.ALGORITHMS).keys) == 1
