"""Key rules: one bad key is dropped with its cause and the good ones stay; nothing odd reaches the crypto library."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import keyring
from usherd.authenticate import signature
from usherd.authenticate.key_rules import Dropped, KeyDropped, encode_unsigned, usable_members
from usherd.authenticate.keys import KeySet, load_key_set

RSA = keyring.key_pair("RSA", "rsa")
KINDS = ["RSA", "RSA-3072", "P-256", "P-384", "P-521", "Ed25519", "Ed448"]


def load(*jwks: object, **options: Any) -> KeySet:
    return load_key_set({"keys": list(jwks)}, issuer="idp", **({"algorithms": keyring.ALGORITHMS} | options))


def cause(jwk: object, **options: Any) -> Dropped | None:
    """Why the key is dropped; None: it is not."""
    loaded = load(jwk, **options)
    assert len(loaded.keys) + sum(loaded.dropped.values()) == 1
    return next(iter(loaded.dropped), None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_each_kind_verifies_what_it_signed(kind: str) -> None:
    pair = keyring.key_pair(kind)
    (key,) = load(pair.jwk()).keys
    data = b"header.payload"

    signature.verify(key, pair.algorithm, data, pair.sign(data))

    assert (key.issuer, key.kid, key.algorithms) == ("idp", pair.kid, {pair.algorithm})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kty": "oct", "k": "AAAA"}, Dropped.SYMMETRIC),
        ({"kty": "EC"}, Dropped.KEY_TYPE),
        ({"kty": "AKP"}, Dropped.KEY_TYPE),
        ({"kty": ["RSA"]}, Dropped.KEY_TYPE),
        ({"kty": ["EC"], "crv": "P-256"}, Dropped.KEY_TYPE),
        ({"kty": "EC", "crv": ["P-256"]}, Dropped.KEY_TYPE),
        ({"kty": ...}, Dropped.KEY_TYPE),
        ({"use": "enc"}, Dropped.NOT_FOR_SIGNATURES),
        ({"use": None}, Dropped.NOT_FOR_SIGNATURES),
        ({"use": ""}, Dropped.NOT_FOR_SIGNATURES),
        ({"use": ...}, None),
        ({"key_ops": ["verify"]}, None),
        ({"key_ops": ["sign", "verify"]}, None),
        ({"key_ops": ["encrypt"]}, Dropped.NOT_FOR_SIGNATURES),
        ({"key_ops": []}, Dropped.NOT_FOR_SIGNATURES),
        ({"key_ops": "verify"}, Dropped.NOT_FOR_SIGNATURES),
        ({"key_ops": [["verify"]]}, Dropped.NOT_FOR_SIGNATURES),
        ({"alg": "RS512"}, None),
        ({"alg": "RSA-OAEP"}, Dropped.ALGORITHM),
        ({"alg": "HS256"}, Dropped.ALGORITHM),
        ({"alg": "none"}, Dropped.ALGORITHM),
        ({"alg": "ES256"}, Dropped.ALGORITHM),
        ({"alg": None}, Dropped.ALGORITHM),
        ({"alg": ["RS256"]}, Dropped.ALGORITHM),
        ({"kid": None}, Dropped.MALFORMED),
        ({"kid": 7}, Dropped.MALFORMED),
        ({"kid": ""}, Dropped.MALFORMED),
        ({"kid": "k" * 257}, Dropped.MALFORMED),
        ({"kid": "k" * 256}, None),
        ({"n": ...}, Dropped.MALFORMED),
        ({"n": 7}, Dropped.MALFORMED),
        ({"n": ""}, Dropped.MALFORMED),
        ({"n": "AQ AB"}, Dropped.MALFORMED),
        ({"e": "AQ"}, Dropped.WEAK),
        ({"e": "Aw"}, Dropped.WEAK),
        ({"e": "AQAC"}, Dropped.WEAK),
        ({"e": "AQAE"}, Dropped.WEAK),
        ({"e": "AQAF"}, None),
        ({"e": "AQAX"}, None),
        ({"e": "AQAAAAE"}, Dropped.WEAK),
        ({"e": "AQAB\n"}, Dropped.MALFORMED),
    ],
    ids=lambda value: repr(value).replace("\\", "/"),
)
def test_each_unfit_key_is_dropped_for_its_cause(changes: dict[str, Any], expected: Dropped | None) -> None:
    assert cause(RSA.jwk(**changes)) == expected


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])
def test_a_published_private_key_is_dropped_with_an_alarm(member: str) -> None:
    dropped = cause(RSA.jwk(**{member: "AQ"}))

    assert dropped is Dropped.PRIVATE
    assert dropped.alarming


@pytest.mark.parametrize("entry", [None, 7, "key", [], [["kty", "RSA"]]])
def test_an_entry_that_is_no_object_is_dropped(entry: object) -> None:
    assert cause(entry) is Dropped.MALFORMED


def test_rsa_keys_have_a_sane_size() -> None:
    huge = (1 << 8192) | 1

    assert cause(keyring.key_pair("RSA-1024").jwk()) is Dropped.WEAK
    assert cause(RSA.jwk(n=keyring.encode_int(huge))) is Dropped.WEAK
    assert cause(RSA.jwk(n=keyring.encode_int(1 << 2047))) is Dropped.WEAK
    assert cause(RSA.jwk(n=keyring.encode_int((1 << 8191) | 1))) is None


def test_no_key_is_generated_for_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(rsa, "generate_private_key", made.append)
    with_generate = RSA.jwk(generate="RSA", size=4096)

    assert cause({"generate": "RSA", "size": 4096}) is Dropped.KEY_TYPE
    assert cause({"generate": "oct", "size": 800_000_000, "kty": "oct"}) is Dropped.SYMMETRIC
    assert [key.thumbprint for key in load(with_generate).keys] == [key.thumbprint for key in load(RSA.jwk()).keys]
    assert made == []


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "Ed25519", "Ed448"])
def test_a_curve_point_must_be_one(kind: str) -> None:
    jwk = keyring.key_pair(kind).jwk()
    short = keyring.encode(keyring.decode(jwk["x"])[1:])
    long = keyring.encode(b"\x00" + keyring.decode(jwk["x"]))
    moved = keyring.encode(keyring.decode(jwk["x"])[:-1] + b"\x00")

    assert cause(jwk | {"x": short}) is Dropped.MALFORMED
    assert cause(jwk | {"x": long}) is Dropped.MALFORMED
    assert cause(jwk | {"x": jwk["x"] + "AA"}) is Dropped.MALFORMED
    if kind.startswith("P-"):
        assert cause(jwk | {"x": moved}) is Dropped.MALFORMED
        assert cause(jwk | {"crv": "secp256k1"}) is Dropped.KEY_TYPE
    else:
        assert cause(jwk | {"crv": "X25519"}) is Dropped.KEY_TYPE


def test_a_curve_is_bound_to_its_one_algorithm() -> None:
    pair = keyring.key_pair("P-256")

    assert cause(pair.jwk(alg="ES384")) is Dropped.ALGORITHM
    assert cause(pair.jwk(alg="ES521")) is Dropped.ALGORITHM
    assert load(pair.jwk(alg=...)).keys[0].algorithms == {"ES256"}


def test_a_key_that_names_its_algorithm_has_no_other() -> None:
    (key,) = load(RSA.jwk(alg="PS384"), rsa_algorithms=frozenset({"RS256"})).keys

    assert key.algorithms == {"PS384"}


def test_an_rsa_key_without_algorithm_has_rs256_or_what_is_configured() -> None:
    jwk = RSA.jwk(alg=...)

    assert load(jwk).keys[0].algorithms == {"RS256"}
    assert load(jwk, rsa_algorithms=frozenset({"PS256", "ES256"})).keys[0].algorithms == {"PS256"}
    assert cause(jwk, algorithms=frozenset({"ES256"})) is Dropped.ALGORITHM
    assert cause(RSA.jwk(), algorithms=frozenset({"RS512"})) is Dropped.ALGORITHM


def test_signature_sizes_are_exact() -> None:
    sizes = {kind: keyring.verification_keys("idp", [keyring.key_pair(kind).jwk()])[0] for kind in KINDS}

    assert {kind: dict(key.signature_size) for kind, key in sizes.items()} == {
        "RSA": {"RS256": 256},
        "RSA-3072": {"RS256": 384},
        "P-256": {"ES256": 64},
        "P-384": {"ES384": 96},
        "P-521": {"ES512": 132},
        "Ed25519": {"EdDSA": 64},
        "Ed448": {"EdDSA": 114},
    }


def test_padding_plain_base64_and_leading_zeros_of_public_numbers_are_read() -> None:
    jwk = RSA.jwk()
    plain = jwk["n"].replace("-", "+").replace("_", "/")
    zero = keyring.encode(b"\x00" + keyring.decode(jwk["n"]))
    thumbprint = load(jwk).keys[0].thumbprint

    loaded = load(RSA.jwk(kid="padded", n=plain + "=="), RSA.jwk(kid="zero", n=zero))

    assert [key.thumbprint for key in loaded.keys] == [thumbprint, thumbprint]
    assert cause(RSA.jwk(n=jwk["n"] + "=")) is Dropped.MALFORMED


def test_unused_bits_of_a_number_are_zero() -> None:
    n = RSA.jwk()["n"]

    assert n[-1] in "AQgw"
    assert cause(RSA.jwk(n=n[:-1] + "B")) is Dropped.MALFORMED


def test_different_keys_of_one_id_are_both_dropped() -> None:
    other, third = keyring.key_pair("P-256", "rsa"), keyring.key_pair("Ed25519", "alone")

    loaded = load(RSA.jwk(), other.jwk(), third.jwk())

    assert [key.kid for key in loaded.keys] == ["alone"]
    assert loaded.dropped == {Dropped.DUPLICATE_KID: 2}
    assert Dropped.DUPLICATE_KID.alarming


def test_a_key_that_is_published_twice_is_one_key() -> None:
    loaded = load(RSA.jwk(), RSA.jwk(x5t="other"))

    assert (len(loaded.keys), loaded.dropped) == (1, {})


def test_good_keys_stay_beside_bad_ones() -> None:
    loaded = load(
        RSA.jwk(use="enc", kid="e"), {"kty": "OKP", "crv": "X25519", "x": "AA"}, None, RSA.jwk(d="AQ"), RSA.jwk()
    )

    assert [key.kid for key in loaded.keys] == ["rsa"]
    assert loaded.dropped == {
        Dropped.NOT_FOR_SIGNATURES: 1,
        Dropped.KEY_TYPE: 1,
        Dropped.MALFORMED: 1,
        Dropped.PRIVATE: 1,
    }


def test_ids_of_dropped_keys_are_withdrawn_unless_a_usable_key_has_them() -> None:
    curve, other = keyring.key_pair("P-256", "curve"), keyring.key_pair("P-384", "rsa")

    loaded = load(RSA.jwk(), RSA.jwk(use="enc"), curve.jwk(d="AQ"), RSA.jwk(kid=7), RSA.jwk(kid=..., use="enc"))
    doubled = load(RSA.jwk(), other.jwk())

    assert loaded.withdrawn == {"curve"}
    assert doubled.withdrawn == {"rsa"}


def test_denied_keys_are_dropped_by_id_or_thumbprint() -> None:
    (key,) = load(RSA.jwk()).keys

    assert cause(RSA.jwk(), denied=frozenset({"rsa"})) is Dropped.DENIED
    assert cause(RSA.jwk(), denied=frozenset({key.thumbprint})) is Dropped.DENIED


def test_the_purpose_of_a_key_counts_unless_it_is_said_not_to() -> None:
    jwk = RSA.jwk(use="enc")

    with pytest.raises(KeyDropped):
        usable_members(jwk)
    assert usable_members(jwk, purpose_obeyed=False) == {name: jwk[name] for name in ("kty", "n", "e")}


def test_a_dropped_key_tells_its_cause_and_nothing_else() -> None:
    with pytest.raises(KeyDropped) as dropped:
        usable_members(RSA.jwk(e="Aw"))

    assert (dropped.value.cause, dropped.value.args) == (Dropped.WEAK, ("weak",))


@pytest.mark.parametrize(("number", "text"), [(0, "AA"), (1, "AQ"), (65537, "AQAB"), (65559, "AQAX")])
def test_numbers_are_written_with_as_few_bytes_as_they_need(number: int, text: str) -> None:
    # RFC 7518, section 2: zero is one byte.
    assert encode_unsigned(number) == text


def test_no_key_material_is_in_a_repr() -> None:
    (key,) = load(RSA.jwk()).keys

    assert RSA.jwk()["n"][:20] not in repr(key)
