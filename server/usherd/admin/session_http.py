"""Serves the pages of sessions over HTTP at an address of their own; where none is configured, nothing listens."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from usherd.admin.address import SESSIONS
from usherd.config.settings import ServerSettings
from usherd.domain import Decision
from usherd.http.server import HttpUnusable, serving
from usherd.http.session_pages import session_pages
from usherd.rpc.address import AddressUnusable, host_and_port, is_local
from usherd.rpc.tls import Tls, TlsUnusable, check_tls
from usherd.session_desk import SessionDesk
from usherd.sessions import SessionClaims

CONNECTIONS = 256
"""Connections at a time: browsers of many users ask here."""
PATIENCE = 2.0
"""Seconds in which a session must be found valid or not."""
LOOKED_AT_EVERY = 10.0
"""Seconds between two looks at the files of TLS."""


@asynccontextmanager
async def sessions_served(
    address: str | None, server: ServerSettings, desk: SessionDesk, *, shared: bool = False
) -> AsyncIterator[str | None]:
    """The pages, until the block is left; gives where they are. `shared`: other workers have them there, too.

    Raises AddressUnusable, TlsUnusable.
    """
    if address is None:
        yield None
        return
    host, port = session_address(address, server)

    async def validate(token: str) -> SessionClaims | Decision:
        return await desk.validate(token, PATIENCE)

    async with AsyncExitStack() as stack:
        tls = None if server.tls is None else await _followed(server, stack)
        pages = session_pages(desk.published, validate)
        served = serving(pages, host, port, connections=CONNECTIONS, tls=tls, shared=shared)
        try:
            taken = await stack.enter_async_context(served)
        except HttpUnusable as error:
            raise AddressUnusable(str(error), SESSIONS) from None
        yield f"{address.rpartition(':')[0]}:{taken}"


def session_address(address: str, server: ServerSettings) -> tuple[str, int]:
    """The host and port. Raises AddressUnusable for what is none, and where tokens would cross a network in clear."""
    host, port = host_and_port(address, SESSIONS)
    if server.tls is None and not is_local(address) and not server.plaintext_allowed:
        raise AddressUnusable(
            "only a loopback address may be served without TLS; expected server.tls, or insecure: {plaintext: true}"
            " where something else encrypts",
            SESSIONS,
        )
    return host, port


async def _followed(server: ServerSettings, stack: AsyncExitStack) -> ssl.SSLContext:
    """A context whose handshakes are made with the server's certificate of now: it follows its files."""
    assert server.tls is not None  # noqa: S101 (the caller asked)
    files = Tls(cert=server.tls.cert, key=server.tls.key)
    check_tls(files)
    front = now = _context(files)

    def choose(connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, at_first: ssl.SSLContext) -> None:
        connection.context = now

    front.sni_callback = choose

    async def follow() -> None:
        nonlocal now
        while True:
            await asyncio.sleep(LOOKED_AT_EVERY)
            # What cannot be used leaves what was in force.
            with contextlib.suppress(TlsUnusable):
                now = await asyncio.to_thread(_context, files)

    following = asyncio.create_task(follow(), name="session certificate")

    async def end() -> None:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following

    stack.push_async_callback(end)
    return front


def _context(files: Tls) -> ssl.SSLContext:
    """A new one: what was loaded into one in use would be there even if the half of it did not fit the other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password here, an encrypted key would ask for one on the terminal.
        context.load_cert_chain(files.cert, files.key, password="")
    except (OSError, ValueError):
        raise TlsUnusable("its files cannot be read, or do not belong together") from None
    return context
