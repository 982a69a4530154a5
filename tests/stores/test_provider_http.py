"""Every fetch from an identity provider is bounded, bare and goes where it was sent."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import logging
import ssl
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from keyring import key_pair
from tools.key_server import KeyServer
from usherd.stores.documents import Cause, Document, LoadFailed
from usherd.stores.provider_http import BODY_SIZE, provider_http, url_is_allowed


@pytest.mark.parametrize(
    ("url", "allowed", "allowed_with_loopback_http"),
    [
        ("https://idp.example/keys", True, True),
        ("https://idp.example:8443/keys?tenant=1", True, True),
        ("https://127.0.0.1/keys", True, True),
        ("HTTPS://idp.example/keys", True, True),
        ("http://127.0.0.1:8080/keys", False, True),
        ("http://[::1]:8080/keys", False, True),
        ("http://localhost/keys", False, True),
        ("http://127.0.0.53/keys", False, True),
        ("http://idp.example/keys", False, False),
        ("http://localhost.evil.example/keys", False, False),
        ("http://127.0.0.1.evil.example/keys", False, False),
        ("http://127.0.0.1@evil.example/keys", False, False),
        ("http://169.254.169.254/latest", False, False),
        ("http://0.0.0.0/keys", False, False),
        ("http://10.0.0.1/keys", False, False),
        ("https://user:password@idp.example/keys", False, False),
        ("https://idp.example/keys#fragment", False, False),
        ("https://idp.example:0/keys", False, False),
        ("https://idp.example:99999/keys", False, False),
        ("https://idp.exämple/keys", False, False),
        ("https:///keys", False, False),
        ("https://[::1/keys", False, False),
        ("file:///etc/passwd", False, False),
        ("ftp://idp.example/keys", False, False),
        ("//idp.example/keys", False, False),
        ("", False, False),
        ("https://idp.example/" + "k" * 2048, False, False),
    ],
)
def test_only_https_and_by_name_http_on_loopback_is_fetched(
    url: str, allowed: bool, allowed_with_loopback_http: bool
) -> None:
    assert url_is_allowed(url, allow_loopback_http=False) is allowed
    assert url_is_allowed(url, allow_loopback_http=True) is allowed_with_loopback_http


async def test_a_url_that_is_not_allowed_is_not_connected_to(server: KeyServer) -> None:
    async with provider_http() as http:
        with pytest.raises(LoadFailed) as raised:
            await http.get(server.keys_url, timeout=10)

    assert raised.value.cause is Cause.URL_NOT_ALLOWED
    assert server.requests == []


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "xn--a.example"])
async def test_a_host_that_cannot_be_is_no_connection(host: str) -> None:
    async with provider_http() as http:
        with pytest.raises(LoadFailed) as raised:
            await http.get(f"https://{host}/keys", timeout=10)

    assert raised.value.cause in (Cause.CONNECT, Cause.PROTOCOL)


async def test_requests_are_bare(server: KeyServer) -> None:
    server.headers = {"Set-Cookie": "session=1; Path=/", "ETag": '"1"'}
    async with provider_http(allow_loopback_http=True) as http:
        await http.get(server.keys_url, timeout=10)
        await http.get(server.keys_url, timeout=10)

    first, second = (dict(request.headers) for request in server.requests)
    assert first == second
    assert first["user-agent"].startswith("usherd/")
    assert set(first) == {"host", "user-agent", "accept", "accept-encoding", "connection", ""}


async def test_proxies_of_the_environment_are_not_used(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with provider_http(allow_loopback_http=True) as http:
        document = await http.get(server.keys_url, timeout=10)

    assert document.body == server.documents["/keys"]


async def test_a_known_document_makes_the_request_conditional(server: KeyServer) -> None:
    server.etags = True
    async with provider_http(allow_loopback_http=True) as http:
        document = await http.get(server.keys_url, timeout=10)
        same = await http.get(server.keys_url, timeout=10, known=document)
        server.publish(key_pair("P-256").jwk())
        other = await http.get(server.keys_url, timeout=10, known=document)

    assert same is document
    assert other.body == server.documents["/keys"]
    assert server.statuses == [200, 304, 200]


@pytest.mark.parametrize("etag", ["", "a" * 257, "tab\tbed"])
async def test_an_entity_tag_that_is_none_is_not_kept(etag: str, server: KeyServer) -> None:
    server.headers = {"ETag": etag}
    async with provider_http(allow_loopback_http=True) as http:
        document = await http.get(server.keys_url, timeout=10)

    assert document.etag is None


@pytest.mark.parametrize(
    ("content_type", "accepted"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/jwk-set+json", True),
        ("text/plain; charset=utf-8", True),
        ("", False),
        ("text/html", False),
        ("application/octet-stream", False),
        ("application/jsonp", False),
        ("image/svg+json", False),
    ],
)
async def test_the_content_type_says_json(content_type: str, accepted: bool, server: KeyServer) -> None:
    server.headers = {"Content-Type": content_type}
    async with provider_http(allow_loopback_http=True) as http:
        try:
            await http.get(server.keys_url, timeout=10)
            cause = None
        except LoadFailed as failure:
            cause = failure.cause

    assert cause is (None if accepted else Cause.CONTENT_TYPE)


@pytest.mark.parametrize(("size", "fits"), [(BODY_SIZE, True), (BODY_SIZE + 1, False)])
async def test_a_document_has_at_most_a_mebibyte(size: int, fits: bool, server: KeyServer) -> None:
    server.documents["/keys"] = b" " * size
    async with provider_http(allow_loopback_http=True) as http:
        try:
            await http.get(server.keys_url, timeout=10)
            cause = None
        except LoadFailed as failure:
            cause = failure.cause

    assert cause is (None if fits else Cause.TOO_LARGE)


@pytest.mark.parametrize("harm", [lambda packed: packed[:-1], lambda packed: packed + b"x", lambda packed: packed * 2])
async def test_a_packed_document_is_whole_and_alone(harm: Callable[[bytes], bytes], server: KeyServer) -> None:
    server.documents["/keys"] = harm(gzip.compress(server.documents["/keys"]))
    server.headers = {"Content-Encoding": "gzip"}
    async with provider_http(allow_loopback_http=True) as http:
        with pytest.raises(LoadFailed) as raised:
            await http.get(server.keys_url, timeout=10)

    assert raised.value.cause is Cause.CONTENT_ENCODING


async def test_a_packed_bomb_takes_no_more_room_than_a_document(server: KeyServer) -> None:
    server.documents["/keys"] = gzip.compress(b" " * (32 * BODY_SIZE))
    server.headers = {"Content-Encoding": "gzip"}
    async with provider_http(allow_loopback_http=True) as http:
        tracemalloc.start()
        try:
            with pytest.raises(LoadFailed) as raised:
                await http.get(server.keys_url, timeout=30)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert raised.value.cause is Cause.TOO_LARGE
    assert peak < 8 * BODY_SIZE


async def test_a_packed_document_is_unpacked(server: KeyServer) -> None:
    plain = server.documents["/keys"]
    server.documents["/keys"] = gzip.compress(plain)
    server.headers = {"Content-Encoding": "gzip"}
    async with provider_http(allow_loopback_http=True) as http:
        document = await http.get(server.keys_url, timeout=10)

    assert document.body == plain


async def test_nothing_that_the_peer_wrote_is_in_errors_or_logs(
    server: KeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.headers = {"Content-Type": "canary/canary", "X-Canary": "canary"}
    async with provider_http(allow_loopback_http=True) as http:
        with pytest.raises(LoadFailed) as raised:
            await http.get(server.keys_url + "?canary", timeout=10)
        server.headers = {"Content-Type": "canary/canary"}
        with pytest.raises(LoadFailed) as by_type:
            await http.get(server.keys_url, timeout=10)

    assert by_type.value.cause is Cause.CONTENT_TYPE
    for failure in (raised.value, by_type.value):
        assert failure.__cause__ is None
        assert "canary" not in repr(failure)
    assert "canary" not in caplog.text


def test_documents_do_not_show_what_they_hold() -> None:
    assert "canary" not in repr(Document(body=b"canary", etag="canary"))


class TestTls:
    @pytest.fixture(name="authority")
    def _authority(self, tmp_path: Path) -> Path:
        """A certificate for 127.0.0.1 with its key, in one file."""
        private = key_pair("P-256", "tls").private
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.datetime.now(tz=datetime.UTC)
        day = datetime.timedelta(days=1)
        certificate = (
            x509.CertificateBuilder(name, name, private.public_key(), 1, now - day, now + day)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(private, hashes.SHA256())
        )
        file = tmp_path / "tls.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return file

    async def test_a_provider_of_a_trusted_authority_is_believed(self, authority: Path) -> None:
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        served.load_cert_chain(authority)
        trusted = ssl.create_default_context(cafile=str(authority))
        async with KeyServer(tls=served) as server, provider_http(tls=trusted) as http:
            document = await http.get(server.keys_url, timeout=10)

        assert document.body == b'{"keys": []}'

    async def test_a_provider_of_another_authority_is_no_connection(self, authority: Path) -> None:
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        served.load_cert_chain(authority)
        async with KeyServer(tls=served) as server, provider_http() as http:
            with pytest.raises(LoadFailed) as raised:
                await http.get(server.keys_url, timeout=10)

        assert raised.value.cause is Cause.CONNECT
        assert server.requests == []


async def test_clients_have_one_trust_in_the_systems_authorities_until_these_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One each would be a megabyte each, held for long by what ended clients leave behind."""
    made: list[ssl.SSLContext] = []
    create = ssl.create_default_context

    def counted() -> ssl.SSLContext:
        made.append(create())
        return made[-1]

    authorities = tmp_path / "authorities.pem"
    authorities.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    monkeypatch.setattr(ssl, "create_default_context", counted)
    for _ in range(3):
        async with provider_http():
            pass
    before = len(made)
    authorities.write_text("# others\n")
    async with provider_http():
        pass

    assert (before, len(made)) == (1, 2)
