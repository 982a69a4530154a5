"""Keys that the operator wrote down or put into a file are there for good, or stop the start."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from keyring import KeyPair, key_pair, key_set
from stores.support import Hands, RunKeySets, issuer_keys
from usherd.stores.documents import Cause
from usherd.stores.key_sets import GivenKeysUnusable, KeySets
from usherd.stores.key_sources import GivenKeySet, PemFile
from usherd.stores.provider_cache import DocumentCache
from usherd.stores.provider_http import ProviderHttp

A, B, RSA = key_pair("P-256", "a"), key_pair("P-256", "b"), key_pair("RSA", "rsa")


class TestGivenKeys:
    @staticmethod
    def _pem(pair: KeyPair) -> bytes:
        return pair.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @staticmethod
    def _certificate(pair: KeyPair) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        builder = x509.CertificateBuilder(name, name, pair.private.public_key(), 1, start, start.replace(year=2021))
        return builder.sign(pair.private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    async def test_an_inline_key_set_is_always_usable(self, run: RunKeySets, stopwatch: Hands) -> None:
        async with run(issuer_keys(GivenKeySet(document=key_set(A, B)))) as keys:
            stopwatch.move(1e9)
            key = keys.find("idp", "a")
            assert key is not None
            assert keys.trusts(key)
            assert keys.usable_for(key) == math.inf
            assert keys.usable("idp")
            assert await keys.find_fresh("idp", "unknown", 30) is None
            assert keys.status()[0].keys == 2

    async def test_a_key_set_file_is_read(self, run: RunKeySets, tmp_path: Path) -> None:
        file = tmp_path / "keys.json"
        file.write_text(json.dumps(key_set(A)))

        async with run(issuer_keys(GivenKeySet(document=file))) as keys:
            assert keys.find("idp", "a") is not None

    @pytest.mark.parametrize("kind", ["public key", "certificate"])
    async def test_a_pem_file_is_the_issuers_only_key(self, kind: str, run: RunKeySets, tmp_path: Path) -> None:
        file = tmp_path / "issuer.pem"
        file.write_bytes(self._pem(RSA) if kind == "public key" else self._certificate(RSA))

        async with run(issuer_keys(PemFile(path=file))) as keys:
            found = keys.find("idp", None)
            assert found is not None
            assert found.algorithms == {"RS256"}
            # A PEM file has no place for a key id, and issuers' tokens name one all the same.
            assert keys.find("idp", "whatever the token says") is found
            assert keys.trusts(found)

    async def test_a_pem_file_is_not_found_by_a_denied_id(self, run: RunKeySets, tmp_path: Path) -> None:
        file = tmp_path / "issuer.pem"
        file.write_bytes(self._pem(RSA))

        async with run(issuer_keys(PemFile(path=file), denied=frozenset({"leaked"}))) as keys:
            assert keys.find("idp", "leaked") is None
            assert await keys.find_fresh("idp", "leaked", 30) is None
            assert keys.find("idp", "another") is not None

    async def test_a_key_set_of_one_nameless_key_is_not_found_by_a_name(self, run: RunKeySets) -> None:
        document = {"keys": [RSA.jwk(kid=...)]}

        async with run(issuer_keys(GivenKeySet(document=document))) as keys:
            assert keys.find("idp", None) is not None
            assert keys.find("idp", "a") is None

    async def test_a_pem_file_may_map_key_ids(self, run: RunKeySets, tmp_path: Path) -> None:
        file = tmp_path / "issuer.json"
        file.write_text(json.dumps({"one": self._pem(RSA).decode(), "two": self._certificate(A).decode()}))

        async with run(issuer_keys(PemFile(path=file))) as keys:
            one, two = keys.find("idp", "one"), keys.find("idp", "two")
            assert one is not None
            assert two is not None
            assert one.algorithms | two.algorithms == {"RS256", "ES256"}

    @pytest.mark.parametrize(
        ("text", "cause"),
        [
            (b"", Cause.NOT_A_KEY_SET),
            (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", Cause.NOT_A_KEY_SET),
            (b"{", Cause.NOT_JSON),
            (b'{"keys": []}', Cause.NO_USABLE_KEY),
            (b" " * (1 << 20) + b"x", Cause.TOO_LARGE),
            (None, Cause.NOT_READABLE),
        ],
    )
    def test_a_file_without_a_usable_key_stops_the_start(
        self, text: bytes | None, cause: Cause, tmp_path: Path, stopwatch: Hands, clock: Hands
    ) -> None:
        file = tmp_path / "issuer.pem"
        if text is not None:
            file.write_bytes(text)
        http = ProviderHttp(httpx.AsyncClient(), allow_loopback_http=False)

        with pytest.raises(GivenKeysUnusable) as raised:
            KeySets([issuer_keys(PemFile(path=file))], http=http, cache=DocumentCache(clock), stopwatch=stopwatch)

        assert str(raised.value) == f"issuer idp: keys: {cause.value}"
