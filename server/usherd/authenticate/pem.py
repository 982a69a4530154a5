"""Reads PEM: public keys, and certificates for the key in them (RFC 7468, sections 5 and 13)."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from usherd.authenticate.key_rules import encode, encode_unsigned


def jwk_of_pem(text: bytes, kid: str | None) -> dict[str, object] | None:
    """The JWK of a PEM public key or X.509 certificate, with that key id; None: the text is neither.

    Of a key of a kind that no JWK here has, it is a JWK of no type, which is dropped as such.
    """
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
