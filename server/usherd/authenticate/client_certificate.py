"""Reads what a client's certificate says. Whether it is genuine the transport has checked before."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from usherd.certificate_names import Certificate, spiffe_id


def client_certificate(pem: bytes) -> Certificate | None:
    """The names in a certificate, whole and by their kinds; None: it is not one that can be read.

    gRPC tells names too, but cuts them at the first zero byte, so that one could end as another.
    """
    try:
        found = x509.load_pem_x509_certificate(pem)
        names = _names(found)
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        return Certificate(
            fingerprint=found.fingerprint(SHA256()).hex(),
            valid_until=found.not_valid_after_utc.timestamp(),
            uris=tuple(uris),
            dns=tuple(names.get_values_for_type(x509.DNSName)),
            ips=tuple(map(str, names.get_values_for_type(x509.IPAddress))),
            emails=tuple(names.get_values_for_type(x509.RFC822Name)),
            spiffe_id=spiffe_id(uris, is_authority=_is_authority(found)),
        )
    except Exception:  # the library's errors for text of strangers are an open set
        return None


def _names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
