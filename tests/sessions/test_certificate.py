"""The pages of sessions follow the files of the server's certificate, and are there whatever is being written."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from config_files import ISSUER, settings
from stores.support import Hands
from tools.certificates import Authority
from tools.session_world import replica
from usherd.admin import session_http
from usherd.config.settings import TlsSettings
from usherd.stores.sql.database import opened_database

OURS = Authority("ours")
PATIENCE = 20.0


@dataclass
class Pages:
    """Pages over TLS, and the files of their certificate."""

    port: int
    tls: TlsSettings

    async def shown(self, name: str | None = "localhost") -> bytes:
        """The certificate that a new connection is shown (DER); without a name, a client that sends none."""
        trusting = ssl.create_default_context(cadata=OURS.certificate.decode())
        trusting.check_hostname = name is not None
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=trusting, server_hostname=name or "")
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        assert isinstance(found, bytes)
        return found


def write(tls: TlsSettings, cert: bytes, key: bytes) -> bytes:
    """The certificate that is written (DER)."""
    tls.cert.write_bytes(cert)
    tls.key.write_bytes(key)
    return ssl.PEM_cert_to_DER_cert(cert.decode())


@pytest.fixture(name="pages")
async def _pages(tmp_path: Path, clock: Hands, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pages]:
    monkeypatch.setattr(session_http, "LOOKED_AT_EVERY", 0.02)
    tls = TlsSettings(cert=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    write(tls, *OURS.issue("localhost"))
    server = replace(settings(tmp_path, ISSUER).server, tls=tls)
    async with (
        opened_database("sqlite:///:memory:", upgrade=True, clock=clock) as database,
        replica(database) as here,
        session_http.sessions_served("127.0.0.1:0", server, here.desk) as address,
    ):
        assert address is not None
        yield Pages(int(address.rpartition(":")[2]), tls)


@pytest.mark.parametrize("name", ["localhost", None])
async def test_the_certificate_is_followed_as_its_files_change(pages: Pages, name: str | None) -> None:
    before = await pages.shown(name)
    cert, key = OURS.issue("localhost")
    pages.tls.cert.write_bytes(cert)
    await asyncio.sleep(0.2)
    half = await pages.shown(name)
    new = write(pages.tls, cert, key)
    async with asyncio.timeout(PATIENCE):
        while await pages.shown(name) != new:
            pass

    assert before == half


async def test_files_that_change_while_they_are_looked_at_cost_no_connection(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, fitting, others = ssl.SSLContext.load_cert_chain, OURS.issue("localhost"), OURS.issue("localhost")
    looks: list[bool] = []

    def changing(context: ssl.SSLContext, *files: Any, **more: Any) -> None:
        # Between any two looks somebody has written one of the files.
        looks.append(len(looks) % 2 == 0)
        write(pages.tls, fitting[0], fitting[1] if looks[-1] else others[1])
        load(context, *files, **more)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", changing)
    async with asyncio.timeout(PATIENCE):
        while looks.count(False) < 5:
            await pages.shown()
            await asyncio.sleep(0.02)
