"""Sessions are made and ended by callers that may, and each method is a right of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from config_files import ISSUER, settings
from stores.support import Hands
from tools.caller_world import CREDENTIAL, OTHER, rule
from tools.certificates import Authority
from tools.directory_world import Client, Failed
from tools.session_world import METHODS, SERVICE, replica
from usherd.admin.session_http import session_address, sessions_served
from usherd.callers import MANAGING, RPCS, rpc_names
from usherd.config.settings import ServerSettings, TlsSettings
from usherd.rpc.address import AddressUnusable
from usherd.rpc.admission import Admission, Terms
from usherd.stores.sql.database import Database, opened_database


@pytest.fixture(name="database")
async def _database(clock: Hands) -> AsyncIterator[Database]:
    async with opened_database("sqlite:///:memory:", upgrade=True, clock=clock) as database:
        yield database


def test_every_method_of_the_contract_is_a_right_that_manages() -> None:
    assert set(METHODS) <= MANAGING
    assert {f"/{SERVICE.full_name}/{name}" for name in RPCS[SERVICE.full_name]} == set(METHODS)


async def test_without_callers_it_is_served_where_only_this_machine_gets_to_it(database: Database) -> None:
    async with replica(database, begins=Admission(Terms(may_manage=False)).begins) as here:
        for method in SERVICE.methods_by_name:
            with pytest.raises(Failed) as failed:
                await here.call(method)
            assert (failed.value.code, failed.value.reason) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "CALLER_NOT_ALLOWED",
            )


async def test_who_may_make_sessions_for_tokens_may_not_make_them_on_their_word(database: Database) -> None:
    callers = [
        rule("gateway", credential=CREDENTIAL, rpcs=rpc_names("SessionService/CreateSession")),
        rule("login", credential=OTHER, rpcs=rpc_names("SessionService/CreateSessionForUser")),
    ]
    async with replica(database, begins=Admission(Terms(callers=callers)).begins) as here:
        gateway = Client(here.channel, credential=CREDENTIAL, service=SERVICE)
        login = Client(here.channel, credential=OTHER, service=SERVICE)
        made = await gateway("CreateSession", token=here.token())
        assert made.session.caller == "gateway"
        assert (await login("CreateSessionForUser", user_id="root")).session.caller == "login"
        for call, method in ((gateway, "CreateSessionForUser"), (login, "CreateSession"), (gateway, "RevokeSessions")):
            with pytest.raises(Failed) as failed:
                await call(method)
            assert failed.value.reason == "CALLER_NOT_ALLOWED"
        with pytest.raises(Failed) as failed:
            await here.call("ListSessions")
        assert failed.value.reason == "CALLER_UNKNOWN"


def served(folder: Path, text: str = "") -> ServerSettings:
    return settings(folder, ISSUER + text).server


def test_its_pages_are_served_in_clear_on_this_machine_only(tmp_path: Path) -> None:
    server = served(tmp_path)
    assert session_address("127.0.0.1:8088", server) == ("127.0.0.1", 8088)
    for address in ("0.0.0.0:8088", "example.com:80", "[::]:1"):
        with pytest.raises(AddressUnusable) as unusable:
            session_address(address, server)
        assert unusable.value.setting == "sessions.http"
    assert session_address("0.0.0.0:8088", served(tmp_path, "insecure: {plaintext: true}"))


async def test_with_a_certificate_its_pages_are_served_over_tls(tmp_path: Path, database: Database) -> None:
    import asyncio
    import dataclasses
    import ssl

    authority = Authority("ours")
    cert, key = authority.issue("localhost")
    (tmp_path / "cert.pem").write_bytes(cert)
    (tmp_path / "key.pem").write_bytes(key)
    tls = TlsSettings(cert=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    server = dataclasses.replace(served(tmp_path), tls=tls)
    trusting = ssl.create_default_context(cadata=authority.certificate.decode())
    async with replica(database) as here, sessions_served("127.0.0.1:0", server, here.desk) as address:
        assert address is not None
        port = int(address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="localhost")
        writer.write(b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200")
        plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", port)
        plain_writer.write(b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b"keys" not in await asyncio.wait_for(plain_reader.read(), 10)
        plain_writer.close()
