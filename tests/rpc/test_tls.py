"""TLS: certificates are followed without a restart, and clients are let in by their authority."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from tools.certificates import Authority
from tools.rpc_world import call, calling, check_bytes, running
from usherd.rpc.server import Listen
from usherd.rpc.tls import Tls, TlsUnusable

OK = grpc.StatusCode.OK


def _files(authority: Authority, folder: Path, *, client_ca: bool = False) -> Tls:
    cert, key = authority.issue("localhost")
    (folder / "cert.pem").write_bytes(cert)
    (folder / "key.pem").write_bytes(key)
    (folder / "ca.pem").write_bytes(authority.certificate)
    return Tls(cert=folder / "cert.pem", key=folder / "key.pem", client_ca=folder / "ca.pem" if client_ca else None)


async def _secure(address: str, credentials: grpc.ChannelCredentials) -> grpc.StatusCode:
    port = address.rpartition(":")[2]
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials, options=options) as channel:
        return (await call(channel, "Check", check_bytes(), timeout=20)).code


async def test_certificates_are_followed_as_their_files_change(tmp_path: Path) -> None:
    old, new = Authority("old"), Authority("new")
    tls = _files(old, tmp_path)
    trusts_old, trusts_new = (grpc.ssl_channel_credentials(each.certificate) for each in (old, new))
    async with running(listen=Listen(address="0.0.0.0:0", tls=tls, grace=0)) as server:
        before = [await _secure(server.address, trusts_old), await _secure(server.address, trusts_new)]
        _files(new, tmp_path)
        after = [await _secure(server.address, trusts_old), await _secure(server.address, trusts_new)]
        tls.cert.unlink()
        without = await _secure(server.address, trusts_new)

    assert before == [OK, grpc.StatusCode.UNAVAILABLE]
    assert after == [grpc.StatusCode.UNAVAILABLE, OK]
    assert without is OK


async def test_with_an_authority_for_clients_only_its_clients_are_let_in(tmp_path: Path) -> None:
    ours, others = Authority("ours"), Authority("others")
    tls = _files(ours, tmp_path, client_ca=True)
    credentials = []
    for authority in (ours, others):
        cert, key = authority.issue("edge")
        credentials.append(grpc.ssl_channel_credentials(ours.certificate, key, cert))
    credentials.append(grpc.ssl_channel_credentials(ours.certificate))
    async with running(listen=Listen(address="127.0.0.1:0", tls=tls, grace=0)) as server:
        codes = [await _secure(server.address, each) for each in credentials]

    assert codes == [OK, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE]


async def test_a_certificate_that_has_expired_lets_nobody_in(tmp_path: Path) -> None:
    ours = Authority("ours")
    tls = _files(ours, tmp_path, client_ca=True)
    credentials = []
    for lifetime in (timedelta(hours=1), timedelta(minutes=-1)):
        cert, key = ours.issue_for("edge", [], lifetime=lifetime)
        credentials.append(grpc.ssl_channel_credentials(ours.certificate, key, cert))
    async with running(listen=Listen(address="127.0.0.1:0", tls=tls, grace=0)) as server:
        codes = [await _secure(server.address, each) for each in credentials]

    assert codes == [OK, grpc.StatusCode.UNAVAILABLE]


async def test_another_authority_for_clients_is_followed_and_the_old_ones_clients_are_let_in_no_more(
    tmp_path: Path,
) -> None:
    old, new = Authority("old"), Authority("new")
    tls = _files(old, tmp_path, client_ca=True)
    credentials = []
    for authority in (old, new):
        cert, key = authority.issue("edge")
        credentials.append(grpc.ssl_channel_credentials(old.certificate, key, cert))
    async with running(listen=Listen(address="127.0.0.1:0", tls=tls, grace=0)) as server:
        before = [await _secure(server.address, each) for each in credentials]
        (tmp_path / "ca.pem").write_bytes(new.certificate)
        after = [await _secure(server.address, each) for each in credentials]

    assert before == [OK, grpc.StatusCode.UNAVAILABLE]
    assert after == [grpc.StatusCode.UNAVAILABLE, OK]


async def test_a_caller_without_tls_hears_nothing(tmp_path: Path) -> None:
    tls = _files(Authority("ours"), tmp_path)
    async with running(listen=Listen(address="127.0.0.1:0", tls=tls, grace=0)) as server, calling(server) as channel:
        outcome = await call(channel, "Check", check_bytes(), timeout=20)

    assert outcome.code is grpc.StatusCode.UNAVAILABLE


async def test_files_that_do_not_belong_together_leave_what_was_in_force(tmp_path: Path) -> None:
    authority = Authority("ours")
    tls = _files(authority, tmp_path)
    trust = grpc.ssl_channel_credentials(authority.certificate)
    async with running(listen=Listen(address="127.0.0.1:0", tls=tls, grace=0)) as server:
        tls.key.write_bytes(authority.issue("localhost")[1])
        code = await _secure(server.address, trust)

    assert code is OK


NO_AUTHORITY = {
    "empty": b"",
    "blank": b"\n",
    "nonsense": b"nonsense",
    "an end in the middle": b"-----BEGIN CERTIFICATE-----\nMIIB",
}


@pytest.mark.parametrize("content", NO_AUTHORITY.values(), ids=NO_AUTHORITY.keys())
async def test_a_client_authority_without_certificates_leaves_what_was_in_force(tmp_path: Path, content: bytes) -> None:
    ours, others = Authority("ours"), Authority("others")
    tls = _files(ours, tmp_path, client_ca=True)
    credentials = []
    for authority in (ours, others):
        cert, key = authority.issue("edge")
        credentials.append(grpc.ssl_channel_credentials(ours.certificate, key, cert))
    credentials.append(grpc.ssl_channel_credentials(ours.certificate))
    async with running(listen=Listen(address="127.0.0.1:0", tls=tls, grace=0)) as server:
        (tmp_path / "ca.pem").write_bytes(content)
        codes = [await _secure(server.address, each) for each in credentials]

    assert codes == [OK, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE]


@pytest.mark.parametrize("name", ["cert.pem", "key.pem", "ca.pem"])
@pytest.mark.parametrize("content", [*NO_AUTHORITY.values(), None], ids=[*NO_AUTHORITY.keys(), "none"])
async def test_files_that_cannot_be_used_keep_a_server_from_starting(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    tls = _files(Authority("ours"), tmp_path, client_ca=True)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(TlsUnusable, match=r"^server\.tls: ") as raised:
        async with running(listen=Listen(address="127.0.0.1:0", tls=tls, grace=0)):
            pass

    assert str(tmp_path) not in str(raised.value)


async def test_a_key_of_another_certificate_keeps_a_server_from_starting(tmp_path: Path) -> None:
    authority = Authority("ours")
    tls = _files(authority, tmp_path)
    tls.key.write_bytes(authority.issue("localhost")[1])

    with pytest.raises(TlsUnusable):
        async with running(listen=Listen(address="127.0.0.1:0", tls=tls, grace=0)):
            pass
